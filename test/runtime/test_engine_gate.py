"""Every shipped model is parsed and built by the real TensorRT-RTX, which needs no GPU for that.

Nothing is run here: that an engine answers rightly is for its acceptance to find, on a GPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('tensorrt_rtx', reason='tensorrt-rtx-cu13 is not installed')

from eq_core.errors import BackendError
from eq_core.runtime import Bundle
from eq_core.runtime import PrepareSpec
from eq_core.runtime import TensorRtBackend
from eq_core.runtime.engine_cache import EngineCache
from eq_core.runtime.manifest import GRAPHS

MODELS = Path(__file__).parents[2] / 'models'
BUNDLES = sorted(path.parent.relative_to(MODELS).as_posix() for path in (
    *MODELS.glob('*/model.onnx'), *MODELS.glob('*/crop/model.onnx'),
    *MODELS.glob('*/scene/model.onnx')))
MADE = [(name, precision) for name in BUNDLES for precision, file in GRAPHS.items()
        if (MODELS / name / file).is_file()]


@pytest.fixture
def backend(tmp_path: Path) -> TensorRtBackend:
    return TensorRtBackend('tensorrt_rtx', cache=EngineCache(tmp_path / 'engines'))


@pytest.mark.parametrize(('name', 'precision'), MADE)
def test_a_shipped_model_is_built_for_a_gpu_that_is_not_here(
        backend: TensorRtBackend, name: str, precision: str) -> None:
    bundle = Bundle.load(MODELS / name)
    assert backend.unsupported(bundle, precision) == {}
    engine = backend.build_ahead(bundle, PrepareSpec(precision), '8.6')
    # The weights are in it, whatever the library makes of the rest.
    assert len(engine.data) > sum(array.nbytes for array in bundle.weights().values()) // 4
    again = backend.build_ahead(bundle, PrepareSpec(precision, build_policy='never'), '8.6')
    assert again.cached and again.data == engine.data


@pytest.mark.parametrize('capability', ['8.0', '8.9', '12.0'])
def test_the_detector_is_built_for_ampere_and_newer(
        backend: TensorRtBackend, capability: str) -> None:
    told: list[float] = []
    spec = PrepareSpec(progress=lambda text, part: told.append(part))
    engine = backend.build_ahead(Bundle.load(MODELS / 'lidar_detector'), spec, capability)
    assert not engine.cached and all(0. < part <= 1. for part in told)


def test_a_kind_of_gpu_that_cannot_run_the_model_is_refused_with_the_node(
        backend: TensorRtBackend) -> None:
    """TensorRT-RTX 1.7 has no matrix product in fp32 for Turing."""
    with pytest.raises(BackendError, match="cannot be built: .*'node_linear' for Turing"):
        backend.build_ahead(Bundle.load(MODELS / 'lidar_detector'), PrepareSpec(), '7.5')
    crop = Bundle.load(MODELS / 'kit' / 'crop')
    assert backend.build_ahead(crop, PrepareSpec(), '7.5').data


def test_a_gpu_that_the_library_does_not_know_is_refused(backend: TensorRtBackend) -> None:
    with pytest.raises(BackendError, match='not for compute capability 9.0'):
        backend.build_ahead(Bundle.load(MODELS / 'lidar_detector'), PrepareSpec(), '9.0')


@pytest.mark.parametrize('operator', ['ScatterND', 'NonZero'])
def test_a_node_that_the_library_does_not_know_is_named(
        backend: TensorRtBackend, operator: str, loaded: Bundle, reseal) -> None:
    onnx = pytest.importorskip('onnx')
    model = onnx.load(loaded.path / 'model.onnx')
    node = (onnx.helper.make_node('NonZero', ['pillar_points'], ['unused'], 'the_bad_node')
            if operator == 'NonZero' else onnx.helper.make_node(
                'ScatterND', ['pillar_points', 'at', 'update'], ['unused'], 'the_bad_node',
                reduction='add'))
    model.graph.node.append(node)
    model.graph.initializer.extend([
        onnx.numpy_helper.from_array(array, name) for name, array in (
            ('at', np.zeros((1, 1), 'int64')),
            ('update', np.zeros((1, 3, 8), 'float32')))])
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info('unused'))
    (loaded.path / 'model.onnx').write_bytes(model.SerializeToString())
    reseal(loaded.path)
    bundle = Bundle.load(loaded.path)
    problems = backend.unsupported(bundle)
    assert list(problems) == ['the_bad_node'] and operator in problems['the_bad_node']
    with pytest.raises(BackendError, match='the graph cannot be parsed.*the_bad_node'):
        backend.build_ahead(bundle, PrepareSpec(), '8.6')
