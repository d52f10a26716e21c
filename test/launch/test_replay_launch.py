"""The launch file that plays a bag: chosen nodes alone, by simulated time, until the bag ends."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('launch_ros', reason='needs ROS launch, which is in no package registry')

from graph import environment

PLAYER = """#!/bin/sh
echo "ros2 $*"
sleep "$EQ_TEST_BAG_SECONDS"
"""


@pytest.mark.usefixtures('installed')
def test_chosen_nodes_run_as_long_as_the_bag(domain_id: int, repository: Path, tmp_path: Path
                                             ) -> None:
    """A stand-in for `ros2 bag play` shows what it was asked for."""
    player = tmp_path / 'bin' / 'ros2'
    player.parent.mkdir()
    player.write_text(PLAYER)
    player.chmod(0o755)
    variables = environment(domain_id) | {
        'PATH': f'{player.parent}{os.pathsep}{os.environ["PATH"]}', 'EQ_TEST_BAG_SECONDS': '6',
        'PYTHONUNBUFFERED': '1'}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name('run_launch_file.py')),
         str(repository / 'launch' / 'replay.launch.py'), 'bag:=drive', 'rate:=2.0',
         'nodes:=detector planner', 'cloud_topic:=/lidar/points', 'namespace:=robot'],
        env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert 'ros2 bag play drive --clock 100 --rate 2.0 --delay 10.0' in said
    assert '[lidar_detector-' in said and '[graph_planner-' in said
    assert 'panoptic_segmenter' not in said and 'pick_place_policy' not in said
    assert said.count('process has finished cleanly') == 3 and 'Traceback' not in said


def test_a_bag_has_to_be_named(domain_id: int, repository: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name('run_launch_file.py')),
         str(repository / 'launch' / 'replay.launch.py')], env=environment(domain_id),
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "'bag'" in done.stdout + done.stderr
