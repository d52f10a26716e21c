"""Worlds and models are SDF 1.9 that gz-sim understands, as far as that shows without it."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from sdf_specification import find_specification
from sdf_specification import Specification
import yaml

FILES = ('worlds/street.sdf', 'worlds/table.sdf', 'models/eq_robot/model.sdf',
         'models/eq_car/model.sdf', 'models/eq_pedestrian/model.sdf')
each_file = pytest.mark.parametrize('name', FILES)
# Systems of gz-sim 8, by file: class, and the elements that they read
SYSTEMS = {
    'gz-sim-physics-system': ('Physics', set()),
    'gz-sim-user-commands-system': ('UserCommands', set()),
    'gz-sim-scene-broadcaster-system': ('SceneBroadcaster', set()),
    'gz-sim-sensors-system': ('Sensors', {'render_engine'}),
    'gz-sim-velocity-control-system': ('VelocityControl', {
        'topic', 'initial_linear', 'initial_angular'}),
    'gz-sim-joint-state-publisher-system': ('JointStatePublisher', {'topic', 'joint_name'}),
    'gz-sim-diff-drive-system': ('DiffDrive', {
        'left_joint', 'right_joint', 'wheel_separation', 'wheel_radius', 'odom_publish_frequency',
        'topic', 'odom_topic', 'tf_topic', 'frame_id', 'child_frame_id',
        *(f'{end}_{kind}_{what}' for end in ('min', 'max') for kind in ('linear', 'angular')
          for what in ('velocity', 'acceleration', 'jerk'))})}
# Pairs of the table in the README of ros_gz_bridge that we may need; ROS type, Gazebo type
BRIDGED = {
    ('geometry_msgs/msg/Pose', 'gz.msgs.Pose'), ('geometry_msgs/msg/PoseArray', 'gz.msgs.Pose_V'),
    ('geometry_msgs/msg/PoseStamped', 'gz.msgs.Pose'),
    ('geometry_msgs/msg/Twist', 'gz.msgs.Twist'),
    ('geometry_msgs/msg/TwistStamped', 'gz.msgs.Twist'),
    ('nav_msgs/msg/Odometry', 'gz.msgs.Odometry'),
    ('nav_msgs/msg/Odometry', 'gz.msgs.OdometryWithCovariance'),
    ('rosgraph_msgs/msg/Clock', 'gz.msgs.Clock'),
    ('sensor_msgs/msg/CameraInfo', 'gz.msgs.CameraInfo'),
    ('sensor_msgs/msg/Image', 'gz.msgs.Image'), ('sensor_msgs/msg/Imu', 'gz.msgs.IMU'),
    ('sensor_msgs/msg/JointState', 'gz.msgs.Model'),
    ('sensor_msgs/msg/LaserScan', 'gz.msgs.LaserScan'),
    ('sensor_msgs/msg/PointCloud2', 'gz.msgs.PointCloudPacked'),
    ('tf2_msgs/msg/TFMessage', 'gz.msgs.Pose_V')}
# What a sensor adds to its topic, and the types of what it publishes there
OF_SENSORS = {
    'gpu_lidar': {'': 'gz.msgs.LaserScan', '/points': 'gz.msgs.PointCloudPacked'},
    'rgbd_camera': {'/image': 'gz.msgs.Image', '/depth_image': 'gz.msgs.Image',
                    '/points': 'gz.msgs.PointCloudPacked', '/camera_info': 'gz.msgs.CameraInfo'}}


@pytest.fixture(scope='module')
def folder(repository: Path) -> Path:
    return repository / 'gazebo'


@pytest.fixture(scope='module')
def specification() -> Specification:
    found = find_specification()
    if found is None:
        pytest.skip('the specification of SDF is not installed (Debian: libsdformat-dev)')
    return Specification(found)


def plugins(folder: Path) -> list[tuple[str, ElementTree.Element]]:
    """All systems with the name of what they are in."""
    found = []
    for name in FILES:
        for parent in ElementTree.parse(folder / name).iter():
            of = parent.get('name') or parent.findtext('name') or ''
            found += [(of, plugin) for plugin in parent.findall('plugin')]
    return found


def gazebo_topics(folder: Path) -> dict[str, set[str]]:
    """Types by the topics of both worlds."""
    topics = {'/clock': {'gz.msgs.Clock'}}
    for name in FILES:
        for sensor in ElementTree.parse(folder / name).iter('sensor'):
            for end, kind in OF_SENSORS[str(sensor.get('type'))].items():
                topics[f'/{sensor.findtext("topic")}{end}'] = {kind}
    for of, plugin in plugins(folder):
        system = str(plugin.get('filename'))
        if system == 'gz-sim-diff-drive-system':
            topics |= {plugin.findtext('topic', ''): {'gz.msgs.Twist'},
                       plugin.findtext('odom_topic', ''): {
                           'gz.msgs.Odometry', 'gz.msgs.OdometryWithCovariance'},
                       plugin.findtext('tf_topic', ''): {'gz.msgs.Pose_V'}}
        elif system == 'gz-sim-joint-state-publisher-system':
            topics[plugin.findtext('topic', '')] = {'gz.msgs.Model'}
        elif system == 'gz-sim-velocity-control-system':
            topics[f'/model/{of}/cmd_vel'] = {'gz.msgs.Twist'}
    return topics


def test_all_files_are_checked(folder: Path) -> None:
    assert {str(path.relative_to(folder)) for path in folder.rglob('*.sdf')} == set(FILES)


@each_file
def test_every_element_stands_where_the_specification_has_it(
        folder: Path, specification: Specification, name: str) -> None:
    assert ElementTree.parse(folder / name).getroot().get('version') == '1.9'
    assert list(specification.faults(folder / name)) == []


@pytest.mark.parametrize('old, new', [
    ('<min_angle>', '<min_anglee>'), ('<mass>', '<weight>'), (' type="gpu_lidar"', ' kind="x"'),
    ('</topic>', '</topic><range/>')])
def test_misspelt_and_misplaced_elements_are_seen(
        folder: Path, specification: Specification, tmp_path: Path, old: str, new: str) -> None:
    text = (folder / 'models/eq_robot/model.sdf').read_text()
    bad = text.replace(old, new).replace(old.replace('<', '</'), new.replace('<', '</'))
    assert bad != text
    (tmp_path / 'bad.sdf').write_text(bad)
    assert list(specification.faults(tmp_path / 'bad.sdf'))


@each_file
def test_libsdformat_takes_the_file(folder: Path, name: str) -> None:
    command = shutil.which('gz') or shutil.which('ign')
    if command is None:
        pytest.skip('neither `gz` nor `ign` is installed (Debian: ignition-tools sdformat-sdf)')
    done = subprocess.run([command, 'sdf', '-k', str(folder / name)], capture_output=True,
                          text=True, check=False, env=dict(
                              os.environ, SDF_PATH=str(folder / 'models')))
    if 'subcommand' in done.stderr and 'sdf' in done.stderr:
        pytest.skip(f'{command} cannot read SDF')
    assert done.stdout.strip() == 'Valid.', done.stderr
    assert 'Error' not in done.stderr and 'not found' not in done.stderr.partition('\n')[2]


def test_systems_are_those_of_gz_sim_with_elements_that_they_read(folder: Path) -> None:
    found = plugins(folder)
    assert len({plugin.get('filename') for _, plugin in found}) == len(SYSTEMS)
    for of, plugin in found:
        kind, elements = SYSTEMS[str(plugin.get('filename'))]
        assert plugin.get('name') == f'gz::sim::systems::{kind}', of
        assert {child.tag for child in plugin} <= elements, of
    for name in FILES[:2]:
        world = ElementTree.parse(folder / name).getroot().find('world')
        assert world is not None and [p.get('filename') for p in world.findall('plugin')] == list(
            SYSTEMS)[:4]


def test_drive_knows_the_joints_and_sizes_of_the_robot(folder: Path) -> None:
    model = ElementTree.parse(folder / 'models/eq_robot/model.sdf').getroot().find('model')
    assert model is not None
    drive = next(p for p in model.findall('plugin')
                 if p.get('filename') == 'gz-sim-diff-drive-system')
    joints = {joint.get('name'): joint for joint in model.findall('joint')}
    links = {link.get('name'): link for link in model.findall('link')}
    wheels = [links[joints[drive.findtext(f'{side}_joint')].findtext('child')]
              for side in ('left', 'right')]
    (_, left, height), (_, right, _) = (
        [float(v) for v in wheel.findtext('pose', '').split()[:3]] for wheel in wheels)
    assert left - right == pytest.approx(float(drive.findtext('wheel_separation', '')))
    for wheel in wheels:
        radius = float(wheel.findtext('collision/geometry/cylinder/radius', ''))
        assert radius == float(drive.findtext('wheel_radius', '')) == height


def test_lidar_has_the_beams_of_the_simulated_sensor(folder: Path) -> None:
    from eq_eval.simulation.sensors import SENSORS
    model, sensor = SENSORS['hdl64e'], next(ElementTree.parse(
        folder / 'models/eq_robot/model.sdf').iter('sensor'))

    def number(path: str) -> float:
        return float(sensor.findtext(f'lidar/{path}', ''))
    assert number('scan/vertical/samples') == model.rings
    assert number('scan/horizontal/samples') == model.columns
    assert np.degrees([number('scan/vertical/min_angle'), number('scan/vertical/max_angle')]
                      ) == pytest.approx([model.elevations[-1], model.elevations[0]], abs=1e-4)
    step = np.ptp([number('scan/horizontal/min_angle'), number('scan/horizontal/max_angle')]) / (
        model.columns - 1)
    assert step == pytest.approx(2 * np.pi / model.columns, rel=1e-6)  # no direction is seen twice
    assert (number('range/min'), number('range/max'), number('noise/stddev')) == (
        model.min_range, model.max_range, model.range_noise)
    assert float(sensor.findtext('update_rate', '')) * model.period == 1


def test_bridge_passes_pairs_that_ros_gz_bridge_knows_on_topics_that_are_there(
        repository: Path, folder: Path) -> None:
    entries = yaml.safe_load((repository / 'config/gz_bridge.yaml').read_text())
    topics = gazebo_topics(folder)
    for entry in entries:
        assert set(entry) == {'ros_topic_name', 'gz_topic_name', 'ros_type_name', 'gz_type_name',
                              'direction'}
        assert (entry['ros_type_name'], entry['gz_type_name']) in BRIDGED
        assert entry['gz_type_name'] in topics[entry['gz_topic_name']]
        assert entry['direction'] == (
            'ROS_TO_GZ' if entry['gz_topic_name'].endswith('/cmd_vel') else 'GZ_TO_ROS')
    for end in ('ros', 'gz'):
        names = [entry[f'{end}_topic_name'] for entry in entries]
        assert len(set(names)) == len(names)
    commanded = {name for name in topics if name.endswith('/cmd_vel')}
    assert commanded <= {entry['gz_topic_name'] for entry in entries}
