"""Best-effort clouds of 1.9 MB cross from process to process without a loss."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from graph import Graph
from graph import HERE


def test_hundred_large_best_effort_clouds_all_arrive_at_ten_hertz(graph: Graph) -> None:
    graph.start()
    graph.wait_active()
    subprocess.run(
        [sys.executable, str(HERE / 'cloud_publisher.py'), '/lidar_detector/input/pointcloud',
         '100', '10'], env=graph.environment, check=True, timeout=90)
    values = graph.settled()
    assert values['received'] == '100'
    assert int(values['published']) + int(values.get('dropped.busy', 0)) == 100
    assert graph.balance() == 0
