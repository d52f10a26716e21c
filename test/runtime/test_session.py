"""A session runs what fits the manifest and refuses the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from eq_core.errors import BackendError
from eq_core.errors import BundleError
from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.runtime import accept
from eq_core.runtime import Artifact
from eq_core.runtime import Bundle
from eq_core.runtime import equivariance_errors
from eq_core.runtime import examine
from eq_core.runtime import OnnxRuntimeBackend
from eq_core.runtime import open_session
from eq_core.runtime import PrepareSpec
from eq_core.runtime import Session
from eq_core.runtime import SymmetryGroup
from eq_core.runtime import TorchBackend
from eq_core.runtime.acceptance import relative_error

Make = Callable[..., Path]
Inputs = dict[str, np.ndarray]


class FakeBackend:
    """A backend that answers what it is told to."""

    def __init__(self, name: str = 'fake', available: tuple[bool, str] = (True, ''),
                 problems: tuple[str, ...] = (), execute: Any = None) -> None:
        self.name = name
        self._available, self._problems, self._execute = available, list(problems), execute

    def available(self) -> tuple[bool, str]:
        return self._available

    def supports(self, bundle: Bundle) -> list[str]:
        return self._problems

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        return Artifact(bundle, spec)

    def load(self, artifact: Artifact) -> Session:
        golden = list(artifact.bundle.golden()[1].values())
        return Session(artifact.bundle.manifest, self.name,
                       self._execute or (lambda inputs: golden))


def test_onnx_runtime_runs_an_accepted_model(loaded: Bundle, tiny_inputs: Inputs) -> None:
    with open_session(loaded, ['onnxruntime']) as session:
        outputs = session.run(tiny_inputs)
        golden = loaded.golden()[1]
        assert session.backend == 'onnxruntime' and session.notes == []
        assert list(outputs) == list(golden)
        for name, value in golden.items():
            np.testing.assert_allclose(outputs[name], value, atol=1e-6)
        stats = session.stats()
        assert stats['golden_error'] < 1e-6 and stats['equivariance_error'] < 1e-6
        assert stats['failures'] == 0 and stats['runs'] > 0 and stats['latency_p99_ms'] > 0
        assert stats['library'].startswith('onnxruntime ')
    with pytest.raises(BackendError, match='closed'):
        session.run(tiny_inputs)
    session.close()


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', range(4))
def test_the_right_model_obeys_every_element(loaded: Bundle, turns: int, mirror: bool) -> None:
    session = open_session(loaded, accept=False)
    errors = equivariance_errors(session, loaded.golden()[0], [(turns, mirror)])
    assert max(errors.values()) < 1e-6


@pytest.mark.parametrize(('fault', 'output'), [('not_equivariant', 'height'),
                                               ('swapped_offset', 'offset')])
def test_a_model_that_breaks_its_symmetry_is_refused(
        tiny_bundle: Make, fault: str, output: str) -> None:
    bundle = Bundle.load(tiny_bundle(fault=fault))
    report = examine(open_session(bundle, accept=False), bundle)
    assert report.golden_error < 1e-6 and report.equivariance_error > 1e-2 and not report.ok
    with pytest.raises(BackendError, match=f'equivariance error .* exceeds .*{output}'):
        open_session(bundle)


def test_the_trivial_group_promises_nothing(tiny_bundle: Make) -> None:
    path = tiny_bundle(fault='not_equivariant', group={'name': 'C1', 'order': 1})
    bundle = Bundle.load(path)
    report = accept(open_session(bundle, accept=False), bundle)
    assert report.ok and report.equivariance_error is None


@pytest.mark.parametrize(('name', 'order', 'turns'), [
    ('C1', 1, []), ('C2', 2, [2]), ('C3', 3, []), ('C4', 4, [1, 2, 3]), ('C6', 6, [2]),
    ('C8', 8, [1, 2, 3]), ('D1', 2, []), ('D2', 4, [2]), ('D4', 8, [1, 2, 3])])
def test_a_group_is_probed_where_the_grid_carries_it(name: str, order: int, turns: list) -> None:
    expected = {(turn, False) for turn in turns}
    if name.startswith('D'):
        expected |= {(turn, True) for turn in [0, *turns]}
    elements = SymmetryGroup(name, order).grid_elements()
    assert set(elements) == expected and len(elements) == len(expected)


def test_a_model_that_mirrors_wrongly_is_refused(tiny_bundle: Make) -> None:
    bundle = Bundle.load(tiny_bundle(fault='turning_only'))
    assert open_session(bundle).stats()['equivariance_error'] < 1e-6
    bundle = Bundle.load(tiny_bundle(fault='turning_only', group={'name': 'D4', 'order': 8}))
    with pytest.raises(BackendError, match='equivariance error .* exceeds .*offset'):
        open_session(bundle)


def test_an_example_that_shows_nothing_is_refused(tiny_bundle: Make, tiny_inputs: Inputs) -> None:
    inputs = {name: np.zeros_like(array) for name, array in tiny_inputs.items()}
    bundle = Bundle.load(tiny_bundle(inputs=inputs))
    with pytest.raises(BackendError, match='looks the same when it is turned'):
        open_session(bundle)


def test_another_answer_than_the_golden_one_is_refused(
        loaded: Bundle, reseal: Callable[..., None], tiny_graph: Callable[..., bytes]) -> None:
    (loaded.path / 'model.onnx').write_bytes(tiny_graph(scale=0.501))
    reseal(loaded.path)
    with pytest.raises(BackendError, match='golden error 0.00.* exceeds 0.0001'):
        open_session(Bundle.load(loaded.path))


def test_an_output_that_is_not_finite_is_never_returned(
        tiny_bundle: Make, tiny_inputs: Inputs) -> None:
    bundle = Bundle.load(tiny_bundle(fault='nan'))
    with pytest.raises(BackendError, match='offset must be finite, got .* NaN'):
        open_session(bundle)
    session = open_session(bundle, accept=False)
    with pytest.raises(OutputError, match='offset must be finite'):
        session.run(tiny_inputs)
    assert session.stats()['failures'] == 1


@pytest.mark.parametrize(('answer', 'text'), [
    (lambda golden: golden[:-1], '3 outputs'),
    (lambda golden: [golden[0][..., :-1], *golden[1:]], 'height must be'),
    (lambda golden: [golden[0].astype(np.float64), *golden[1:]], 'height must be float32'),
    (lambda golden: [None, *golden[1:]], 'height must be an array'),
    (lambda golden: [np.full_like(golden[0], np.inf), *golden[1:]], 'height must be finite'),
])
def test_an_output_of_the_wrong_form_is_never_returned(
        loaded: Bundle, tiny_inputs: Inputs, answer: Callable, text: str) -> None:
    golden = list(loaded.golden()[1].values())
    session = Session(loaded.manifest, 'fake', lambda inputs: answer(golden))
    with pytest.raises(OutputError, match=text):
        session.run(tiny_inputs)


@pytest.mark.parametrize(('change', 'text'), [
    (lambda inputs: inputs.pop('pillar_index'), 'inputs must be'),
    (lambda inputs: inputs.update(more=np.zeros(1)), 'inputs must be'),
    (lambda inputs: inputs.update(pillar_index=np.zeros(64, np.int32)), 'must be int64'),
    (lambda inputs: inputs.update(pillar_index=np.zeros(63, np.int64)), r'got int64 \(63,\)'),
    (lambda inputs: inputs.update(pillar_index=[0] * 64), 'got list'),
])
def test_an_input_that_does_not_fit_is_refused(
        loaded: Bundle, tiny_inputs: Inputs, change: Callable, text: str) -> None:
    session = open_session(loaded)
    change(tiny_inputs)
    with pytest.raises(InputError, match=text):
        session.run(tiny_inputs)


def test_inputs_need_not_be_contiguous(loaded: Bundle, tiny_inputs: Inputs) -> None:
    session = open_session(loaded)
    expected = session.run(tiny_inputs)
    tiny_inputs['pillar_points'] = np.asfortranarray(tiny_inputs['pillar_points'])
    np.testing.assert_array_equal(session.run(tiny_inputs)['height'], expected['height'])


def test_a_failure_of_the_library_is_one_line(loaded: Bundle, tiny_inputs: Inputs) -> None:
    tiny_inputs['pillar_index'][0] = 1000  # no such pillar: Gather refuses it
    with pytest.raises(BackendError, match='onnxruntime failed') as caught:
        open_session(loaded, ['onnxruntime']).run(tiny_inputs)
    assert '\n' not in str(caught.value)


def test_backends_are_tried_in_order_and_skips_are_told(loaded: Bundle) -> None:
    def broken(inputs: Inputs) -> list:
        raise RuntimeError('out of memory')
    golden = list(loaded.golden()[1].values())
    backends = [FakeBackend('absent', (False, 'no such library')),
                FakeBackend('poor', problems=('no Gather', 'no Conv')),
                FakeBackend('broken', execute=broken),
                FakeBackend('wrong', execute=lambda inputs: [2 * value for value in golden]),
                FakeBackend('infinite', execute=lambda inputs: [value / 0 for value in golden]),
                'onnxruntime', FakeBackend('never')]
    with np.errstate(all='ignore'):
        session = open_session(loaded, backends)
        assert session.backend == 'onnxruntime'
        expected = ['absent: no such library', 'poor: no Gather; no Conv',
                    'broken: broken failed: RuntimeError: out of memory', 'wrong: ', 'infinite: ']
        assert len(session.notes) == len(expected)
        for note, start in zip(session.notes, expected, strict=True):
            assert note.startswith(start)
        with pytest.raises(BackendError) as caught:
            open_session(loaded, backends[:5])
    for start in expected:
        assert start in str(caught.value)


@pytest.mark.parametrize('backends', [[], 'onnxruntime', ['onnxruntime', 'magic']])
def test_a_list_of_backends_that_is_none_is_refused(loaded: Bundle, backends: Any) -> None:
    with pytest.raises(ConfigError, match='onnxruntime'):
        open_session(loaded, backends)


@pytest.mark.parametrize('threads', [0, -1, 1.5, True, 1000, '2'])
def test_threads_out_of_range_are_refused(loaded: Bundle, threads: Any) -> None:
    with pytest.raises(ConfigError, match='threads'):
        open_session(loaded, threads=threads)


def test_a_missing_library_is_a_reason(loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(BackendError, match='onnxruntime cannot be imported'):
        open_session(loaded, ['onnxruntime'])


@pytest.mark.parametrize(('change', 'text'), [
    (lambda body: body['outputs'].reverse(), None),
    (lambda body: body.update(opset=99), 'opset 99 is newer'),
])
def test_the_manifest_may_order_but_not_stretch(
        loaded: Bundle, reseal: Callable[..., None], change: Callable, text: str | None) -> None:
    reseal(loaded.path, change)
    if text is None:
        open_session(Bundle.load(loaded.path))
    else:
        with pytest.raises(BackendError, match=text):
            open_session(Bundle.load(loaded.path))


def test_a_graph_that_is_not_the_manifests_is_refused(
        loaded: Bundle, reseal: Callable[..., None], tiny_graph: Callable[..., bytes]) -> None:
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(tiny_graph())
    model.graph.output.pop()
    for graph, text in ((model.SerializeToString(), 'outputs of the graph must be'),
                        (b'junk', 'onnxruntime cannot load model.onnx')):
        (loaded.path / 'model.onnx').write_bytes(graph)
        reseal(loaded.path)
        with pytest.raises(BackendError, match=text):
            open_session(Bundle.load(loaded.path))


def test_weights_outside_the_graph_are_never_read(
        loaded: Bundle, reseal: Callable[..., None], tiny_graph: Callable[..., bytes],
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip('onnx')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'weights.bin').write_bytes(bytes(1 << 16))
    model = onnx.load_from_string(tiny_graph())
    kernel = next(item for item in model.graph.initializer if item.name == 'kernel')
    kernel.ClearField('raw_data')
    kernel.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (('location', 'weights.bin'), ('offset', '0'), ('length', '36')):
        kernel.external_data.add(key=key, value=value)
    (loaded.path / 'model.onnx').write_bytes(model.SerializeToString())
    reseal(loaded.path)
    with pytest.raises(BackendError, match='no backend can run'):
        open_session(Bundle.load(loaded.path))


def test_a_bundle_altered_after_loading_is_refused(loaded: Bundle) -> None:
    with (loaded.path / 'model.onnx').open('ab') as file:
        file.write(b'x')
    with pytest.raises(BundleError, match='sha256'):
        open_session(loaded)


def test_a_precision_that_is_not_there_is_refused(loaded: Bundle) -> None:
    with pytest.raises(BackendError, match=r'model\.int8\.onnx'):
        OnnxRuntimeBackend().prepare(loaded, PrepareSpec('int8'))
    with pytest.raises(ConfigError, match='precision'):
        PrepareSpec('fp4')
    session = Session(loaded.manifest, 'fake', lambda inputs: [], 'int8')
    with pytest.raises(BackendError, match='no tolerance for int8'):
        examine(session, loaded)


def test_a_node_with_onnx_runtime_does_not_import_torch(loaded: Bundle) -> None:
    script = ('import sys; from eq_core.runtime import Bundle, open_session; '
              f'open_session(Bundle.load({str(loaded.path)!r})); '
              'sys.exit("torch" in sys.modules)')
    subprocess.run([sys.executable, '-c', script], check=True, timeout=240,
                   cwd=Path(__file__).parents[2])


def test_relative_error_of_nothing_is_absolute() -> None:
    zero = np.zeros(3, np.float32)
    assert relative_error(zero, zero) == 0.
    assert relative_error(zero + 2, zero) == 2.
    assert relative_error(np.array([1., 5.]), np.array([1., 4.])) == 0.25


def tiny_module(manifest: Any) -> Any:
    """The torch twin of the tiny graph."""
    torch = pytest.importorskip('torch')

    class Tiny(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.zeros(1))

        def forward(self, points: Any, index: Any) -> dict[str, Any]:
            mean = points.mean(1) * self.scale
            rows = torch.cat([mean, torch.zeros(1, 8)])
            size = int(len(index) ** 0.5)
            canvas = rows[index].T.reshape(1, 8, size, size)
            pooled = torch.nn.functional.avg_pool2d(canvas, 2)
            x, y = pooled[:, 6:7], pooled[:, 7:8]
            return {'axis': torch.cat([x * x - y * y, 2 * x * y], 1), 'height': pooled[:, :1],
                    'offset': pooled[:, 6:8]}
    return Tiny()


def test_torch_gives_the_answer_of_onnx_runtime(loaded: Bundle, tiny_inputs: Inputs) -> None:
    pytest.importorskip('torch')
    reference = open_session(loaded, [TorchBackend(tiny_module)])
    assert reference.backend == 'torch'
    expected, answer = reference.run(tiny_inputs), open_session(loaded).run(tiny_inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(answer[name], value, atol=1e-6)


@pytest.mark.parametrize('name', ['other', 'scale'])
def test_weights_of_another_architecture_are_refused(
        loaded: Bundle, reseal: Callable[..., None], name: str) -> None:
    pytest.importorskip('torch')
    safetensors = pytest.importorskip('safetensors.numpy')
    safetensors.save_file({name: np.zeros(2, np.float32)}, loaded.path / 'model.safetensors')
    reseal(loaded.path)
    with pytest.raises(BackendError, match='torch cannot load') as caught:
        open_session(Bundle.load(loaded.path), [TorchBackend(tiny_module)])
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('entry', [
    None, 'os:system', 'eq_evil.model:build', 'eq_core:build', 'eq_core.x.y', 'eq_core..x:y',
    'eq_perception.model:a.b', 5])
def test_a_manifest_cannot_name_foreign_code(
        loaded: Bundle, reseal: Callable[..., None], entry: Any) -> None:
    reseal(loaded.path, lambda body: body['config'].update(torch_model=entry))
    with pytest.raises(BackendError, match='torch_model must name a function of our packages'):
        open_session(Bundle.load(loaded.path), ['torch'])


def test_a_model_that_is_not_there_is_refused(
        loaded: Bundle, reseal: Callable[..., None]) -> None:
    pytest.importorskip('torch')
    reseal(loaded.path,
           lambda body: body['config'].update(torch_model='eq_core.no_such_module:build'))
    with pytest.raises(BackendError, match='No module named'):
        open_session(Bundle.load(loaded.path), ['torch'])
