"""Training: learns, resumes bit by bit, and ends in a bundle that keeps its law."""

import json

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import open_session
from eq_eval.datasets.scan import LabeledScan
from eq_eval.training.augmentation import augment
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import start_detector
from eq_eval.training.detector import train_detector
from eq_eval.training.export import detector_signature
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_detector
from eq_eval.training.loop import moving_average
from eq_eval.training.recipe import Recipe
from eq_eval.training.samples import SampleStream
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scan_store import write_sequence
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.model import BevDetector

SMALL = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                       depth=(1, 1, 1))


def toy_scene(seed):
    """Flat ground and one car-sized block: enough to learn something from."""
    rng = np.random.default_rng(seed)
    ground = np.column_stack([rng.uniform(-12, 12, (3000, 2)), rng.normal(-1.7, .02, 3000)])
    boxes = Boxes3D(center=np.array([[*rng.uniform(-8, 8, 2), -.95]]),
                    size=np.array([[4.2, 1.8, 1.5]]), yaw=rng.uniform(-3, 3, 1),
                    label=np.zeros(1, int), velocity=np.array([[1., 0.]]))
    body = rng.uniform(-.5, .5, (600, 3)) * boxes.size[0] * .98
    cos, sin = np.cos(boxes.yaw[0]), np.sin(boxes.yaw[0])
    body = body @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + boxes.center[0]
    xyz = np.concatenate([ground, body])
    points = Points.from_xyz(xyz, rng.random(len(xyz)))
    return [LabeledScan(Points(points.xyz, points.intensity, points.time_offset,
                               stamp=int(index * 1e8)), np.eye(4), boxes, index=index,
                        num_points=count_points_in_boxes(points.xyz, boxes))
            for index in range(3)]


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for number in range(12):
        write_sequence(folder / f'{number:05d}.npz', toy_scene(number))
    return ScanStore.open(folder)


def recipe(**changes):
    return Recipe(**{'detector': SMALL, 'iterations': 60, 'batch_size': 4, 'seed': 1,
                     'learning_rate': 1e-2, 'averaging': .8, **changes})


def test_store_keeps_scans_to_the_millimetre(store):
    scan, again = toy_scene(3)[1], store.load(3, [1])[0]
    assert np.abs(scan.points.xyz - again.points.xyz).max() <= .00051
    assert again.points.stamp == scan.points.stamp
    for name in ('center', 'size', 'yaw', 'label', 'velocity'):
        assert (getattr(scan.boxes, name) == getattr(again.boxes, name)).all()


@pytest.mark.parametrize('seed', range(5))
def test_augmentation_keeps_points_inside_their_boxes(seed):
    scan = toy_scene(seed)[0]
    found = augment(scan.points, scan.boxes, Augmentation(180., dropout=0.),
                    np.random.default_rng(seed))
    points, boxes = found.points, found.boxes
    grown = Boxes3D(boxes.center, boxes.size + 1e-4, boxes.yaw, boxes.label)
    assert count_points_in_boxes(points.xyz, grown)[0] >= scan.num_points[0]


def test_batches_are_a_pure_function_of_the_seed(store):
    streams = [SampleStream(store, SMALL, Augmentation(), 3, seed) for seed in (5, 5, 6)]
    first, same, other = (stream.batch(4) for stream in streams)
    assert (first.pillar_points == same.pillar_points).all()
    assert first.pillar_points.shape != other.pillar_points.shape or (
        first.pillar_points != other.pillar_points).any()
    rows = len(first.pillar_points)
    used = first.pillar_index[first.pillar_index < rows]
    assert (np.sort(used) == np.arange(rows)).all()   # every pillar has one cell of one sample


def test_training_finds_the_block_and_the_bundle_keeps_the_law(store, tmp_path):
    run = train_detector(recipe(), store, tmp_path / 'run')
    rows = [json.loads(line) for line in (tmp_path / 'run/log.jsonl').read_text().splitlines()]
    assert rows[-1]['total'] < .5 * rows[0]['total']
    scan = toy_scene(100)[0]
    model = run.exported()
    assert equivariance_error(model, detector_signature(model, scan.points), 'C4') < 1e-4
    export_detector(run.exported(), tmp_path / 'bundle', scan.points, 'toy', {'seed': 1}, 'Toy.')
    bundle = Bundle.load(tmp_path / 'bundle')
    assert b'.py' not in bundle.read('model.onnx')      # no traces of the exporting machine
    inputs, _ = bundle.golden()
    answers = [open_session(bundle, [backend]).run(inputs) for backend in ('onnxruntime', 'torch')]
    for name in answers[0]:
        np.testing.assert_allclose(answers[0][name], answers[1][name], atol=1e-4)
    best = Detector.from_bundle(tmp_path / 'bundle').detect(scan.points)
    assert len(best) and np.linalg.norm(best.center[0, :2] - scan.boxes.center[0, :2]) < 1.5


def test_a_resumed_run_is_the_same_run(store, tmp_path):
    """Weights after 6 steps do not depend on an interruption after 3."""
    whole = train_detector(recipe(iterations=6), store, tmp_path / 'whole')
    part = start_detector(recipe(iterations=6))
    stream = SampleStream(store, SMALL, Augmentation(), 4, 1)
    for number in range(3):
        part.update(stream.batch(number))
    (tmp_path / 'part').mkdir()
    part.save(tmp_path / 'part/checkpoint.pt')
    resumed = train_detector(recipe(iterations=6), store, tmp_path / 'part')
    assert resumed.step == whole.step == 6
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], weight, msg=name)


def test_the_average_of_a_short_run_forgets_its_beginning():
    """A weight that is 1 at first and 0 ever after, as the average remembers it."""
    model = torch.nn.Linear(1, 1, bias=False)
    model.register_buffer('index', torch.arange(4))
    average = AveragedModel(model, multi_avg_fn=moving_average(.998), use_buffers=True)
    for step in range(200):
        torch.nn.init.constant_(model.weight, float(step == 0))
        average.update_parameters(model)
    assert 0 <= average.module.weight.item() < 1e-6 < .998 ** 199
    assert average.module.index.tolist() == [0, 1, 2, 3]


def test_equal_seeds_give_equal_networks():
    states = []
    for _ in range(2):
        torch.manual_seed(4)
        states.append(BevDetector(SMALL).state_dict())
    assert all((states[0][name] == states[1][name]).all() for name in states[0])
