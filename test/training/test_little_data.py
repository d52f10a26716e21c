"""The table of few labels: no row is tested on what it, or anything before it, has seen."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from eq_eval.datasets.open import open_recording
from eq_eval.training.labeled_frames import LabeledFrames


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, repository: Path) -> ModuleType:
    monkeypatch.syspath_prepend(repository / 'bench')
    return importlib.import_module('little_data')


def test_nothing_is_tested_that_was_seen(bench: ModuleType) -> None:
    for learnt, tested in bench.FOLDS.values():
        names = [name for name, _ in tested]
        assert not set(learnt) & set(names)
        assert not any(each.split('/')[0] in (*learnt, *names) for each in bench.UNLABELED)
    assert {name for _, tested in bench.FOLDS.values() for name, _ in tested} == {
        name for learnt, _ in bench.FOLDS.values() for name in learnt}


def test_both_networks_cost_the_same_and_start_alike(bench: ModuleType) -> None:
    assert bench.NETWORKS['C4'].grid_size == bench.NETWORKS['plain'].grid_size
    assert [4 * width for width in bench.NETWORKS['C4'].channels] == list(
        bench.NETWORKS['plain'].channels)
    table = bench.Table(Path('work'), Path('data'), None, 1., 3)
    recipes = [table.recipe(network, 10, 1e-3, None) for network in bench.NETWORKS]
    told = [{key: value for key, value in each.to_dict().items() if key != 'detector'}
            for each in recipes]
    assert told[0] == told[1] and told[0]['seed'] == 3


def test_there_are_as_many_labelled_scans_as_rows_ask_for(
        bench: ModuleType, shared_data: Path) -> None:
    for fold, most in (('tracking', 20), ('others', 10)):
        learnt, _ = bench.FOLDS[fold]
        frames = LabeledFrames.read([open_recording(shared_data / each) for each in learnt],
                                    bench.CONFIG, most)
        assert len(frames) == most and len(frames.drawn) == len(learnt)


def test_the_picture_is_drawn_from_the_rows(bench: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip('matplotlib', reason='matplotlib missing')
    rows = [{'network': network, 'start': 'simulation', 'fold': fold, 'fraction': 1.,
             'frames': frames, 'car_AP_2m': .5 + frames / 100}
            for network in bench.NETWORKS for fold in bench.FOLDS for frames in (0, 5)]
    bench.draw(rows, tmp_path / 'picture.png')
    assert (tmp_path / 'picture.png').stat().st_size > 10_000
