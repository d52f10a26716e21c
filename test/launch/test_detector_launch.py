"""The launch file with the real ROS launch: names, topics, an orderly end, and a come-back."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('launch_ros', reason='needs ROS launch, which is in no package registry')
packages = pytest.importorskip('ament_index_python.packages')
try:
    packages.get_package_share_directory('eq_stack')
except (packages.PackageNotFoundError, OSError):    # the latter where no prefix is known at all
    pytest.skip('eq_stack is not installed', allow_module_level=True)

if TYPE_CHECKING:
    from graph import Graph

Launch = Callable[..., subprocess.Popen[bytes]]
STARTED = re.compile(r'lidar_detector-\d+\]: process started with pid \[(\d+)\]')


@pytest.fixture
def launch(graph: Graph, repository: Path, tmp_path: Path) -> Iterator[Launch]:
    """Starts the launch file; its output is part of the graph's log."""
    processes = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / 'node_launch.log').open('wb')
        processes.append(subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name('run_launch_file.py')),
             str(repository / 'launch' / 'detector.launch.py'), *arguments],
            env=graph.environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT))
        return processes[-1]
    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def test_node_has_its_names_and_topics_and_ends_with_the_launch(
        graph: Graph, launch: Launch) -> None:
    process = launch('namespace:=robot', 'autostart:=false', 'input_pointcloud:=/points',
                     'backends:=[onnxruntime, torch]', 'model:=absent')
    graph.connect('/robot/lidar_detector')
    assert graph.state() == 'unconfigured'
    assert not graph.change_state(1)
    graph.wait(lambda: 'configure failed: absent' in graph.log(), 'parameters arrive')
    assert graph.stop(process, signal.SIGINT) == 0
    assert 'Traceback' not in graph.log() and 'process has died' not in graph.log()


def test_killed_node_comes_back(graph: Graph, launch: Launch) -> None:
    launch('autostart:=false')
    graph.connect('/lidar_detector')
    graph.wait(lambda: STARTED.search(graph.log()), 'start')
    assert graph.state() == 'unconfigured'
    first = STARTED.findall(graph.log())
    os.kill(int(first[0]), signal.SIGKILL)
    graph.wait(lambda: len(STARTED.findall(graph.log())) == 2, 'second start')
    graph.reports.clear()
    graph.wait(lambda: graph.values.get('state') == 'unconfigured', 'comes back')
