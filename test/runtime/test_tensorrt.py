"""The adapter for TensorRT and TensorRT-RTX, on stand-ins for library and GPU."""

from __future__ import annotations

from dataclasses import replace
import gc
import json
from pathlib import Path
import sys
from types import ModuleType
from typing import Any

from fake_tensorrt import FakeCuda
from fake_tensorrt import make_trt
from fake_tensorrt import RTX_2080
from fake_tensorrt import RTX_3060
import numpy as np
import pytest

from eq_core.errors import BackendError
from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import PrepareSpec
from eq_core.runtime import SessionOptions
from eq_core.runtime import TensorRtBackend
from eq_core.runtime.engine_cache import EngineCache

Inputs = dict[str, np.ndarray]
KINDS = ('10.3', '11.4', 'rtx')
NEVER = SessionOptions('never')
FAULTS = {'parse': 'ScatterND', 'build': 'no kernel for Conv_3', 'deserialize': 'magic tag',
          'context': 'no execution context', 'address': 'address of pillar_points is refused',
          'execute': 'the engine failed', 'tensors': 'tensors of the engine must be'}


class Robot:
    """A machine with a GPU, a library and a folder of engines."""

    def __init__(self, folder: Path, kind: str = '10.3', device: Any = RTX_3060) -> None:
        self.faults: set[str] = set()
        self.cuda = FakeCuda(device)
        self.trt = make_trt(self.cuda, kind, self.faults)
        self.cache = EngineCache(folder)
        self.backend = TensorRtBackend('tensorrt_rtx' if kind == 'rtx' else 'tensorrt', self.trt,
                                       self.cuda, self.cache)

    @property
    def built(self) -> int:
        return self.trt.world.built


@pytest.fixture(params=KINDS)
def robot(request: pytest.FixtureRequest, tmp_path: Path) -> Robot:
    return Robot(tmp_path / 'engines', request.param)


def test_an_engine_is_built_accepted_and_run_and_then_found(
        robot: Robot, loaded: Bundle, tiny_inputs: Inputs, tmp_path: Path) -> None:
    expected = open_session(loaded, ['onnxruntime']).run(tiny_inputs)
    with open_session(loaded, [robot.backend]) as session:
        for factor in (np.float32(1), np.float32(2)):  # the second is another answer, the third
            scaled = {**tiny_inputs, 'pillar_points': factor * tiny_inputs['pillar_points']}
            answer = session.run(scaled)
            np.testing.assert_array_equal(answer['height'], factor * expected['height'])
        np.testing.assert_array_equal(session.run(tiny_inputs)['axis'], expected['axis'])
        stats = session.stats()
        assert stats['engine'] == 'built' and stats['gpu'] == 'RTX 3060' and not session.notes
        assert stats['golden_error'] < 1e-6 and stats['equivariance_error'] < 1e-6
        assert stats['library'] == f'{robot.backend.name} {robot.trt.__version__}'
    assert robot.cuda.held == {} and robot.built == 1
    again = Robot(robot.cache.files.path)
    again.trt, again.backend = robot.trt, TensorRtBackend(
        robot.backend.name, robot.trt, robot.cuda, again.cache)
    with open_session(loaded, [again.backend], options=NEVER) as session:
        assert session.stats()['engine'] == 'cached' and robot.built == 1
        assert session.stats()['engine_key'] == stats['engine_key']


def test_answers_are_the_callers_own(
        robot: Robot, loaded: Bundle, tiny_inputs: Inputs) -> None:
    session = open_session(loaded, [robot.backend])
    first = session.run(tiny_inputs)['height']
    copy = first.copy()
    session.run({**tiny_inputs, 'pillar_points': -tiny_inputs['pillar_points']})
    np.testing.assert_array_equal(first, copy)


def test_a_run_is_captured_by_the_library_or_by_us(robot: Robot, loaded: Bundle) -> None:
    session = open_session(loaded, [robot.backend])
    captured_by_us = robot.backend.name == 'tensorrt'
    assert ('begin_capture' in robot.cuda.calls) == captured_by_us
    robot.cuda.calls.clear()
    session.run(loaded.golden()[0])
    uploads = robot.cuda.calls.count('upload')
    assert (robot.cuda.calls.count('launch'), uploads) == ((1, 0) if captured_by_us else (0, 2))


@pytest.mark.parametrize('fault', ['begin_capture', 'end_capture'])
def test_without_a_graph_it_runs_all_the_same_and_says_so(
        tmp_path: Path, loaded: Bundle, tiny_inputs: Inputs, fault: str) -> None:
    robot = Robot(tmp_path)
    robot.cuda.faults.add(fault)
    with open_session(loaded, [robot.backend]) as session:
        assert session.notes == [f'runs without a CUDA graph: {fault}: cudaErrorIllegalAddress']
        expected = open_session(loaded, ['onnxruntime']).run(tiny_inputs)
        np.testing.assert_array_equal(session.run(tiny_inputs)['axis'], expected['axis'])


def test_a_session_that_is_forgotten_gives_the_memory_back(robot: Robot, loaded: Bundle) -> None:
    session = open_session(loaded, [robot.backend])
    assert robot.cuda.held
    del session
    gc.collect()
    assert robot.cuda.held == {}


@pytest.mark.parametrize('fault', FAULTS)
def test_every_failure_has_its_reason_and_leaves_nothing_behind(
        robot: Robot, loaded: Bundle, fault: str) -> None:
    robot.faults.add(fault)
    with pytest.raises(BackendError, match=FAULTS[fault]) as failed:
        open_session(loaded, [robot.backend])
    assert '\n' not in str(failed.value)
    gc.collect()
    assert robot.cuda.held == {}
    session = open_session(loaded, [robot.backend, 'onnxruntime'])
    assert session.backend == 'onnxruntime' and FAULTS[fault] in session.notes[0]
    with pytest.raises(BackendError, match=FAULTS[fault]):
        open_session(loaded, [robot.backend, 'onnxruntime'],
                     options=SessionOptions(allow_fallback=False))


@pytest.mark.parametrize('call', ['create_stream', 'allocate', 'allocate_pinned', 'upload',
                                  'download', 'synchronize'])
def test_a_gpu_that_fails_is_a_reason(robot: Robot, loaded: Bundle, call: str) -> None:
    robot.cuda.faults.add(call)
    with pytest.raises(BackendError, match=f'{call}: cudaErrorIllegalAddress'):
        open_session(loaded, [robot.backend])
    gc.collect()
    assert robot.cuda.held == {}


def test_a_gpu_that_fails_while_running_never_gives_an_answer(
        robot: Robot, loaded: Bundle, tiny_inputs: Inputs) -> None:
    session = open_session(loaded, [robot.backend])
    robot.cuda.faults.add('synchronize')
    for _ in range(3):
        with pytest.raises(BackendError, match='cudaErrorIllegalAddress'):
            session.run(tiny_inputs)
    assert session.stats()['failures'] == 3
    session.close()
    assert robot.cuda.held == {}


def test_an_engine_that_answers_wrongly_is_not_accepted(
        robot: Robot, loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCuda, 'launch', lambda *_: None)  # the answer before, once more
    monkeypatch.setattr(FakeCuda, 'download', lambda *_: None)
    with pytest.raises(BackendError, match='not accepted: golden error'):
        open_session(loaded, [robot.backend])
    assert robot.cuda.held == {}


def test_progress_is_told_and_a_listener_that_fails_stops_nothing(
        robot: Robot, loaded: Bundle) -> None:
    told: list[tuple[str, float]] = []

    def listen(text: str, part: float) -> None:
        told.append((text, part))
        raise ValueError('not my day')
    open_session(loaded, [robot.backend], options=SessionOptions(progress=listen))
    assert told == [('tiny', 0.5), ('tiny', 1.)] and robot.trt.world.monitored == [True] * 3
    assert robot.trt.world.flags == [7]  # TF32 is off


# --- what an engine hangs on ---------------------------------------------------------------

def other_gpu(robot: Robot) -> None:
    robot.cuda.gpu = replace(RTX_3060, name='RTX 3070')


def other_capability(robot: Robot) -> None:
    robot.cuda.gpu = RTX_2080


def other_driver(robot: Robot) -> None:
    robot.cuda.gpu = replace(RTX_3060, driver=13000)


def other_library(robot: Robot) -> None:
    robot.trt.__version__ += '.1'


@pytest.mark.parametrize(('change', 'field'), [
    (other_gpu, "gpu.name is 'RTX 3070'"), (other_capability, 'gpu.sm'),
    (other_driver, 'cuda.driver is 13000'), (other_library, 'backend.version')])
def test_another_machine_needs_another_engine(
        robot: Robot, loaded: Bundle, change: Any, field: str) -> None:
    open_session(loaded, [robot.backend]).close()
    change(robot)
    with pytest.raises(BackendError, match=f'build_policy never.*{field}'):
        open_session(loaded, [robot.backend], options=NEVER)
    session = open_session(loaded, [robot.backend])
    assert robot.built == 2 and field in session.notes[0]


def test_a_model_that_was_trained_on_needs_another_engine(
        robot: Robot, loaded: Bundle, tiny_graph: Any, reseal: Any) -> None:
    open_session(loaded, [robot.backend]).close()
    (loaded.path / 'model.onnx').write_bytes(tiny_graph(scale=0.500001))
    reseal(loaded.path)
    newer = Bundle.load(loaded.path)
    with pytest.raises(BackendError, match='build_policy never.*model.sha256'):
        open_session(newer, [robot.backend], options=NEVER)
    assert 'model.sha256' in open_session(newer, [robot.backend]).notes[0] and robot.built == 2


def test_a_damaged_engine_never_reaches_the_library(robot: Robot, loaded: Bundle) -> None:
    open_session(loaded, [robot.backend]).close()
    engine, = robot.cache.files.path.glob('*.engine')
    engine.write_bytes(engine.read_bytes()[:-1])
    with pytest.raises(BackendError, match='expected engine_sha256') as refused:
        open_session(loaded, [robot.backend], options=NEVER)
    assert 'magic' not in str(refused.value)
    session = open_session(loaded, [robot.backend])
    assert robot.built == 2 and 'expected engine_sha256' in session.notes[0]


def test_what_was_measured_or_compiled_is_kept_for_the_next_start(
        robot: Robot, loaded: Bundle) -> None:
    for policy in ('if_missing', 'never', 'always'):
        open_session(loaded, [robot.backend], options=SessionOptions(policy)).close()
    world = robot.trt.world
    assert world.kernels == ([b'kernels'] * 2 if robot.backend.name == 'tensorrt_rtx' else [])
    assert world.timing == ([] if robot.backend.name == 'tensorrt_rtx' else [b'', b'+'])


def test_engines_can_be_built_without_a_gpu_for_those_of_a_kind(
        tmp_path: Path, loaded: Bundle) -> None:
    host, robot = Robot(tmp_path, 'rtx', None), Robot(tmp_path, 'rtx')
    assert host.backend.targets() == ['7.5', '8.6']
    assert host.backend.available() == (
        False, 'no GPU can be used: cudaGetDeviceCount: cudaErrorNoDevice')
    engine = host.backend.build_ahead(loaded, PrepareSpec(), '8.6')
    assert host.trt.world.targets == [('SM86', 0)] and not engine.cached
    side_car = json.loads((tmp_path / f'{engine.key}.json').read_text())
    assert side_car['identity']['gpu'] == {'name': 'any', 'sm': '8.6'}
    with open_session(loaded, [robot.backend], options=NEVER) as session:
        assert session.stats()['engine_key'] == engine.key and robot.built == 0
    turing = Robot(tmp_path, 'rtx', RTX_2080)
    with pytest.raises(BackendError, match="gpu.sm is '7.5', that of the engine there is '8.6'"
                       ) as refused:
        open_session(loaded, [turing.backend], options=NEVER)
    assert 'any' not in str(refused.value)  # compared with what was built for a kind of GPU
    with pytest.raises(BackendError, match=r"ahead of time for \['7.5', '8.6'\], not for .* 9.0"):
        host.backend.build_ahead(loaded, PrepareSpec(), '9.0')
    hopper = Robot(tmp_path, 'rtx', replace(RTX_3060, capability='9.0'))
    with pytest.raises(BackendError, match='builds nothing for compute capability 9.0'):
        open_session(loaded, [hopper.backend])
    assert Robot(tmp_path).backend.targets() == []


# --- libraries that are missing or of no use -----------------------------------------------

@pytest.mark.parametrize('name', ['tensorrt', 'tensorrt_rtx'])
def test_a_library_that_is_missing_is_one_line(
        name: str, loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    backend = TensorRtBackend(name, cuda=FakeCuda())
    usable, reason = backend.available()
    assert not usable and f'{name} is not installed: ' in reason and 'pip install' in reason
    session = open_session(loaded, [name, 'onnxruntime'])
    assert session.backend == 'onnxruntime' and name in session.notes[0]


def test_a_library_that_cannot_be_loaded_or_is_too_old_is_one_line(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'tensorrt.py').write_text('raise OSError("libnvinfer.so.10:\\nnot found")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'tensorrt', raising=False)
    usable, reason = TensorRtBackend(cuda=FakeCuda()).available()
    assert not usable and 'cannot be imported: OSError: libnvinfer.so.10: not found' in reason
    old = ModuleType('tensorrt')
    old.__version__ = '8.6.1'  # type: ignore[attr-defined]
    assert TensorRtBackend(trt=old, cuda=FakeCuda()).available() == (
        False, 'tensorrt must be 10.3 or newer, got 8.6.1')


def test_types_that_the_library_does_not_know_are_named(robot: Robot, loaded: Bundle) -> None:
    first, *rest = loaded.manifest.inputs
    manifest = replace(loaded.manifest, inputs=(replace(first, dtype='float64'), *rest))
    problems = robot.backend.supports(replace(loaded, manifest=manifest))
    assert problems == ['pillar_points is float64, the library knows float32, int32, int64']
    robot.faults.add('parse')
    assert robot.backend.unsupported(loaded) == {
        'scatter_3': 'scatter_3 (ScatterND): reduction is not there'}


def test_a_precision_without_a_graph_is_refused(robot: Robot, loaded: Bundle) -> None:
    with pytest.raises(BackendError, match=r'expected model.fp16.onnx for fp16'):
        robot.backend.prepare(loaded, PrepareSpec('fp16'))


def test_a_user_without_a_folder_is_a_reason(
        loaded: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown() -> Path:
        raise RuntimeError('Could not determine home directory.')
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(Path, 'home', unknown)
    robot = Robot(tmp_path)
    backend = TensorRtBackend(trt=robot.trt, cuda=robot.cuda)
    session = open_session(loaded, [backend, 'onnxruntime'])
    assert session.backend == 'onnxruntime' and 'HOME' in session.notes[0]


def test_options_are_checked() -> None:
    for make in (SessionOptions, lambda policy: PrepareSpec(build_policy=policy)):
        with pytest.raises(ConfigError, match="build_policy must be one of .* got 'sometimes'"):
            make('sometimes')
    assert SessionOptions() == SessionOptions('if_missing', True)
    assert PrepareSpec().build_policy == 'if_missing'
