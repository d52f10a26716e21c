"""The parts of a replay that need no ROS."""

from __future__ import annotations

import os
from pathlib import Path
import socket
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from eq_core.errors import ConfigError
from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.raw_clouds import header_stamp
from eq_ros.balance import Balance
from eq_ros.balance import find_balance


def status(name: str = 'lidar_detector: pipeline', level: object = b'\x00',
           message: str = 'active', **values: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, level=level, message=message, values=[
        SimpleNamespace(key=key.replace('__', '.'), value=value) for key, value in values.items()])


def test_a_balance_is_read_from_diagnostics() -> None:
    message = SimpleNamespace(status=[status('other: pipeline'), status(
        received='7', published='4', in_flight='1', dropped__busy='2', backend='onnxruntime',
        latency_p50_ms='12.5', latency_decode_p99_ms='0.7', state='active')])
    balance = find_balance(message, '/lidar_detector')
    assert balance is not None
    assert (balance.received, balance.published, balance.in_flight) == (7, 4, 1)
    assert balance.dropped == {'busy': 2}
    assert balance.balanced
    assert balance.latency == {'total': {'p50': 12.5}, 'decode': {'p99': 0.7}}
    assert balance.details['backend'] == 'onnxruntime'
    assert balance.fault == ''
    assert find_balance(message, '/somebody_else') is None


def test_a_node_that_failed_to_configure_says_so() -> None:
    balance = Balance.from_status(status(
        level=b'\x02', message='configure failed: no model', state='unconfigured'))
    assert balance.fault == 'configure failed: no model'
    assert not Balance(received=3, published=1).balanced


@pytest.mark.parametrize('order', ['<', '>'])
def test_the_stamp_is_read_from_serialised_bytes(order: str) -> None:
    data = bytes([0, order == '<', 0, 0]) + struct.pack(f'{order}iI', 1317000011, 900000000)
    assert header_stamp(data) == 1317000011_900000000


@pytest.mark.parametrize('offset', [0, 10, 14])     # of all, of the first and third participant
def test_a_domain_in_use_is_not_chosen(offset: int) -> None:
    domain = free_domain_id(seed=3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('', 7400 + 250 * domain + offset))
        assert free_domain_id(seed=3) != domain


def test_the_graph_is_local_and_a_profile_of_the_user_stays(tmp_path: Path) -> None:
    variables = graph_environment(7, tmp_path, {'FASTDDS_DEFAULT_PROFILES_FILE': 'mine.xml'})
    assert variables['ROS_DOMAIN_ID'] == '7'
    assert variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert variables['FASTDDS_DEFAULT_PROFILES_FILE'] == 'mine.xml'
    assert graph_environment(7, tmp_path, {})['FASTDDS_DEFAULT_PROFILES_FILE'].endswith('.xml')


def test_a_process_that_ignores_signals_is_ended(tmp_path: Path) -> None:
    (tmp_path / 'stubborn.py').write_text(
        'import signal, time\n'
        'for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n'
        'print("ready", flush=True)\n'
        'time.sleep(60)\n')
    process = NodeProcess('stubborn', [], tmp_path / 'log', {'PYTHONPATH': str(tmp_path)})
    while 'ready' not in process.tail():
        process.check()
    assert process.stop(0.1) == -9
    with pytest.raises(EqError, match='exit code -9'):
        process.check()
    assert process.command[0] == sys.executable


@pytest.mark.skipif(sys.platform != 'linux', reason='needs prctl')
def test_a_node_ends_with_a_parent_that_is_killed(tmp_path: Path, repository: Path) -> None:
    parent = subprocess.Popen([sys.executable, '-c', (
        'import sys, time; from pathlib import Path\n'
        'from eq_eval.replay.node_process import NodeProcess\n'
        f'node = NodeProcess("http.server", ["0"], Path({str(tmp_path / "log")!r}), {{}})\n'
        'print(node.pid, flush=True); time.sleep(60)')],
        stdout=subprocess.PIPE, text=True, cwd=repository)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it is there
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while alive(child):
        assert time.monotonic() < deadline, 'the node has survived its parent'
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but that nobody has asked after does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_numbers_out_of_range_are_refused() -> None:
    pytest.importorskip('rclpy')
    from eq_eval.replay.runner import ReplayOptions
    with pytest.raises(ConfigError, match='rate'):
        ReplayOptions(rate=-1)
    with pytest.raises(ConfigError, match='limit'):
        ReplayOptions(limit=0)


def test_foreign_files_in_the_way_are_never_removed(tmp_path: Path) -> None:
    pytest.importorskip('rclpy')
    from eq_eval.replay.workflow import make_room
    precious = tmp_path / 'outputs' / 'thesis.tex'
    precious.parent.mkdir()
    precious.write_text('years of work')
    with pytest.raises(InputError, match='thesis'):
        make_room(tmp_path)
    assert precious.exists()
