"""The tables of sample efficiency: cells are kept, named and scored as they say."""

from dataclasses import replace
from functools import partial
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from eq_eval.rotation import turned
from eq_eval.simulation import sample_specs
from eq_eval.simulation import simulate
from eq_eval.training import loop
from eq_eval.training.scan_store import write_sequence
from eq_perception.panoptic.classes import UNLABELED
from eq_perception.panoptic.segmenter import Segmenter


@pytest.fixture
def cells(monkeypatch, repository, tmp_path):
    """The module that the tables share; it stores its records in a folder of the test."""
    monkeypatch.syspath_prepend(repository / 'bench')
    module = importlib.import_module('cells')
    monkeypatch.setattr(module, 'store', partial(module.store, folder=tmp_path / 'results'))
    return module


@pytest.fixture
def bench(cells, monkeypatch):
    """The segmenter's table, with a small network that takes two steps."""
    module = importlib.import_module('segmenter_sample_efficiency')
    small = replace(module.CONFIG, pillar_channels=2, column_channels=12, point_channels=8,
                    detector=replace(module.CONFIG.detector, channels=(2, 3, 3, 4, 3),
                                     depth=(1, 1, 1)))
    monkeypatch.setattr(module, 'VARIANTS', {'C4': (small, 45.)})
    monkeypatch.setattr(module, 'ITERATIONS', {.5: 2})
    monkeypatch.setattr(loop, 'LOG_EVERY', 1)
    return module


def sequence(split, seed, columns=300):
    """Three scans of sixteen beams."""
    spec, = sample_specs(split, 1, seed, 3, 1, sensors=('vlp16',), columns=columns)
    return list(simulate(spec))


@pytest.mark.parametrize(('fraction', 'name'), [
    (1., 'C4_yaw_+-45_100_of_scenes_seed_0.json'), (.05, 'C4_yaw_+-45_5_of_scenes_seed_0.json')])
def test_cells_keep_their_names(cells, fraction, name):
    """Tables take hours; a new name would forget what is done."""
    assert cells.Cell('C4, yaw +-45', fraction, 0, Path('work')).path == Path('work/cells') / name


def test_a_repeated_command_makes_what_is_missing_only(cells, tmp_path):
    made = []

    def make(cell):
        made.append(cell.key)
        if len(made) == 3:
            raise KeyboardInterrupt
        return {'upright': {'score': .5}, 'turned': {'score': .4}, 'key': cell.key}

    options = cells.parser('', str(tmp_path), '', 1, ['a', 'b']).parse_args(
        ['--fractions', '.5', '1'])
    with pytest.raises(KeyboardInterrupt):
        cells.fill('toy', options, make, {'range': 3}, 'score')
    record = tmp_path / 'results' / 'toy.json'
    assert len(json.loads(record.read_text())['result']['cells']) == 2
    cells.fill('toy', options, make, {'range': 3}, 'score')
    result = json.loads(record.read_text())['result']
    assert len(made) == 5 and made[2] == made[3]
    assert sorted(row['key'] for row in result['cells']) == sorted(set(made))
    assert result['range'] == 3


@pytest.mark.parametrize('degrees', [0., 45., 200.])
def test_the_same_points_are_judged_however_a_scan_is_turned(bench, degrees):
    scan = sequence('test', 4)[0]
    kept = bench.judged_in_range(turned(scan, degrees))
    judged = kept.semantic != UNLABELED
    assert judged.sum() == ((np.hypot(*scan.points.xyz[:, :2].T) < bench.RANGE)
                            & (scan.semantic != UNLABELED)).sum()
    assert np.abs(kept.points.xyz[judged, :2]).max() < bench.RANGE
    assert len(kept.points) == len(kept.semantic) == len(kept.instance)


def test_a_tiny_table(bench, tmp_path):
    """Half of the scenes, two steps; quarter turns change nothing."""
    scenes, work = tmp_path / 'scenes', tmp_path / 'work'
    scenes.mkdir()
    for number in range(4):
        write_sequence(scenes / f'{number:05d}.npz', sequence('train', number))
    bench.main(['--work', str(work), '--scenes', str(scenes), '--num-scenes', '4',
                '--fractions', '.5', '--test-sequences', '1', '--test-scans', '2'])
    result = json.loads((tmp_path / 'results' / f'{bench.NAME}.json').read_text())['result']
    row, = result['cells']
    assert (row['variant'], row['scenes'], row['iterations']) == ('C4', 2, 2)
    assert all(0 <= row[way]['mIoU'] <= 1 for way in ('upright', 'turned'))
    assert 'budget' in result['note']
    test = [[bench.judged_in_range(scan) for scan in sequence('test', 9, None)]]
    segmenter = Segmenter.from_bundle(work / 'C4_50_of_scenes_seed_0' / 'bundle')
    upright, aside = (bench.score(segmenter, test, np.array([angle])) for angle in (0., 90.))
    assert upright['mIoU'] == pytest.approx(aside['mIoU'], rel=1e-3) and upright['mIoU'] > 0
