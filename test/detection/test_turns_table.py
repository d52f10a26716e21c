"""The table of turns tells what the averaged detector would answer for each turned scene."""

from __future__ import annotations

from dataclasses import replace
import importlib
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.rotation import turned
from eq_perception.detection.detector import Detector
from eq_perception.detection.turns import TurnedDetector

STEP, TURNS = 15., 3


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, repository: Path) -> ModuleType:
    pytest.importorskip('torch', reason='torch missing')
    monkeypatch.syspath_prepend(repository / 'bench')
    return importlib.import_module('turns')


def parked(seed: int = 0) -> Points:
    """Sides of cars, at random."""
    rng = np.random.default_rng(seed)
    cloud = [np.column_stack([rng.uniform(-30, 30, (4000, 2)), rng.normal(-1.8, .02, 4000)])]
    for place, yaw in zip(rng.uniform(-22, 22, (25, 2)), rng.uniform(0, 6.3, 25), strict=True):
        side = rng.uniform(-1, 1, (300, 2)) * [2.1, .9]
        side[::2, 0], side[1::2, 1] = np.sign(side[::2, 0]) * 2.1, np.sign(side[1::2, 1]) * .9
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        cloud.append(np.column_stack([side @ turn.T + place, rng.uniform(-1.6, -.3, 300)]))
    return Points.from_xyz(np.concatenate(cloud))


def test_one_pass_of_the_network_tells_what_each_turned_scene_would_give(
        bench: ModuleType, repository: Path) -> None:
    detector = Detector.from_bundle(repository / 'models' / 'lidar_detector', ['onnxruntime'],
                                    score_threshold=bench.SCORE_THRESHOLD / TURNS)
    points = parked()
    # Every other car that it finds is declared true, so that neither all nor nothing is right.
    found = detector.detect(points)
    found = found.select((found.label == 0) & (found.score > .3)).select(slice(None, None, 2))
    scan = bench.counted(LabeledScan(points, np.eye(4), replace(found, score=None)))
    row = bench.measure(detector, bench.in_all_directions(detector, [scan], STEP), [scan], TURNS,
                        STEP)
    assert row['period'] == 30.
    averaged = TurnedDetector(Detector(detector.session, replace(
        detector.config, score_threshold=bench.SCORE_THRESHOLD)), TURNS)
    for number, told in enumerate(row['figures']['cars within 50 m']['values']):
        seen = turned(scan, number * STEP)
        names = tuple(detector.class_names)
        value, cars = bench.car_ap([judge(averaged.detect(seen.points), seen, names)], names, 50.)
        assert cars == row['cars']['cars within 50 m'] == len(found) > 3
        assert 0 < value < 1 and told == pytest.approx(value, abs=.02)


def test_steps_that_do_not_fit_are_refused(bench: ModuleType, repository: Path) -> None:
    detector = Detector.from_bundle(repository / 'models' / 'lidar_detector', ['onnxruntime'])
    with pytest.raises(ValueError, match='divide'):
        bench.in_all_directions(detector, [], 40.)


def test_the_printed_table_has_a_line_for_each_number_of_directions(bench: ModuleType) -> None:
    def row(turns: int, values: list[float]) -> dict:
        return {'network': 'C4', 'turns': turns, 'on': 'recordings', 'figures': {
            key: bench.summary(values) for key in ('mAP', 'flips', 'cars within 24.6 m')}}

    lines = bench.table([row(3, [.5, .6]), row(1, [.2, .5, .8])]).splitlines()
    assert lines[2:] == [
        '| recordings | C4 | 1 | 0.500, 0.200 to 0.800, **0.600** | - | - | 0.50 |',
        '| recordings | C4 | 3 | 0.550, 0.500 to 0.600, **0.100** (0.400) | - | - | 0.55 |']


def test_the_spread_of_fewer_angles_is_a_mean_over_all_choices(bench: ModuleType) -> None:
    values = [.3, .1, .9, .4, .45]
    for count in (2, 3, 5):
        spreads = [max(each) - min(each) for each in combinations(values, count)]
        assert bench.expected_spread(values, count) == pytest.approx(np.mean(spreads))
