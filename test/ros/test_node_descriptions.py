"""Parameter files, launch files and `eq up` describe the nodes that there are."""

from __future__ import annotations

import ast
import dataclasses
from importlib import import_module
import inspect
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

import pytest
import yaml

from eq_eval.cli import up
from eq_eval.cli.up import NodeDescription
from eq_ros.guard import MILD
from eq_ros.guard import NOT_FIT
from eq_ros.guard import REFUSED

LAUNCH_FILES = {'lidar_detector': 'detector.launch.py',
                'panoptic_segmenter': 'panoptic_segmenter.launch.py',
                'graph_planner': 'graph_planner.launch.py',
                'pick_place_policy': 'pick_place.launch.py'}
UP = {'lidar_detector': up.detector, 'panoptic_segmenter': up.segmenter,
      'graph_planner': up.planner, 'pick_place_policy': up.policy}
PACKAGE = {'lidar_detector': 'eq_perception', 'panoptic_segmenter': 'eq_perception',
           'graph_planner': 'eq_navigation', 'pick_place_policy': 'eq_manipulation'}
# What the reasons and topics of a node are written in, and reasons that it has besides
CLOUDS = (('eq_ros/cloud_node.py',), {'missing_field', 'bad_field', 'bad_layout', *MILD})
BASE = {'lidar_detector': CLOUDS, 'panoptic_segmenter': CLOUDS,
        'graph_planner': (('eq_ros/maps.py', 'eq_ros/planar_poses.py'),
                          {*REFUSED, 'busy', 'stopped'}),
        'pick_place_policy': (('eq_ros/table_views.py', 'eq_ros/images.py',
                               'eq_ros/colored_points.py'),
                              {*NOT_FIT, 'bad_image', 'bad_layout', 'busy', 'stopped'})}
each_node = pytest.mark.parametrize('node', LAUNCH_FILES)


def config_file(repository: Path, node: str) -> Path:
    """The file of the parameters."""
    return repository / 'config' / f'{node}.param.yaml'


def launch_arguments(repository: Path, node: str = 'lidar_detector') -> list[str]:
    """Names that the launch file declares, read without ROS launch."""
    tree = ast.parse((repository / 'launch' / LAUNCH_FILES[node]).read_text())
    table = next(node.value for node in tree.body if isinstance(node, ast.Assign)
                 and getattr(node.targets[0], 'id', '') == 'ARGUMENTS')
    return [row.elts[0].value for row in table.elts]


@each_node
def test_parameter_file_holds_every_parameter_with_its_default(
        repository: Path, node: str) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    kind = import_module(f'{PACKAGE[node]}.nodes.{node}').Parameters
    values = yaml.safe_load(config_file(repository, node).read_text())['/**']['ros__parameters']
    defaults = {field.name: list(field.default) if isinstance(field.default, tuple)
                else field.default for field in dataclasses.fields(kind)}
    assert values == defaults
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in defaults.items()}


@each_node
def test_parameter_table_in_the_comments_names_every_parameter(
        repository: Path, node: str) -> None:
    text = config_file(repository, node).read_text()
    names = yaml.safe_load(text)['/**']['ros__parameters']
    table = {line.split()[1] for line in text.splitlines()
             if line.startswith('# ') and len(line.split()) > 2}
    assert set(names) <= table


def test_launch_file_declares_what_the_readme_promises(repository: Path) -> None:
    assert launch_arguments(repository) == [
        'use_sim_time', 'params_file', 'namespace', 'model', 'backends', 'precision',
        'input_pointcloud', 'output_objects', 'rviz', 'log_level', 'autostart']
    assert launch_arguments(repository, 'panoptic_segmenter') == [
        'use_sim_time', 'params_file', 'namespace', 'model', 'backends', 'precision',
        'input_pointcloud', 'input_odometry', 'odometry_source', 'odom_frame',
        'output_pointcloud', 'output_objects', 'rviz', 'log_level', 'autostart']
    assert launch_arguments(repository, 'graph_planner') == [
        'use_sim_time', 'params_file', 'namespace', 'model', 'backends', 'precision', 'input_map',
        'input_map_updates', 'input_goal', 'output_path', 'robot_base_frame', 'rviz', 'log_level',
        'autostart']
    assert launch_arguments(repository, 'pick_place_policy') == [
        'use_sim_time', 'params_file', 'namespace', 'model', 'backends', 'precision', 'input',
        'input_depth', 'input_color', 'input_camera_info', 'input_points', 'workspace_frame',
        'continuous', 'rviz', 'log_level', 'autostart']
    for name in LAUNCH_FILES.values():
        assert len((repository / 'launch' / name).read_text().splitlines()) <= 80


@each_node
def test_up_takes_the_arguments_of_the_launch_file(repository: Path, node: str) -> None:
    assert set(inspect.signature(UP[node]).parameters) == (
        set(launch_arguments(repository, node)) - {'rviz'})


def test_command_line_carries_names_parameters_and_topics() -> None:
    words = NodeDescription('a.b', 'robot', Path('p.yaml'), {'threads': '2'},
                            {'~/in': '/points'}, 'debug').command()
    assert words[1:] == ['-m', 'a.b', '--ros-args', '--log-level', 'debug', '-r', '__ns:=/robot',
                         '--params-file', 'p.yaml', '-p', 'threads:=2', '-r', '~/in:=/points']


@each_node
def test_executable_stub_runs_the_node(repository: Path, node: str) -> None:
    stub = repository / 'scripts' / node
    assert f'{PACKAGE[node]}.nodes.{node}' in stub.read_text() and os.access(stub, os.X_OK)


@each_node
def test_document_names_every_topic_and_every_reason_of_its_own(
        repository: Path, node: str) -> None:
    text = (repository / 'docs' / f'{node}.md').read_text()
    base, own = BASE[node]
    code = ''.join((repository / path).read_text() for path in (
        f'{PACKAGE[node]}/nodes/{node}.py', *base))
    topics = set(re.findall(r"'(~/[a-z_/]+)'", code))
    assert topics and [topic for topic in topics if f'`{topic}`' not in text] == []
    reasons = {*own, *re.findall(r"InputError\([^)]*?'(\w+)'\)", code)} - (
        set() if 'ScanOrder' in code else {'out_of_order'})
    assert [reason for reason in reasons if f'`{reason}`' not in text] == []


@each_node
def test_up_starts_the_node_and_ends_it_by_a_signal(domain_id: int, tmp_path: Path,
                                                    node: str) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from graph import environment
    command = [sys.executable, '-m', 'eq_eval.cli.main', 'up', UP[node].__name__, '--model',
               'absent', '--namespace', 'robot']
    process = subprocess.Popen(command, env=environment(domain_id), cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if f'[robot.{node}]: configure failed: absent' in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode in (0, 130) and 'Traceback' not in rest
