"""Parameter files, launch files and `eq up` describe the nodes that there are."""

from __future__ import annotations

import dataclasses
from importlib import import_module
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

import pytest
import yaml

from eq_core.errors import ConfigError
from eq_eval.cli.up import process_arguments
from eq_eval.supervision import supervise
from eq_ros.guard import MILD
from eq_ros.guard import NOT_FIT
from eq_ros.guard import REFUSED
from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import options
from eq_ros.node_kinds import STACK
from eq_ros.node_kinds import values_of

LAUNCH_FILES = {'lidar_detector': 'detector.launch.py',
                'panoptic_segmenter': 'panoptic_segmenter.launch.py',
                'graph_planner': 'graph_planner.launch.py',
                'path_follower': 'path_follower.launch.py',
                'semantic_costmap': 'semantic_costmap.launch.py',
                'pick_place_policy': 'pick_place.launch.py'}
KINDS = {kind.name: kind for kind in (*STACK, COSTMAP, FOLLOWER)}
PACKAGE = {'lidar_detector': 'eq_perception', 'panoptic_segmenter': 'eq_perception',
           'graph_planner': 'eq_navigation', 'path_follower': 'eq_navigation',
           'semantic_costmap': 'eq_navigation',
           'pick_place_policy': 'eq_manipulation'}
# What the reasons and topics of a node are written in, and reasons that it has besides
CLOUDS = (('eq_ros/cloud_node.py',), {'missing_field', 'bad_field', 'bad_layout', *MILD})
BASE = {'lidar_detector': CLOUDS, 'panoptic_segmenter': CLOUDS,
        'graph_planner': (('eq_ros/maps.py', 'eq_ros/planar_poses.py'),
                          {*REFUSED, 'busy', 'stopped'}),
        'path_follower': (('eq_navigation/pure_pursuit.py',), {'bad_pose', 'frame', 'no_path'}),
        'semantic_costmap': (('eq_ros/panoptic.py', 'eq_navigation/nodes/semantic_costmap.py'),
                             {'tf_error', 'bad_layout', 'frame', *MILD - {'stale'}}),
        'pick_place_policy': (('eq_ros/table_views.py', 'eq_ros/images.py',
                               'eq_ros/colored_points.py'),
                              {*NOT_FIT, 'bad_image', 'bad_layout', 'busy', 'stopped'})}
each_node = pytest.mark.parametrize('node', LAUNCH_FILES)


def config_file(repository: Path, node: str) -> Path:
    """The file of the parameters."""
    return repository / 'config' / f'{node}.param.yaml'


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


def test_arguments_are_what_the_documents_promise(repository: Path) -> None:
    common = {'use_sim_time', 'autostart', 'build_only', 'model', 'precision', 'backends',
              'namespace', 'params_file', 'log_level'}
    assert {name: set(options([kind])) - common for name, kind in KINDS.items()} == {
        'lidar_detector': {'input_pointcloud', 'output_objects'},
        'panoptic_segmenter': {'input_pointcloud', 'input_odometry', 'odometry_source',
                               'odom_frame', 'output_pointcloud', 'output_objects'},
        'graph_planner': {'input_map', 'input_map_updates', 'input_goal', 'output_path',
                          'robot_base_frame'},
        'path_follower': {'input_path', 'input_odometry', 'output_cmd_vel'},
        'semantic_costmap': {'input_pointcloud', 'input_odometry', 'odometry_source', 'odom_frame',
                             'output_map'},
        'pick_place_policy': {'input', 'input_depth', 'input_color', 'input_camera_info',
                              'input_points', 'workspace_frame', 'continuous'}}
    together = options(STACK)
    assert together['input_pointcloud'].default == 'points'
    assert {'detector_model', 'planner_params_file', 'policy_input_depth'} <= set(together)
    for file in (repository / 'launch').glob('*.launch.py'):
        assert len(file.read_text().splitlines()) <= 80


@each_node
def test_launch_file_describes_the_node(repository: Path, node: str) -> None:
    text = (repository / 'launch' / LAUNCH_FILES[node]).read_text()
    assert f'describe({KINDS[node].label.upper()})' in text
    assert (repository / 'config' / 'rviz' / KINDS[node].view).is_file()


@each_node
def test_arguments_set_parameters_and_topics_that_the_node_has(repository: Path, node: str
                                                               ) -> None:
    known = yaml.safe_load(config_file(repository, node).read_text())['/**']['ros__parameters']
    kind = KINDS[node]
    names = {each.parameter for each in kind.arguments if each.parameter} - {'use_sim_time'}
    assert names <= set(known)
    code = ''.join((repository / path).read_text() for path in (
        f'{PACKAGE[node]}/nodes/{node}.py', *BASE[node][0]))
    assert [each.topic for each in kind.arguments if each.topic and each.topic not in code] == []


def test_command_line_carries_names_parameters_and_topics() -> None:
    values = values_of([DETECTOR], DETECTOR, {
        'namespace': '/robot/', 'params_file': 'p.yaml', 'input_pointcloud': '/points',
        'log_level': 'debug', 'backends': 'onnxruntime, torch'})
    words = process_arguments(DETECTOR, values)
    assert words == [
        '--ros-args', '--log-level', 'debug', '-r', '__ns:=/robot', '--params-file', 'p.yaml',
        '-p', 'use_sim_time:=false', '-p', 'autostart:=true', '-p', 'build_only:=false',
        '-p', "model_path:=''", '-p', "precision:='fp32'",
        '-p', 'backends:=[onnxruntime, torch]', '-r', '~/input/pointcloud:=/points',
        '-r', '~/output/objects:=~/output/objects']


def test_nodes_that_are_started_together_have_their_own_arguments_and_some_in_common() -> None:
    given = {'input_pointcloud': '/points', 'segmenter_odom_frame': 'world', 'detector_model': 'm'}
    detector, segmenter = (values_of(STACK, kind, given) for kind in STACK[:2])
    assert detector['input_pointcloud'] == segmenter['input_pointcloud'] == '/points'
    assert (detector['model'], segmenter['model'], segmenter['odom_frame']) == ('m', '', 'world')
    with pytest.raises(ConfigError, match='odom_frame'):
        values_of(STACK, DETECTOR, {'odom_frame': 'world'})


def test_all_nodes_become_active_together(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    done = subprocess.run([sys.executable, '-m', 'eq_eval.cli.main', 'up', 'stack', '--check',
                           '--json'], capture_output=True, text=True, timeout=300, check=False)
    result = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and result['all_active']
    assert set(result['nodes']) == {f'/{kind.name}' for kind in STACK}


def test_process_that_fails_is_started_again_until_it_ends_well(tmp_path: Path) -> None:
    code = f'import pathlib, sys; p = pathlib.Path({str(tmp_path / "runs")!r}); ' \
        'runs = p.read_text() if p.exists() else ""; p.write_text(runs + "x"); ' \
        'sys.exit(0 if len(runs) else 3)'
    told: list[str] = []
    assert supervise([[sys.executable, '-c', code]], told.append) == 0
    assert (tmp_path / 'runs').read_text() == 'xx' and 'exit code 3' in told[0]
    (tmp_path / 'runs').unlink()
    assert supervise([[sys.executable, '-c', code]], told.append, again=False) == 3


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
    parameters = tmp_path / 'wrong.param.yaml'
    parameters.write_text('/**: {ros__parameters: {diagnostics_period: 99.0}}')
    command = [sys.executable, '-m', 'eq_eval.cli.main', 'up', KINDS[node].label, '--params-file',
               str(parameters), '--namespace', 'robot']
    process = subprocess.Popen(command, env=environment(domain_id), cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if f'[robot.{node}]: configure failed: ' in line and 'diagnostics_period' in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode in (0, 130) and 'Traceback' not in rest
