"""The exported detector, whatever its weights, obeys its law and is accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import BackendError
from eq_core.geometry.points import Points
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import write_bundle
from eq_eval.cli.verify import verify_bundle
from eq_perception.detection.config import DetectorConfig

torch = pytest.importorskip('torch')
pytest.importorskip('onnxscript')

CONFIG = DetectorConfig(point_cloud_range=6.4, max_pillars=900, points_per_pillar=4,
                        channels=(4, 4, 4, 6, 4), depth=(1, 1, 1))


def export(path: Path, config: DetectorConfig) -> Bundle:
    """A bundle of random weights with a random scan as its example."""
    from eq_eval.training.export import export_detector
    from eq_perception.detection.model import BevDetector
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    xyz = np.column_stack([random.uniform(-6, 6, (3000, 2)), random.exponential(.5, 3000) - 1.7])
    scan = Points.from_xyz(xyz, random.uniform(size=3000))
    return export_detector(BevDetector(config).eval(), path, scan, 'random', {'seed': 0}, '')


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A C4 detector of random weights."""
    return export(tmp_path_factory.mktemp('exported') / 'c4', CONFIG)


@pytest.mark.parametrize('backend', ['onnxruntime', 'torch'])
def test_the_exported_graph_obeys_its_law(exported: Bundle, backend: str) -> None:
    result = verify_bundle(exported.path, backend)
    assert result['problems'] == []
    assert result['ok'] is True
    assert result['equivariance_error'] < 1e-5
    assert result['golden_error'] < 1e-5


def test_a_plain_network_cannot_pass_for_an_equivariant_one(
        tmp_path: Path, exported: Bundle) -> None:
    plain = export(tmp_path / 'plain', DetectorConfig.from_dict(
        {**exported.manifest.config, 'group': 'C1'}))
    assert open_session(plain, ['onnxruntime']).backend == 'onnxruntime'
    fields = plain.fields() | {'group': {'name': 'C4', 'order': 4}}
    false = write_bundle(tmp_path / 'false', plain.read('model.onnx'), plain.weights(),
                         *plain.golden(), fields)
    with pytest.raises(BackendError, match='equivariance error'):
        open_session(false)
