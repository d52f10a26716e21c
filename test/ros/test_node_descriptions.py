"""Parameter file, launch file and `eq up` describe the node that there is."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest
import yaml

from eq_eval.cli.up import MODULE
from eq_eval.cli.up import NodeDescription
from eq_eval.cli.up import up

CONFIG = 'config/lidar_detector.param.yaml'


def launch_arguments(repository: Path) -> list[str]:
    """Names that the launch file declares, read without ROS launch."""
    tree = ast.parse((repository / 'launch' / 'detector.launch.py').read_text())
    table = next(node.value for node in tree.body if isinstance(node, ast.Assign)
                 and getattr(node.targets[0], 'id', '') == 'ARGUMENTS')
    return [row.elts[0].value for row in table.elts]


def test_parameter_file_holds_every_parameter_with_its_default(repository: Path) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from eq_perception.nodes.lidar_detector import Parameters
    values = yaml.safe_load((repository / CONFIG).read_text())['/**']['ros__parameters']
    defaults = {field.name: list(field.default) if isinstance(field.default, tuple)
                else field.default for field in dataclasses.fields(Parameters)}
    assert values == defaults
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in defaults.items()}


def test_parameter_table_in_the_comments_names_every_parameter(repository: Path) -> None:
    text = (repository / CONFIG).read_text()
    names = yaml.safe_load(text)['/**']['ros__parameters']
    table = {line.split()[1] for line in text.splitlines()
             if line.startswith('# ') and len(line.split()) > 2}
    assert set(names) <= table


def test_launch_file_declares_what_the_readme_promises(repository: Path) -> None:
    assert launch_arguments(repository) == [
        'use_sim_time', 'params_file', 'namespace', 'model', 'backends', 'input_pointcloud',
        'output_objects', 'rviz', 'log_level', 'autostart']
    assert len((repository / 'launch' / 'detector.launch.py').read_text().splitlines()) <= 80


def test_up_takes_the_arguments_of_the_launch_file(repository: Path) -> None:
    assert set(inspect.signature(up).parameters) == set(launch_arguments(repository)) - {'rviz'}


def test_command_line_carries_names_parameters_and_topics() -> None:
    words = NodeDescription('a.b', 'robot', Path('p.yaml'), {'threads': '2'},
                            {'~/in': '/points'}, 'debug').command()
    assert words[1:] == ['-m', 'a.b', '--ros-args', '--log-level', 'debug', '-r', '__ns:=/robot',
                         '--params-file', 'p.yaml', '-p', 'threads:=2', '-r', '~/in:=/points']


def test_executable_stub_runs_the_node(repository: Path) -> None:
    stub = repository / 'scripts' / 'lidar_detector'
    assert MODULE in stub.read_text() and os.access(stub, os.X_OK)


def test_up_starts_the_node_and_ends_it_by_a_signal(domain_id: int, tmp_path: Path,
                                                    repository: Path) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from graph import environment
    command = [sys.executable, '-m', 'eq_eval.cli.main', 'up', '--model', 'absent', '--namespace',
               'robot', '--input-pointcloud', '/points']
    process = subprocess.Popen(command, env=environment(domain_id), cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if '[robot.lidar_detector]: configure failed: absent' in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode in (0, 130) and 'Traceback' not in rest
