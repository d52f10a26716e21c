"""The whole stack with the real ROS launch: all nodes active, and one that is killed again."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip('launch_ros', reason='needs ROS launch, which is in no package registry')
packages = pytest.importorskip('ament_index_python.packages')
try:
    packages.get_package_share_directory('eq_stack')
except (packages.PackageNotFoundError, OSError):    # the latter where no prefix is known at all
    pytest.skip('eq_stack is not installed', allow_module_level=True)

NODES = ('lidar_detector', 'panoptic_segmenter', 'graph_planner', 'pick_place_policy')
STARTED = re.compile(r'lidar_detector-\d+\]: process started with pid \[(\d+)\]')
PATIENCE = 120.     # [s]; nothing is measured with it


@pytest.fixture
def log(domain_id: int, repository: Path, tmp_path: Path) -> Iterator[Path]:
    """Starts the stack in a namespace; ends it in order."""
    from graph import environment
    path = tmp_path / 'launch.log'
    with path.open('wb') as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name('run_launch_file.py')),
             str(repository / 'launch' / 'stack.launch.py'), 'namespace:=robot'],
            env=environment(domain_id), cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
        yield path
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_all_nodes_become_active_and_one_that_is_killed_comes_back(
        log: Path, domain_id: int) -> None:
    from eq_ros.bring_up import await_active

    def active(*names: str) -> set[str]:
        return set(await_active([f'/robot/{name}' for name in names], PATIENCE, lambda: None,
                                domain_id))
    assert active(*NODES) == {f'/robot/{name}' for name in NODES}
    first = STARTED.findall(log.read_text())
    os.kill(int(first[0]), signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while len(STARTED.findall(log.read_text())) < 2 and time.monotonic() < deadline:
        time.sleep(.1)
    assert active(*NODES) == {f'/robot/{name}' for name in NODES}
    assert 'Traceback' not in log.read_text()
