"""The live node and the detector in Python give the same boxes for the same recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')
pytest.importorskip('torch')
pytest.importorskip('onnxscript')

from random_recordings import random_scans
from random_recordings import write_bag

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.evaluation import evaluate_detector
from eq_eval.evaluation import Protocols
from eq_eval.replay.runner import replay
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.scoring import score
from eq_eval.replay.source import open_source
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector

pytestmark = pytest.mark.usefixtures('node_path')
CONFIG = DetectorConfig(point_cloud_range=12.8, max_pillars=2000, points_per_pillar=4,
                        channels=(4, 4, 4, 6, 4), depth=(1, 1, 1))


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of random weights: it finds much, and all of it is wrong."""
    import torch

    from eq_eval.training.export import export_detector
    from eq_perception.detection.model import BevDetector
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('model') / 'random'
    export_detector(BevDetector(CONFIG).eval(), path, random_scans(('lidar',))[0].points,
                    'random', {'seed': 0}, '')
    return path


@pytest.fixture
def detector(model: Path) -> Detector:
    return Detector.from_bundle(model, score_threshold=1e-3)


def options(model: Path) -> ReplayOptions:
    return ReplayOptions(model=model, parameters={'score_threshold': '0.001'})


def assert_same(recorded: Boxes3D, expected: Boxes3D) -> None:
    assert len(recorded) == len(expected)
    for name in ('center', 'size', 'label', 'score', 'covariance'):
        assert np.array_equal(getattr(recorded, name), getattr(expected, name)), name
    # Yaw goes through a quaternion, the confidence through a variance.
    turn = recorded.yaw - expected.yaw
    assert np.abs(np.arctan2(np.sin(turn), np.cos(turn))).max(initial=0) < 1e-12
    assert np.allclose(recorded.heading_confidence, expected.heading_confidence, atol=1e-12)


def test_boxes_and_scores_are_the_same(
        tmp_path: Path, recording_of, model: Path, detector: Detector) -> None:
    recording = recording_of('lidar', 'lidar', 'lidar')
    run = replay(recording, tmp_path, options(model))
    found = 0
    for outcome, scan in zip(run.outcomes, recording.scans(), strict=True):
        expected = detector.detect(scan.points)
        assert outcome.boxes is not None
        assert outcome.boxes.stamp == scan.points.stamp
        assert outcome.boxes.frame_id == 'lidar'
        assert_same(outcome.boxes, expected)
        found += len(expected)
    assert found > 10
    live = score(recording, run, options(model))
    offline = evaluate_detector(detector, recording.scans(), Protocols(with_velocity=False))
    assert live is not None
    assert set(offline) <= set(live.table)
    for name in ('mAP', 'AP_by_distance', 'recall_by_range', 'num_truths', 'kitti'):
        assert live.table[name] == offline[name]


def test_the_bytes_of_a_bag_go_through_untouched(
        tmp_path: Path, model: Path, detector: Detector) -> None:
    source = open_source(write_bag(tmp_path / 'bag'), tmp_path)
    scans = list(source.recording.scans())
    for _ in range(2):  # every pass finds all of them
        raw = source.clouds()
        assert all(raw(scan) for scan in scans)
    (tmp_path / 'out').mkdir()
    run = replay(source.recording, tmp_path / 'out', options(model), raw=source.clouds())
    for outcome, scan in zip(run.outcomes, scans, strict=True):
        assert outcome.boxes is not None
        assert_same(outcome.boxes, detector.detect(scan.points))
