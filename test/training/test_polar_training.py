"""The polar detector trains, exports and detects through the same code as the Cartesian one."""

import json

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.scan import LabeledScan
from eq_eval.rotation import turned
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import train_detector
from eq_eval.training.export import export_detector
from eq_eval.training.recipe import Recipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scan_store import write_sequence
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector

SMALL = DetectorConfig(grid='polar', group='C1', point_cloud_range=12.8, max_pillars=4096,
                       channels=(12, 16, 16, 24, 16), depth=(1, 1, 1))


def toy_sequence(seed):
    """Flat ground and one car-sized block, three times."""
    rng = np.random.default_rng(seed)
    ground = np.column_stack([rng.uniform(-12, 12, (3000, 2)), rng.normal(-1.7, .02, 3000)])
    azimuth, radius = rng.uniform(-np.pi, np.pi), rng.uniform(4, 10)
    box = Boxes3D(center=np.array([[radius * np.cos(azimuth), radius * np.sin(azimuth), -.95]]),
                  size=np.array([[4.2, 1.8, 1.5]]), yaw=rng.uniform(-3, 3, 1),
                  label=np.zeros(1, int))
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(box.yaw[0]), -np.sin(box.yaw[0])],
                    [np.sin(box.yaw[0]), np.cos(box.yaw[0])]]
    pose[:3, 3] = box.center[0]
    inside = Points.from_xyz(rng.uniform(-.49, .49, (600, 3)) * box.size[0]).transformed(pose)
    points = Points.from_xyz(np.concatenate([ground, inside.xyz]), rng.random(3600))
    return [LabeledScan(points, np.eye(4), box, index=index,
                        num_points=count_points_in_boxes(points.xyz, box)) for index in range(3)]


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for number in range(12):
        write_sequence(folder / f'{number:05d}.npz', toy_sequence(number))
    return ScanStore.open(folder)


def test_training_finds_the_block_whichever_way_the_scene_is_turned(store, tmp_path):
    recipe = Recipe(detector=SMALL, augmentation=Augmentation(), iterations=40, batch_size=4,
                    seed=1, learning_rate=1e-2, averaging=.8)
    run = train_detector(recipe, store, tmp_path / 'run')
    rows = [json.loads(line) for line in (tmp_path / 'run/log.jsonl').read_text().splitlines()]
    assert rows[-1]['total'] < .5 * rows[0]['total']
    scan = toy_sequence(100)[0]
    export_detector(run.exported(), tmp_path / 'bundle', scan.points, 'toy', {'seed': 1}, 'Toy.')
    detector = Detector.from_bundle(tmp_path / 'bundle')
    for degrees in (0., 45., 100., 180., 250.):        # sectors are 5.6 degrees wide
        seen = turned(scan, degrees)
        best = detector.detect(seen.points)
        assert len(best)
        assert np.linalg.norm(best.center[0, :2] - seen.boxes.center[0, :2]) < 1.5
