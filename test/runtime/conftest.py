"""A tiny detector-like model, right or wrong on purpose, as a bundle."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
import pytest

from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import write_bundle
from eq_core.runtime.bundle import seal
from eq_core.runtime.integrity import digest

sys.path.insert(0, str(Path(__file__).parent))  # for the stand-ins that several tests use

GRID = 8
PILLARS = 20
POINTS = 3
LAWS = {
    'pillar_points': {'kind': 'pillar_points', 'vector_columns': [[4, 5], [6, 7]]},
    'pillar_index': {'kind': 'pillar_index', 'height': GRID, 'width': GRID},
    'height': {'kind': 'invariant_field'},
    'offset': {'kind': 'vector_field', 'frequency': 1},
    'axis': {'kind': 'vector_field', 'frequency': 2},
}


@pytest.fixture
def tiny_inputs() -> dict[str, np.ndarray]:
    """Random pillars in random cells, without any symmetry."""
    return make_inputs(0)


def make_inputs(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    index = np.full(GRID * GRID, PILLARS, np.int64)
    index[random.choice(GRID * GRID, PILLARS, replace=False)] = np.arange(PILLARS)
    return {'pillar_points': random.normal(size=(PILLARS, POINTS, 8)).astype(np.float32),
            'pillar_index': index}


@pytest.fixture
def tiny_graph() -> Callable[..., bytes]:
    """Builds the graph; `fault` breaks it in a way that the name tells."""
    return make_graph


def make_graph(fault: str = '', scale: float = 0.5, opset: int = 20) -> bytes:
    onnx = pytest.importorskip('onnx')
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    node = helper.make_node
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, 1, 1] = 1.
    if fault == 'not_equivariant':
        kernel[0, 0, 1, 2] = 0.1  # looks towards +x only
    weights = {
        'scale': np.float32(scale), 'kernel': kernel, 'zero_row': np.zeros((1, 8), np.float32),
        'grid': np.array([1, 8, GRID, GRID]), 'two': np.float32(2.), 'zero': np.float32(0.)}
    nodes = [
        node('ReduceMean', ['pillar_points', 'axes'], ['mean'], keepdims=0),
        node('Mul', ['mean', 'scale'], ['scaled']),
        node('Concat', ['scaled', 'zero_row'], ['rows'], axis=0),
        node('Gather', ['rows', 'pillar_index'], ['cells'], axis=0),
        node('Transpose', ['cells'], ['columns'], perm=[1, 0]),
        node('Reshape', ['columns', 'grid'], ['canvas']),
        node('AveragePool', ['canvas'], ['pooled'], kernel_shape=[2, 2], strides=[2, 2]),
        node('Split', ['pooled', 'parts'], ['z', 'rest', 'd', 'ex', 'ey'], axis=1),
        node('Conv', ['z', 'kernel'], ['height'], pads=[1, 1, 1, 1]),
        node('Neg', ['ey'], ['minus_ey']),
        node('Concat', {'swapped_offset': ['ey', 'ex'], 'turning_only': ['minus_ey', 'ex']}.get(
            fault, ['ex', 'ey']), ['before' if fault == 'nan' else 'offset'], axis=1),
        node('Mul', ['ex', 'ex'], ['xx']), node('Mul', ['ey', 'ey'], ['yy']),
        node('Mul', ['ex', 'ey'], ['xy']), node('Mul', ['xy', 'two'], ['sin']),
        node('Sub', ['xx', 'yy'], ['cos']),
        node('Concat', ['cos', 'sin'], ['axis'], axis=1)]
    if fault == 'nan':
        nodes.append(node('Div', ['before', 'zero'], ['offset']))
    weights |= {'axes': np.array([1]), 'parts': np.array([1, 3, 2, 1, 1])}
    value = helper.make_tensor_value_info
    size, real = GRID // 2, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, 'tiny',
        [value('pillar_points', real, [PILLARS, POINTS, 8]),
         value('pillar_index', onnx.TensorProto.INT64, [GRID * GRID])],
        [value(name, real, [1, channels, size, size])
         for name, channels in (('height', 1), ('offset', 2), ('axis', 2))],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=10)
    return bytes(model.SerializeToString())


def tiny_reference(inputs: dict[str, np.ndarray], scale: float = 0.5) -> dict[str, np.ndarray]:
    """The right model, slow and obvious."""
    mean = inputs['pillar_points'].mean(1) * np.float32(scale)
    rows = np.concatenate([mean, np.zeros((1, 8), np.float32)])
    canvas = rows[inputs['pillar_index']].T.reshape(8, GRID // 2, 2, GRID // 2, 2)
    pooled = canvas.mean((2, 4))
    x, y = pooled[6], pooled[7]
    fields = {'height': [pooled[0]], 'offset': [x, y], 'axis': [x * x - y * y, 2 * x * y]}
    return {name: np.stack(field)[None].astype(np.float32) for name, field in fields.items()}


@pytest.fixture
def tiny_fields() -> dict[str, Any]:
    """The manifest's fields of a tiny bundle."""
    return {'name': 'tiny', 'task': 'test', 'group': {'name': 'C4', 'order': 4},
            'representations': LAWS, 'config': {'cell': 0.4}, 'classes': ['car'],
            'tolerance': {'fp32': {'golden': 1e-4, 'equivariance': 1e-4}}, 'opset': 20,
            'license': 'Apache-2.0', 'training': {'seed': 0}}


@pytest.fixture
def tiny_bundle(tmp_path: Path, tiny_fields: dict[str, Any]) -> Callable[..., Path]:
    """Writes a bundle whose golden outputs are the right model's or, with a fault, its own."""
    def make(name: str = 'tiny', fault: str = '', **fields: Any) -> Path:
        inputs = fields.pop('inputs', None) or make_inputs(0)
        graph = make_graph(fault)
        golden = tiny_reference(inputs)
        arguments = (graph, {'scale': np.array([0.5], np.float32)}, inputs)
        merged = {**tiny_fields, **fields}
        bundle = write_bundle(tmp_path / name, *arguments, golden, merged)
        if fault and fault != 'nan':  # only the symmetry shall be able to find the fault
            golden = open_session(bundle, accept=False).run(inputs)
            bundle = write_bundle(tmp_path / name, *arguments, golden, merged)
        return bundle.path
    return make


@pytest.fixture
def reseal() -> Callable[..., None]:
    """Makes hashes and checksum fit again after a file or a field was changed."""
    def seal_again(path: Path, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        body = json.loads((path / 'manifest.json').read_bytes())
        del body['checksum'], body['schema_version']
        body['sha256'] = {file.name: digest(file.read_bytes()) for file in path.iterdir()
                          if file.name != 'manifest.json'}
        if change:
            change(body)
        (path / 'manifest.json').write_bytes(seal(body))
    return seal_again


@pytest.fixture
def loaded(tiny_bundle: Callable[..., Path]) -> Bundle:
    """The right tiny bundle."""
    return Bundle.load(tiny_bundle())
