"""Training of the segmenter: learns classes and centres, starts from a detector, can continue."""

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.scan import LabeledScan
from eq_eval.shared_heads import shared_heads
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_detector
from eq_eval.training.export import export_segmenter
from eq_eval.training.export import segmenter_signature
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scan_store import write_sequence
from eq_eval.training.segmenter import start_segmenter
from eq_eval.training.segmenter import train_segmenter
from eq_eval.training.segmenter_samples import SegmenterStream
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.model import BevDetector
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.classes import train_ids
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.segmenter import Segmenter
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracker import Tracker

CAR, ROAD, BUILDING = 1, 9, 13
SMALL = SegmenterConfig(
    DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                   depth=(1, 1, 1)),
    pillar_channels=4, column_channels=24, point_channels=16, max_points=8192)


def toy_scene(seed):
    """A road, a wall and one car-sized block."""
    rng = np.random.default_rng(seed)
    ground = np.column_stack([rng.uniform(-12, 12, (2500, 2)), rng.normal(-1.7, .02, 2500)])
    wall = np.column_stack([rng.uniform(-12, 12, 900), rng.normal(11, .1, 900),
                            rng.uniform(-1.5, 2, 900)])
    boxes = Boxes3D(center=np.array([[*rng.uniform(-8, 8, 2), -.95]]),
                    size=np.array([[4.2, 1.8, 1.5]]), yaw=rng.uniform(-3, 3, 1),
                    label=np.zeros(1, int), track_id=np.array([5]))
    body = rng.uniform(-.5, .5, (600, 3)) * boxes.size[0] * .98
    cos, sin = np.cos(boxes.yaw[0]), np.sin(boxes.yaw[0])
    body = body @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + boxes.center[0]
    xyz = np.concatenate([ground, wall, body])
    truth = np.repeat([ROAD, BUILDING, CAR], [2500, 900, 600])
    points = Points.from_xyz(xyz, rng.random(len(xyz)))
    return [LabeledScan(Points(points.xyz, points.intensity, points.time_offset,
                               stamp=int(index * 1e8)), np.eye(4), boxes, RAW_OF_TRAIN[truth],
                        np.where(truth == CAR, 5, 0).astype(np.uint32), index=index,
                        num_points=count_points_in_boxes(points.xyz, boxes))
            for index in range(3)]


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for number in range(12):
        write_sequence(folder / f'{number:05d}.npz', toy_scene(number))
    return ScanStore.open(folder)


def recipe(**changes):
    return SegmenterRecipe(**{'detector': SMALL.detector, 'segmenter': SMALL, 'iterations': 60,
                              'batch_size': 2, 'seed': 1, 'learning_rate': 1e-2, 'averaging': .8,
                              'points_per_scan': 1500, **changes})


def test_store_keeps_classes_and_instances(store):
    scan, again = toy_scene(3)[1], store.load(3, [1])[0]
    np.testing.assert_array_equal(again.semantic, scan.semantic)
    np.testing.assert_array_equal(again.instance, scan.instance)


def test_points_of_a_batch_keep_their_pillars_and_classes(store):
    """Whatever is drawn: a point's pillar is one of its own sample, near the point's height."""
    batch = SegmenterStream(store, recipe(augmentation=Augmentation(180.))).batch(3)
    rows = len(batch.pillar_points)
    assert len(batch.point_row) == len(batch.point_features) == sum(
        len(each.semantic) for each in batch.panoptic)
    inside = batch.point_row < rows
    pillar_heights = batch.pillar_points[batch.point_row[inside], :, 0]
    gap = np.abs(pillar_heights - batch.point_features[inside, :1]).min(1)
    assert inside.mean() > .9 and np.median(gap) < .05
    sample_of_pillar = (batch.pillar_cells[:, 0] // SMALL.detector.head_size ** 2)
    sample_of_point = np.repeat([0, 1], [len(each.semantic) for each in batch.panoptic])
    np.testing.assert_array_equal(sample_of_pillar[batch.point_row[inside]],
                                  sample_of_point[inside])


def test_training_tells_road_wall_and_car_apart_and_keeps_the_law(store, tmp_path):
    run = train_segmenter(recipe(), store, tmp_path / 'run')
    model, scan = run.exported(), toy_scene(100)[0]
    assert equivariance_error(model, segmenter_signature(model, scan.points), 'C4') < 1e-4
    export_segmenter(model, tmp_path / 'bundle', scan.points, 'toy', {'seed': 1}, 'Toy.')
    segmenter = Segmenter.from_bundle(tmp_path / 'bundle')
    answer = segmenter.segment(scan.points)
    truth = train_ids(scan.semantic)
    assert (answer.semantic == truth).mean() > .9
    car = answer.instance[truth == CAR]
    assert np.bincount(car).argmax() > 0      # most of the car is one object
    alone = export_detector(model.bev, tmp_path / 'detector', scan.points, 'toy', {}, 'Toy.')
    boxes = Detector.from_bundle(alone.path).detect(scan.points)
    segmenter.tracker = Tracker(TrackerConfig(confirm_hits=1, confirm_score=0.))
    objects = segmenter.segment(scan.points).objects    # boxes without points of theirs are none
    assert len(objects)
    away = np.linalg.norm(objects.center[:, None, :2] - boxes.center[:, :2], axis=-1)
    assert away.min(1).max() < 1e-4
    assert away[:, boxes.score.argmax()].min() < 1e-4
    ratio = shared_heads(tmp_path / 'bundle', 1, 3)
    assert set(ratio['heads_ms']) == {'detection', 'panoptic', 'both'}


def test_the_shared_network_may_start_from_a_detector(tmp_path):
    detector = export_detector(BevDetector(SMALL.detector).eval(), tmp_path / 'detector',
                               toy_scene(0)[0].points, 'random', {}, '')
    run = start_segmenter(recipe(), detector)
    for name, weight in detector.weights().items():
        np.testing.assert_array_equal(run.model.state_dict()[f'bev.{name}'].numpy(), weight)
