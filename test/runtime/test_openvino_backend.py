"""OpenVINO runs what the others run, refuses what it would get wrong, and tells nobody."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from eq_core.errors import BackendError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import OpenVinoBackend

pytest.importorskip('openvino', reason='OpenVINO missing')

Reseal = Callable[..., None]
OPEN = """
import sys
from eq_core.runtime import Bundle, open_session
open_session(Bundle.load(sys.argv[1]), ['openvino']).close()
assert 'openvino_telemetry' not in sys.modules
"""


def test_it_runs_an_accepted_model(loaded: Bundle, tiny_inputs: dict[str, np.ndarray]) -> None:
    with open_session(loaded, ['openvino']) as session:
        outputs = session.run(tiny_inputs)
        first = {name: value.copy() for name, value in outputs.items()}
        session.run({**tiny_inputs, 'pillar_points': 2 * tiny_inputs['pillar_points']})
        for name, value in loaded.golden()[1].items():
            np.testing.assert_allclose(outputs[name], value, atol=1e-6)
            np.testing.assert_array_equal(outputs[name], first[name])   # nobody else's memory
        stats = session.stats()
        assert stats['library'].startswith('openvino 20') and stats['equivariance_error'] < 1e-6
    with pytest.raises(BackendError, match='closed'):
        session.run(tiny_inputs)


def test_importing_it_reports_nothing_and_writes_nothing(loaded: Bundle, tmp_path: Path) -> None:
    home = tmp_path / 'home'
    home.mkdir()
    subprocess.run([sys.executable, '-c', OPEN, str(loaded.path)], check=True,
                   env={**os.environ, 'HOME': str(home)})
    assert not list(home.rglob('*'))


def test_a_missing_library_is_a_reason_and_the_next_backend_runs(
        loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    usable, reason = OpenVinoBackend().available()
    assert not usable and 'openvino cannot be imported' in reason
    session = open_session(loaded, ['openvino', 'onnxruntime'])
    assert session.backend == 'onnxruntime'
    assert session.notes == [f'openvino: {reason}']


def _graph(operator: str) -> bytes:
    onnx = pytest.importorskip('onnx')
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    value, integer = helper.make_tensor_value_info, onnx.TensorProto.INT64
    inputs, output, constants = [value('x', real, [1, 8, 8])], [1, 8, 8], []
    if operator == 'DFT':
        node, inputs, output = helper.make_node('DFT', ['x', '', 'axis'], ['y']), [
            value('x', real, [1, 8, 1])], [1, 8, 2]
        constants = [helper.make_tensor('axis', integer, [], [1])]
    elif operator == 'Pad':
        node, output = helper.make_node('Pad', ['x', 'pads'], ['y'], mode='wrap'), [1, 8, 10]
        constants = [helper.make_tensor('pads', integer, [6], [0, 0, 1, 0, 0, 1])]
    else:
        node, output = helper.make_node('GridSample', ['x', 'grid'], ['y']), [1, 2, 3, 3, 3]
        inputs = [value('x', real, [1, 2, 4, 4, 4]), value('grid', real, [1, 3, 3, 3, 3])]
    graph = helper.make_graph([node], 'one', inputs, [value('y', real, output)], constants)
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)],
                                   ir_version=10).SerializeToString())


@pytest.mark.parametrize(('operator', 'text'), [
    ('DFT', 'computes DFT of model.onnx wrongly'), ('Pad', 'cannot read model.onnx: .*wrap'),
    ('GridSample', 'cannot read model.onnx: .*GridSample')])
def test_graphs_that_it_would_get_wrong_are_refused(
        loaded: Bundle, reseal: Reseal, operator: str, text: str) -> None:
    (loaded.path / 'model.onnx').write_bytes(_graph(operator))
    reseal(loaded.path)
    with pytest.raises(BackendError, match=text):
        open_session(Bundle.load(loaded.path), ['openvino'])


def test_a_graph_with_other_tensors_than_the_manifest_is_refused(
        loaded: Bundle, reseal: Reseal) -> None:
    onnx = pytest.importorskip('onnx')
    graph = onnx.load_model(loaded.path / 'model.onnx')
    graph.graph.output[0].name, graph.graph.node[8].output[0] = 'altitude', 'altitude'
    (loaded.path / 'model.onnx').write_bytes(graph.SerializeToString())
    reseal(loaded.path)
    for backend in ('openvino', 'onnxruntime'):
        with pytest.raises(BackendError, match='outputs of the graph must be .*height.*altitude'):
            open_session(Bundle.load(loaded.path), [backend])


def test_junk_is_refused_in_words(loaded: Bundle, reseal: Reseal) -> None:
    (loaded.path / 'model.onnx').write_bytes(b'no graph at all')
    reseal(loaded.path)
    with pytest.raises(BackendError, match='openvino cannot read model.onnx'):
        open_session(Bundle.load(loaded.path), ['openvino'])
