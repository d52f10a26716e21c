"""The models that travel with the code keep their law and say where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eq_core.runtime import Bundle
from eq_eval.cli.verify import verify_bundle
from eq_eval.cli.verify import verify_parts
from eq_eval.datasets.scan import LabeledScan
from eq_eval.manipulation.bench import unseen_seeds
from eq_eval.manipulation.evaluation import evaluate
from eq_eval.manipulation.evaluation import summarize
from eq_eval.manipulation.tabletop.tasks import make_task
from eq_eval.panoptic_evaluation import turn_agreement
from eq_eval.simulation import simulate_sequence
from eq_eval.training.heading import agreement
from eq_manipulation.two_networks import PARTS
from eq_manipulation.planar.policy import PlanarPolicy
from eq_perception.detection.detector import Detector
from eq_perception.panoptic.segmenter import Segmenter

GROUPS = {'lidar_detector': 'C4', 'panoptic_segmenter': 'C4', 'heading_estimator': 'C2',
          'exploration_planner': 'D4', 'graph_planner': 'D4', 'maze_planner': 'D4'}
POLICIES = {'insert_l_block': 'insert-l-block', 'red_in_green': 'red-in-green', 'kit': 'kit',
            'block_insertion': None, 'place_red_in_green': None, 'align_box_corner': None}
SPATIAL = ('mug_on_rack', 'peg_in_tilted_hole')
BUNDLES = [*GROUPS, *(f'{name}/{part}' for name in (*POLICIES, *SPATIAL) for part in PARTS)]


@pytest.fixture(scope='module')
def drive() -> Iterator[list[LabeledScan]]:
    """A second of a street that no model was trained on, seen by a small sensor."""
    pytest.importorskip('open3d', reason='Open3D missing')
    yield list(simulate_sequence('street', 'vlp16', 3, 10, 'validation'))


@pytest.mark.parametrize('name', GROUPS)
def test_graph_is_whole_and_turns_with_its_input(repository: Path, name: str) -> None:
    result = verify_bundle(repository / 'models' / name)
    assert result['ok'], result['problems']
    assert result['group'] == GROUPS[name]
    assert result['equivariance_error'] <= 1e-4


def test_every_shipped_model_is_looked_at(repository: Path) -> None:
    models = repository / 'models'
    assert {path.parent.relative_to(models).as_posix() for path in
            models.rglob('manifest.json')} == set(BUNDLES)


@pytest.mark.parametrize('name', [*POLICIES, *SPATIAL])
def test_policies_keep_their_laws_at_quarter_turns(repository: Path, name: str) -> None:
    folder = repository / 'models' / name
    result = verify_parts(folder, [folder / part for part in PARTS], 'onnxruntime', 1)
    assert result['ok'], result['problems']
    assert result['pick_error'] <= 1e-4
    assert result['place_error'] <= 1e-4


@pytest.mark.parametrize(('name', 'task'), [item for item in POLICIES.items() if item[1]])
def test_policies_solve_tables_that_they_were_not_shown(
        repository: Path, name: str, task: str) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    policy = PlanarPolicy.from_bundle(repository / 'models' / name)
    found = summarize(evaluate(policy, make_task(task), unseen_seeds(10)))
    assert found['success'] >= 80


@pytest.mark.parametrize('name', BUNDLES)
def test_manifest_tells_how_the_weights_came_to_be(repository: Path, name: str) -> None:
    manifest = Bundle.load(repository / 'models' / name).manifest
    assert manifest.license == 'Apache-2.0'
    assert {'command', 'seed', 'data', 'date', 'wall_time_s'} <= set(manifest.training)
    assert 'recorded' not in manifest.training      # no recording binds what is shipped


def test_past_sweeps_do_not_hide_what_one_scan_shows(
        repository: Path, drive: list[LabeledScan]) -> None:
    detector = Detector.from_bundle(repository / 'models' / 'lidar_detector')
    alone = stacked = 0
    for index in range(2, len(drive)):
        newest, *past = (drive[index - age] for age in range(3))
        for count, found in enumerate((
                detector.detect(newest.points),
                detector.detect(newest.points, *(scan.points for scan in past),
                                poses=[scan.pose for scan in (newest, *past)]))):
            hits = int((agreement(found, newest.boxes) != 0).sum())
            alone, stacked = alone + hits * (count == 0), stacked + hits * (count == 1)
    assert alone > 50
    assert stacked > .9 * alone


def test_a_second_look_tells_the_front_of_most_cars(repository: Path) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    scans = [scan for seed in range(3)
             for scan in simulate_sequence('street', 'hdl64e', seed, 2, 'validation')]
    models = repository / 'models'
    reversed_share = []
    for heading in (None, models / 'heading_estimator'):
        detector = Detector.from_bundle(models / 'lidar_detector', heading=heading)
        cosine = np.concatenate([agreement(found.select(found.label == 0), scan.boxes)
                                 for scan in scans for found in [detector.detect(scan.points)]])
        reversed_share.append((cosine[cosine != 0] < 0).mean())
    first, second = reversed_share
    assert second < .5 * first
    assert second < .1


@pytest.mark.parametrize('degrees', [90., 180., 270.])
def test_segments_of_a_turned_sequence_are_the_same(
        repository: Path, drive: list[LabeledScan], degrees: float) -> None:
    segmenter = Segmenter.from_bundle(repository / 'models' / 'panoptic_segmenter')
    found = turn_agreement(segmenter, drive, degrees)
    assert found['semantic'] <= 1e-3
    assert found['instance'] <= 1e-3
    assert found['same_ids'] == 1
