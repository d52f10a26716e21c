"""What a node process must not carry: torch and the offline libraries."""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

HEAVY = ('torch', 'open3d', 'matplotlib', 'onnx', 'rosbags', 'mcap', 'typer', 'eq_eval')


@pytest.mark.parametrize('node', ['eq_perception.nodes.lidar_detector',
                                  'eq_perception.nodes.panoptic_segmenter',
                                  'eq_navigation.nodes.graph_planner',
                                  'eq_navigation.nodes.path_follower',
                                  'eq_navigation.nodes.semantic_costmap',
                                  'eq_manipulation.nodes.pick_place_policy'])
def test_node_imports_neither_torch_nor_offline_libraries(repository: Path, node: str) -> None:
    assert imported(repository, node, HEAVY) == []


def test_the_detector_starts_without_scipy(repository: Path) -> None:
    assert imported(repository, 'eq_perception.nodes.lidar_detector', ('scipy',)) == []


def imported(repository: Path, node: str, names: tuple[str, ...]) -> list[str]:
    """Which of the libraries a node brings with it, once its model has an engine."""
    code = (f'import json, sys, {node}, onnxruntime;'
            f'print(json.dumps([name for name in {names!r} if name in sys.modules]))')
    result = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True,
                            text=True, env=dict(os.environ, PYTHONPATH=str(repository)))
    found: list[str] = json.loads(result.stdout.splitlines()[-1])
    return found
