"""The live node with an engine: built, found again, refused, built only, and interrupted."""

from __future__ import annotations

from pathlib import Path
import signal

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from fake_gpu_detector import FAULT
from fake_gpu_detector import STARTED
from graph import ACTIVATE
from graph import cloud
from graph import CONFIGURE
from graph import Graph
from graph import PATIENCE

SCRIPT = 'fake_gpu_detector.py'
ALONE = ('-p', 'heading_model_path:=none')      # one model, one engine
GPU = ('-p', 'backends:=[tensorrt]', *ALONE)
EITHER = ('-p', 'backends:=[tensorrt, onnxruntime]', *ALONE)


@pytest.fixture(autouse=True)
def engines(graph: Graph, tmp_path: Path) -> Path:
    """Folder of the engines of the node under test."""
    graph.environment['XDG_CACHE_HOME'] = str(tmp_path / 'cache')
    return tmp_path / 'cache' / 'eq_stack' / 'engines'


def test_an_engine_is_built_once_and_the_diagnostics_say_so(graph: Graph, engines: Path) -> None:
    graph.start(*GPU, script=SCRIPT)
    graph.wait_active()
    assert 'building the engine of lidar_detector: 100%' in graph.log()
    assert any('building the engine' in report.message for report in graph.reports)
    graph.wait(lambda: graph.reports[-1].message == 'active', 'nothing is built any more')
    assert graph.values['backend'] == 'tensorrt' and graph.values['engine'] == 'built'
    assert [graph.values['engine_key']] == [file.stem for file in engines.glob('*.engine')]
    graph.send_each([cloud(count=500)])
    assert graph.count('published') == 1 and graph.balance() == 0
    graph.start(*GPU, '-p', 'build_policy:=never', '-r', '__node:=second', script=SCRIPT,
                name='/second')
    graph.wait_active()
    graph.wait(lambda: graph.values.get('engine') == 'cached', 'found')


def test_the_second_look_has_an_engine_of_its_own(graph: Graph, engines: Path) -> None:
    graph.start('-p', 'backends:=[tensorrt]', script=SCRIPT)
    graph.wait_active()
    for name in ('lidar_detector', 'heading_estimator'):
        assert f'building the engine of {name}: 100%' in graph.log()
    assert len(list(engines.glob('*.engine'))) == 2
    graph.send_each([cloud(count=500)])
    assert graph.count('published') == 1 and graph.balance() == 0


def test_without_an_engine_and_leave_to_build_one_the_node_says_what_it_does(
        graph: Graph, engines: Path) -> None:
    never = ('-p', 'build_policy:=never')
    graph.start(*EITHER, *never, script=SCRIPT)
    graph.wait_active()
    text = 'tensorrt: no engine may be built (build_policy never): there is no engine of'
    assert graph.wait_report(text).level >= b'\x01'
    assert graph.values['backend'] == 'onnxruntime' and text in graph.log()
    process = graph.start(*EITHER, *never, '-r',
                          '__node:=second', '-p', 'allow_fallback:=false', script=SCRIPT,
                          name='/second')
    graph.wait(lambda: 'configure failed' in graph.log(), 'refused')
    assert graph.state() == 'unconfigured' and process.poll() is None
    assert 'Traceback' not in graph.log() and not list(engines.glob('*.engine'))
    assert graph.set_parameter('build_policy', 'if_missing').successful
    assert not graph.set_parameter('build_policy', 'sometimes').successful
    assert graph.change_state(CONFIGURE) and graph.change_state(ACTIVATE)
    graph.wait(lambda: graph.values.get('engine') == 'built', 'built')


def test_a_process_that_is_to_build_only_ends_by_itself(graph: Graph, engines: Path) -> None:
    only = (*GPU, '-p', 'build_only:=true', '-p', 'autostart:=false')
    for engine in ('built', 'cached'):
        process = graph.start(*only, script=SCRIPT)
        assert process.wait(PATIENCE) == 0
        assert f'build_only: the model can be opened (backend tensorrt, engine {engine}' in (
            graph.log())
    process = graph.start(*only, '-p', 'build_policy:=never', '-p', 'threads:=0', script=SCRIPT)
    assert process.wait(PATIENCE) == 1
    assert 'Traceback' not in graph.log() and len(list(engines.glob('*.engine'))) == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_in_the_middle_of_a_build(
        graph: Graph, engines: Path, tmp_path: Path, number: signal.Signals) -> None:
    started = tmp_path / 'started'
    graph.environment[STARTED] = str(started)
    process = graph.start(*GPU, script=SCRIPT)
    graph.wait(started.exists, 'the build begins')
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0
    assert 'Traceback' not in graph.log()
    assert [file.name for file in engines.iterdir()] == ['lock']
    del graph.environment[STARTED]
    graph.start(*GPU, script=SCRIPT)
    graph.wait_active()
    graph.wait(lambda: graph.values.get('engine') == 'built', 'the lock was let go')


def fail_ten_times(graph: Graph) -> None:
    """Sends clouds until the node does something about it."""
    before = graph.count('dropped.backend')
    graph.send_each([cloud(count=500) for _ in range(10)])
    assert graph.count('dropped.backend') == before + 10


def test_a_gpu_that_dies_while_running_is_replaced_by_the_next_backend(graph: Graph) -> None:
    graph.environment[FAULT] = 'dies'
    graph.start(*EITHER, script=SCRIPT)
    graph.wait_active()
    fail_ten_times(graph)
    graph.wait(lambda: graph.values.get('backend') == 'onnxruntime', 'the next backend')
    graph.wait_active()
    assert graph.wait_report('after repeated failures of tensorrt').level >= b'\x01'
    graph.send_each([cloud(count=500)])
    assert graph.count('published') == 1 and graph.balance() == 0
    assert 'Traceback' not in graph.log()


def test_a_gpu_that_fails_again_and_again_is_tried_twice(graph: Graph) -> None:
    graph.environment[FAULT] = 'fails'
    graph.start(*EITHER, script=SCRIPT)
    graph.wait_active()
    fail_ten_times(graph)
    graph.wait_report('after repeated failures of tensorrt')
    graph.wait_active()
    assert graph.values['backend'] == 'tensorrt' and graph.values['engine'] == 'cached'
    fail_ten_times(graph)
    graph.wait(lambda: graph.values.get('backend') == 'onnxruntime', 'the next backend')
    graph.wait_active()
    graph.send_each([cloud(count=500)])
    assert graph.count('published') == 1 and graph.balance() == 0


def test_without_another_backend_the_node_deactivates_itself(graph: Graph) -> None:
    graph.environment[FAULT] = 'fails'
    graph.start(*GPU, script=SCRIPT)
    graph.wait_active()
    fail_ten_times(graph)
    graph.wait_report('after repeated failures of tensorrt')
    graph.wait_active()
    fail_ten_times(graph)
    graph.wait(lambda: 'deactivated after repeated failures' in graph.log(), 'gave up')
    assert graph.state() == 'inactive' and graph.count('published') == 0
    assert graph.change_state(ACTIVATE)
