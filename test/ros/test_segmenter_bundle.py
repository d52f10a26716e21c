"""The live segmenter with the real model loader and a network of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('torch', reason='needs torch to export a model of random weights')
pytest.importorskip('onnxscript', reason='needs onnxscript to export a model')

from graph import CONFIGURE
from graph import Graph
from panoptic_graph import NAME
from panoptic_graph import PanopticGraph
from panoptic_graph import read

from eq_core.geometry.points import Points
from eq_core.runtime import DEFAULT_BACKENDS
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.config import SegmenterConfig
from eq_ros.pointcloud2 import decode

SCRIPT = 'eq_perception.nodes.panoptic_segmenter'
CONFIG = SegmenterConfig(
    DetectorConfig(point_cloud_range=6.4, max_pillars=900, channels=(2, 3, 3, 4, 3),
                   depth=(1, 1, 1), score_threshold=.01),
    pillar_channels=3, column_channels=9, point_channels=6, max_points=2048)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small segmenter of random weights."""
    import torch

    from eq_eval.training.export import export_segmenter
    from eq_perception.panoptic.model import BevSegmenter
    torch.manual_seed(0)
    scan = Points.from_xyz(np.random.default_rng(0).uniform(-6, 6, (500, 3)))
    path = tmp_path_factory.mktemp('model') / 'panoptic_segmenter'
    return Path(export_segmenter(BevSegmenter(CONFIG).eval(), path, scan, 'random', {}, '').path)


def test_network_labels_every_point_of_scans_with_and_without_a_pose(
        graph: Graph, bundle: Path) -> None:
    segmenter = PanopticGraph(graph)
    segmenter.start('-p', f'model_path:={bundle}', '-p', 'sweeps:=2', '-p',
                    'odometry_source:=topic', script=SCRIPT)
    segmenter.send(1., count=500, frame_id='base')
    segmenter.odometry((2., 0.), (2.5, .5))
    segmenter.send(2., 2.1, 2.2, count=500, frame_id='base')
    for message in segmenter.points:
        assert message.width == 500 and read(message).semantic <= set(RAW_OF_TRAIN.tolist())
        assert len(decode(message).points) == 500
    values = graph.settled()
    assert values['published'] == '4' and values['mode'] == 'sequence' and graph.balance() == 0
    assert values['backend'] in DEFAULT_BACKENDS and float(values['latency_inference_p50_ms']) > 0


def test_bundle_that_is_damaged_or_asked_for_too_much_is_refused_in_one_line(
        graph: Graph, bundle: Path, tmp_path: Path) -> None:
    process = graph.start('-p', 'autostart:=false', script=SCRIPT, name=NAME)
    asked = [('model_path', str(tmp_path / 'absent'), 'absent'),
             ('model_path', str(bundle), ''), ('sweeps', 9, 'sweeps must be in 1..3, got 9')]
    assert graph.set_parameter(*asked[0][:2]).successful
    assert not graph.change_state(CONFIGURE)
    for name, value, _ in asked[1:]:
        assert graph.set_parameter(name, value).successful
    assert not graph.change_state(CONFIGURE)
    lines = [line for line in graph.log().splitlines() if 'ERROR' in line]
    assert len(lines) == 2, lines
    for line, (_, _, text) in zip(lines, (asked[0], asked[2]), strict=True):
        assert 'configure failed' in line and text in line
    assert graph.state() == 'unconfigured' and process.poll() is None
    assert graph.set_parameter('sweeps', 1).successful and graph.change_state(CONFIGURE)
