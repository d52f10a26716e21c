"""A recording through detector and segmenter, live: recorded, scored and accounted for."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')
pytest.importorskip('torch')
pytest.importorskip('onnxscript')

from eq_core.geometry.points import Points
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
from eq_eval.panoptic_evaluation import evaluate_segmenter
from eq_eval.replay.labelled_points import recorded_answers
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.panoptic import HEADLINE
from eq_eval.replay.runner import replay
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.workflow import balance_lines
from eq_eval.replay.workflow import is_accounted
from eq_eval.replay.workflow import Job
from eq_eval.replay.workflow import run_job
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.segmenter import Segmenter

pytestmark = pytest.mark.usefixtures('node_path')
COUNT = 5
TOPIC = '/panoptic_segmenter/output/pointcloud'
NETWORK = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, points_per_pillar=4,
                         channels=(2, 3, 3, 4, 3), depth=(1, 1, 1), score_threshold=.01)
CONFIG = SegmenterConfig(NETWORK, pillar_channels=3, column_channels=9, point_channels=6,
                         max_points=4096, instance_score=.01)


def scans(moving: bool = True) -> Iterator[LabeledScan]:
    """A drive past two blocks of points that are cars."""
    random = np.random.default_rng(0)
    ground = np.column_stack([random.uniform(-12, 12, (2000, 2)), random.normal(-1.7, .02, 2000)])
    cars = [random.uniform(-1, 1, (200, 3)) * [2, 1, .7] + place
            for place in ([6., 3, -1], [-5., -4, -1])]
    xyz = np.concatenate([ground, *cars])
    semantic = np.repeat([40, 10], [2000, 400]).astype(np.uint16)
    instance = np.repeat([0, 1, 2], [2000, 200, 200]).astype(np.uint32)
    for index in range(COUNT):
        pose = np.eye(4)
        pose[0, 3] = .3 * index * moving
        yield LabeledScan(
            Points.from_xyz(xyz - pose[:3, 3], np.full(len(xyz), .5), 'lidar',
                            index * 100_000_000), pose,
            semantic=semantic, instance=instance, sequence='drive', index=index)


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('recordings') / 'drive'
    write_semantic_kitti(scans(), path)
    return path


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Networks of random weights; the segmenter is in favour of cars and sure of all it finds."""
    import torch

    from eq_eval.training.export import export_detector
    from eq_eval.training.export import export_segmenter
    from eq_perception.detection.model import BevDetector
    from eq_perception.panoptic.model import BevSegmenter
    torch.manual_seed(0)
    folder, scan = tmp_path_factory.mktemp('models'), next(scans()).points
    export_detector(BevDetector(NETWORK).eval(), folder / 'detector', scan, 'random', {}, '')
    segmenter = BevSegmenter(CONFIG).eval()
    torch.nn.init.constant_(segmenter.bev.heads['heatmap'].bias, 1.)
    torch.nn.init.normal_(segmenter.classifier.classify.weight, 0, 1)
    with torch.no_grad():
        segmenter.classifier.classify.bias[CLASS_NAMES.index('car')] += .5
    export_segmenter(segmenter, folder / 'segmenter', scan, 'random', {}, '')
    return {name: folder / name for name in ('detector', 'segmenter')}


def segmenting(models: dict[str, Path], **changes: object) -> ReplayOptions:
    return ReplayOptions(node=SEGMENTER, model=models['segmenter'], **changes)


def test_one_replay_tells_of_boxes_points_and_tracks(
        tmp_path: Path, drive: Path, models: dict[str, Path]) -> None:
    result = run_job(Job(drive, tmp_path, 'eq replay', ReplayOptions(model=models['detector']),
                         panoptic=segmenting(models)))
    found = result['panoptic']
    for part in (result, found):
        assert part['scans_in_bag'] == part['received'] == part['published'] == COUNT
        assert (part['dropped'], part['in_flight'], part['accounted']) == ({}, 0, True)
    assert is_accounted(result)
    assert found['odometry'] is True
    assert [line.split(':')[0] for line in balance_lines(result)] == ['detector', 'segmenter']
    offline = evaluate_segmenter(Segmenter.from_bundle(models['segmenter']),
                                 open_recording(drive).scans())
    assert {key: found[key] for key in HEADLINE} == {key: offline[key] for key in HEADLINE}
    assert found['objects_followed'] > 0
    assert json.loads((tmp_path / 'result.json').read_text())['panoptic']['LSTQ'] == found['LSTQ']
    text = (tmp_path / 'report.html').read_text()
    for section in ('scans', 'panoptic', 'tracks', 'accounting', 'panoptic-scores'):
        assert f'<section id="{section}">' in text
    lines = [json.loads(line) for line in (tmp_path / 'panoptic' / 'detections.jsonl').open()]
    ids = {item['id'] for line in lines for item in line['objects']}
    assert len(ids) == found['objects_followed']


@pytest.mark.parametrize('moving', [True, False])
def test_the_live_node_labels_points_as_the_segmenter_does(
        tmp_path: Path, models: dict[str, Path], moving: bool) -> None:
    write_semantic_kitti(scans(moving), tmp_path / 'drive')
    recording = open_recording(tmp_path / 'drive')
    run = replay(recording, tmp_path, segmenting(models))
    assert run.with_poses is moving
    segmenter = Segmenter.from_bundle(models['segmenter'])
    answers = recorded_answers(tmp_path / 'outputs', TOPIC, run.outcomes)
    owned, classes = 0, set()
    for scan, answer, outcome in zip(recording.scans(), answers, run.outcomes, strict=True):
        expected = segmenter.segment(scan.points, scan.pose if moving else None)
        objects = expected.objects
        assert answer is not None and outcome.boxes is not None
        assert np.array_equal(answer.points.xyz, scan.points.xyz)
        assert np.array_equal(answer.semantic, expected.semantic)
        assert np.array_equal(answer.instance, expected.instance)
        assert np.array_equal(outcome.boxes.track_id, objects.track_id)
        assert np.allclose(outcome.boxes.center, objects.center, atol=1e-9)
        owned += int((answer.instance > 0).sum())
        classes |= set(answer.semantic.tolist())
    assert owned > 0 and len(classes) > 1


def test_scans_that_come_too_fast_are_accounted_for(
        tmp_path: Path, drive: Path, models: dict[str, Path]) -> None:
    result = run_job(Job(drive, tmp_path, 'eq replay', ReplayOptions(model=models['detector']),
                         panoptic=segmenting(models, rate=100.)))['panoptic']
    assert result['accounted'] is True
    assert result['received'] + result['lost_in_transport'] == COUNT
    assert result['received'] == result['published'] + sum(result['dropped'].values())
    # What was not answered counts as not found, so that the score covers every labelled scan.
    assert result['scores']['num_scans'] == COUNT


def test_without_the_segmenter_nothing_is_said_of_points(
        tmp_path: Path, drive: Path, models: dict[str, Path]) -> None:
    result = run_job(Job(drive, tmp_path, 'eq replay', ReplayOptions(model=models['detector'])))
    assert 'panoptic' not in result and is_accounted(result)
    assert not (tmp_path / 'panoptic').exists()
    assert 'id="panoptic"' not in (tmp_path / 'report.html').read_text()
