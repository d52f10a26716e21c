"""Best-effort clouds of 1.9 MB cross from process to process without a loss."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from graph import Graph
from graph import HERE
from graph import PATIENCE


def test_hundred_large_best_effort_clouds_all_arrive(graph: Graph) -> None:
    graph.start()
    graph.wait_active()
    with subprocess.Popen([sys.executable, str(HERE / 'cloud_publisher.py'), graph.name],
                          env=graph.environment, stdin=subprocess.PIPE) as publisher:
        for number in range(100):
            # The next one goes out when this one is there, so that no queue runs full: whatever
            # is missing then was lost on the way.
            publisher.stdin.write(b'\n')
            publisher.stdin.flush()
            graph.wait(lambda number=number: graph.count('received') > number, 'received')
        publisher.stdin.close()
        assert publisher.wait(PATIENCE) == 0
    values = graph.settled()
    assert values['received'] == '100'
    assert int(values['published']) + int(values.get('dropped.busy', 0)) == 100
    assert graph.balance() == 0
