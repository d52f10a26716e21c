"""A node that has worked for long holds no more than one that has worked for a while."""

from __future__ import annotations

from pathlib import Path
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from graph import ACTIVATE
from graph import cloud
from graph import DEACTIVATE
from graph import Graph

POINTS, CLOUDS = 20_000, 300
pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')


def held(pid: int) -> tuple[int, int, int]:
    """Open files, threads, and resident memory [bytes] of a process."""
    process = Path(f'/proc/{pid}')
    resident = int((process / 'statm').read_text().split()[1]) * 4096
    return (len(list((process / 'fd').iterdir())), len(list((process / 'task').iterdir())),
            resident)


def work(graph: Graph) -> None:
    """Sends clouds, each when the one before is answered, and turns the node off and on."""
    message = cloud(count=POINTS)
    for _ in range(CLOUDS):
        answered = len(graph.markers)
        graph.input.publish(message)
        graph.wait(lambda answered=answered: len(graph.markers) > answered, 'answer')
    for _ in range(10):
        assert graph.change_state(DEACTIVATE) and graph.change_state(ACTIVATE)
    graph.wait_active()


def test_files_threads_and_memory_do_not_grow_with_the_clouds(graph: Graph) -> None:
    process = graph.start()
    graph.wait_active()
    work(graph)
    files, threads, before = held(process.pid)
    work(graph)
    assert held(process.pid)[:2] == (files, threads)
    cloud_bytes = len(cloud(count=POINTS).data)
    # Far less than if every tenth cloud were kept.
    assert held(process.pid)[2] - before < CLOUDS * cloud_bytes / 10
    assert graph.settled()['published'] == str(2 * CLOUDS) and graph.balance() == 0
