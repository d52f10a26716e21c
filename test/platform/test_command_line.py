"""The `eq` command: quick help, errors in one line, a doctor that tells the truth."""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

from eq_core.errors import InputError
from eq_eval import machine
from eq_eval.cli import main as command_line

HEAVY = ('matplotlib', 'onnxruntime', 'open3d', 'rclpy', 'rosbags', 'scipy', 'torch')


def run_eq(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run([sys.executable, '-m', 'eq_eval.cli.main', *words], cwd=repository,
                          capture_output=True, text=True, check=False)


def test_every_command_has_a_module_and_a_help_line(repository: Path) -> None:
    shown = run_eq(repository, '--help')
    assert shown.returncode == 0, shown.stderr
    for name in command_line.COMMANDS:
        assert f' {name} ' in shown.stdout
        assert command_line.load_command(name) is not None


def test_help_loads_nothing_heavy(repository: Path) -> None:
    code = ('import sys\nfrom eq_eval.cli.main import app\n'
            'app(["--help"], standalone_mode=False)\n'
            f'print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)')
    done = subprocess.run([sys.executable, '-c', code], cwd=repository, capture_output=True,
                          text=True, check=True)
    assert done.stderr.strip() == '[]'


def test_node_starts_without_torch(repository: Path) -> None:
    pytest.importorskip('rclpy')
    code = ('import sys, eq_perception.nodes.lidar_detector\n'
            'print([name for name in ("torch", "open3d", "matplotlib") if name in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], cwd=repository, capture_output=True,
                          text=True, check=False)
    assert done.stdout.strip() == '[]', done.stderr


def test_unknown_command_is_refused(repository: Path) -> None:
    done = run_eq(repository, 'juggle')
    assert done.returncode == 2
    assert 'juggle' in done.stderr


def test_deliberate_error_is_one_line(monkeypatch, capsys) -> None:
    def fail(**_: object) -> None:
        raise InputError('scan.bin has 17 bytes; a multiple of 16 was expected')

    monkeypatch.setattr(command_line, 'app', fail)
    assert command_line.main() == 1
    assert capsys.readouterr().err == (
        'eq: scan.bin has 17 bytes; a multiple of 16 was expected\n')


def test_doctor_speaks_to_programs(repository: Path) -> None:
    done = run_eq(repository, 'doctor', '--json')
    result = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == int(not result['ok'])
    names = {check['name'] for check in result['checks']}
    assert {'python', 'compiler', 'ros', 'vision_msgs', 'onnxruntime', 'torch',
            '/dev/shm', 'Fast DDS profile'} <= names
    assert result['missing'] == [check['name'] for check in result['checks']
                                 if not check['ok'] and check['necessary']]


def test_doctor_names_what_is_missing_and_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr('shutil.which', lambda name: None)
    monkeypatch.setattr(machine, 'find_spec', lambda name: None)
    findings = {finding.name: finding for finding in machine.examine()}
    assert not findings['compiler'].ok
    assert 'apt-get install -y g++' in findings['compiler'].install
    assert not findings['vision_msgs'].ok
    assert findings['vision_msgs'].install


def test_start_refuses_an_old_python_with_one_line(repository: Path, tmp_path: Path) -> None:
    code = ('import runpy, sys\nsys.version_info = (3, 9, 2, "final", 0)\n'
            f'sys.argv = ["eq"]\nrunpy.run_path({str(repository / "eq")!r}, '
            'run_name="__main__")')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          env={**os.environ, 'PATH': str(tmp_path)}, check=False)
    assert done.returncode == 1
    assert 'Python 3.11 or newer is needed, this is 3.9' in done.stderr
