"""The live node with the real model loader: a good bundle works, a bad one is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import pickle
import shutil

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('torch', reason='needs torch to export a model of random weights')
pytest.importorskip('onnxscript', reason='needs onnxscript to export a model')

from graph import ACTIVATE
from graph import CLEANUP
from graph import cloud
from graph import CONFIGURE
from graph import Graph

from eq_core.geometry.points import Points
from eq_perception.detection.config import DetectorConfig

CONFIG = DetectorConfig(point_cloud_range=6.4, max_pillars=900, points_per_pillar=4,
                        channels=(4, 4, 4, 6, 4), depth=(1, 1, 1), score_threshold=0.)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detector of random weights."""
    import torch

    from eq_eval.training.export import export_detector
    from eq_perception.detection.model import BevDetector
    torch.manual_seed(0)
    scan = Points.from_xyz(np.random.default_rng(0).uniform(-6, 6, (500, 3)))
    path = tmp_path_factory.mktemp('model') / 'lidar_detector'
    return Path(export_detector(BevDetector(CONFIG).eval(), path, scan, 'random', {}, '').path)


def flipped_byte(path: Path) -> None:
    data = bytearray((path / 'model.onnx').read_bytes())
    data[len(data) // 2] ^= 1
    (path / 'model.onnx').write_bytes(data)


def truncated(path: Path) -> None:
    data = (path / 'model.safetensors').read_bytes()
    (path / 'model.safetensors').write_bytes(data[:len(data) // 2])


def pickled(path: Path) -> None:
    (path / 'model.safetensors').write_bytes(pickle.dumps({'weight': [1.]}))


def without_weights(path: Path) -> None:
    (path / 'model.onnx').unlink()


def without_manifest(path: Path) -> None:
    (path / 'manifest.json').unlink()


FAULTS = (flipped_byte, truncated, pickled, without_weights, without_manifest)


def spoil(bundle: Path, target: Path, fault: Callable[[Path], None]) -> Path:
    """A copy of the bundle with a fault."""
    shutil.copytree(bundle, target)
    fault(target)
    return target


def test_bad_bundles_are_refused_in_one_line_and_a_good_one_detects(
        graph: Graph, bundle: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / 'checkpoint.pth'
    checkpoint.write_bytes(pickle.dumps([1]))
    paths = [spoil(bundle, tmp_path / fault.__name__, fault) for fault in FAULTS]
    paths += [checkpoint, tmp_path / 'absent']
    process = graph.start('-p', 'autostart:=false', script='eq_perception.nodes.lidar_detector')
    for number, path in enumerate(paths, start=1):
        assert graph.set_parameter('model_path', str(path)).successful
        assert not graph.change_state(CONFIGURE), path
        lines = [line for line in graph.log().splitlines() if 'ERROR' in line]
        assert len(lines) == number, lines
        assert 'configure failed' in lines[-1] and str(path) in lines[-1]
    assert 'Traceback' not in graph.log() and process.poll() is None
    assert 'pickle' in graph.log()
    graph.set_parameter('model_path', str(bundle))
    graph.set_parameter('backends', ['no_such_backend'])
    assert not graph.change_state(CONFIGURE)
    graph.set_parameter('backends', ['onnxruntime'])
    assert graph.change_state(CONFIGURE) and graph.change_state(ACTIVATE)
    graph.wait_active()
    graph.input.publish(cloud(count=500, stamp=123, frame_id='roof'))
    graph.wait(lambda: graph.count('published') == 1, 'answer')
    assert graph.balance() == 0 and graph.values['backend'] == 'onnxruntime'
    graph.wait(lambda: graph.markers, 'markers')
    assert graph.markers[0].markers[0].header.frame_id == 'roof'
    assert graph.state() == 'active' and not graph.change_state(CLEANUP)
