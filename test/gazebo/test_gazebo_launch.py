"""The launch file of Gazebo fits the worlds, the bridge and the nodes that it starts."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path
import xml.etree.ElementTree as ElementTree

from launch_stubs import describe
from launch_stubs import Described
from launch_stubs import words
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
import yaml

from eq_eval.gazebo.occupancy import world_map
from eq_eval.gazebo.shapes import matrix
from eq_eval.gazebo.shapes import read_shapes
from eq_navigation.outcome import ErrorCode
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import options
from eq_ros.node_kinds import PLANNER
from eq_ros.node_kinds import POLICY

KINDS = {'detector': DETECTOR, 'graph_planner': PLANNER, 'path_follower': FOLLOWER,
         'pick_place': POLICY}
OPTICAL = matrix('0 0 0 -1.5707963267948966 0 -1.5707963267948966')     # camera <- optical frame
TABLE_TOP = .75     # height of base_link above the ground in the scene of the table [m]


@pytest.fixture(scope='module')
def parts(repository: Path) -> list[Described]:
    return describe(repository / 'launch/gazebo.launch.py')


def included(parts: list[Described]) -> dict[str, dict[str, str]]:
    """Arguments by the launch files that are included."""
    found = {}
    for part in parts:
        if part.kind == 'IncludeLaunchDescription':
            file = words(part.values[0].values[0])
            found[file] = {name: words(value)
                           for name, value in part.options['launch_arguments']}
    return found


def frames(parts: list[Described]) -> dict[tuple[str, str], np.ndarray]:
    """(4, 4) poses by parent and child, of the static transforms."""
    found = {}
    for part in parts:
        if part.options.get('executable') == 'static_transform_publisher':
            given = part.options['arguments']
            value = dict(zip(given[::2], given[1::2], strict=True))
            pose = np.eye(4)
            pose[:3, 3] = [float(value[f'--{axis}']) for axis in 'xyz']
            pose[:3, :3] = Rotation.from_quat([float(value[f'--q{axis}']) for axis in 'xyzw']
                                              ).as_matrix()
            found[value['--frame-id'], value['--child-frame-id']] = pose
    return found


def test_files_and_arguments_are_there(parts: list[Described], repository: Path) -> None:
    files = included(parts)
    assert files.pop('ros_gz_sim/launch/gz_sim.launch.py')['gz_args'].startswith(
        '-r eq_stack/gazebo/worlds/scene.sdf ')
    assert set(files) == {f'eq_stack/launch/{name}.launch.py' for name in KINDS}
    for file, given in files.items():
        name = Path(file).name.removesuffix('.launch.py')
        assert (repository / 'launch' / Path(file).name).is_file()
        assert given['use_sim_time'] == 'true' and set(given) <= set(options([KINDS[name]]))
        for value in given.values():
            if value.startswith('eq_stack/'):
                assert (repository / value.removeprefix('eq_stack/')).exists(), value
    scenes = {path.stem for path in (repository / 'gazebo/worlds').glob('*.sdf')}
    conditions = {words(part.values[0]) for part in parts if part.kind == 'PythonExpression'}
    assert scenes == {scene for scene in scenes if f"'scene' == '{scene}'" in conditions}


def test_topics_meet(parts: list[Described], repository: Path) -> None:
    bridge = yaml.safe_load((repository / 'config/gz_bridge.yaml').read_text())
    to_ros = {each['ros_topic_name'] for each in bridge if each['direction'] == 'GZ_TO_ROS'}
    to_gazebo = {each['ros_topic_name'] for each in bridge} - to_ros
    given = [(name, value) for arguments in included(parts).values()
             for name, value in arguments.items()]
    out = {value for name, value in given if name.startswith('output_')}
    wanted = {value for name, value in given if name.startswith('input_')}
    commands = [word for part in parts if part.kind == 'ExecuteProcess'
                for word in map(words, part.options['cmd'])]
    assert '/goal_pose' in commands and 'eq_eval.gazebo.publish_map' in commands
    assert wanted <= to_ros | out | {'/map', '/goal_pose'}
    assert out & to_gazebo == {'/cmd_vel'}


def test_frames_are_where_the_sensors_are(parts: list[Described], repository: Path) -> None:
    found = frames(parts)
    folder = repository / 'gazebo'
    street = ElementTree.parse(folder / 'worlds/street.sdf').getroot()
    robot = next(each for each in street.iter('include') if each.findtext('name') == 'eq_robot')
    np.testing.assert_allclose(found['map', 'odom'], matrix(robot.findtext('pose', '')))
    for sensor in ElementTree.parse(folder / 'models/eq_robot/model.sdf').iter('sensor'):
        pose = matrix(sensor.findtext('pose', ''))
        camera = OPTICAL if sensor.get('type') == 'rgbd_camera' else np.eye(4)
        np.testing.assert_allclose(found['base_link', sensor.findtext('gz_frame_id', '')],
                                   pose @ camera, atol=1e-6)
    table = ElementTree.parse(folder / 'worlds/table.sdf').getroot()
    stand = next(each for each in table.iter('model') if each.get('name') == 'table_camera')
    base = matrix(f'0 0 {TABLE_TOP} 0 0 0')
    np.testing.assert_allclose(found['base_link', stand.findtext('link/sensor/gz_frame_id', '')],
                               np.linalg.inv(base) @ matrix(stand.findtext('pose', '')) @ OPTICAL,
                               atol=1e-6)


def test_table_lies_in_the_workspace_and_in_sight(repository: Path) -> None:
    folder = repository / 'gazebo'
    values = yaml.safe_load((repository / 'config/pick_place_policy.param.yaml').read_text())
    known = values['/**']['ros__parameters']
    shapes = read_shapes(folder / 'worlds/table.sdf', folder / 'models')
    things = np.concatenate([each.corners() for each in shapes
                             if each.model in ('block', 'fixture')]) - (0, 0, TABLE_TOP)
    assert (things.min(0) > np.array(known['workspace_lower']) - 1e-9).all()
    assert (things.max(0) < known['workspace_upper']).all()
    top = max(each.corners()[:, 2].max() for each in shapes if each.model == 'table')
    assert top == pytest.approx(TABLE_TOP)
    sensor = next(ElementTree.parse(folder / 'worlds/table.sdf').iter('sensor'))
    width, height = (float(sensor.findtext(f'camera/image/{side}', ''))
                     for side in ('width', 'height'))
    half = np.tan(float(sensor.findtext('camera/horizontal_fov', '')) / 2)
    corners = np.array([(x, y) for x in (.25, .75) for y in (-.5, .5)]) - (.5, 0.)
    seen = np.abs(corners) / .9     # the camera is 0.9 m above the middle, its columns go with y
    assert (seen[:, 1] < half).all() and (seen[:, 0] < half * height / width).all()


def test_way_to_the_goal_leads_round_the_car_on_the_lane(parts: list[Described], repository: Path
                                                         ) -> None:
    folder = repository / 'gazebo'
    world = world_map(read_shapes(folder / 'worlds/street.sdf', folder / 'models'))
    goal = yaml.safe_load(next(part.options['default_value'] for part in parts
                               if part.kind == 'DeclareLaunchArgument'
                               and part.values[0] == 'goal'))['pose']['position']
    start = frames(parts)['map', 'odom'][:2, 3]
    given = yaml.safe_load((folder / 'config/graph_planner.param.yaml').read_text())
    radius = given['/**']['ros__parameters']['robot_radius']
    plan = Planner(PlanningConfig(radius)).plan(
        world, (*start, 0.), (goal['x'], goal['y'], 0.), 60., lambda: False)
    assert plan.error_code == ErrorCode.NONE
    assert np.ptp(plan.poses[:, 1]) > 1.        # straight ahead stands a car
    cars = [each for each in read_shapes(folder / 'worlds/street.sdf', folder / 'models')
            if each.model == 'car_7' and each.kind == 'box']
    for car in cars:
        local = np.linalg.inv(car.pose) @ np.column_stack([
            plan.poses[:, :2], np.full(len(plan.poses), car.pose[2, 3]),
            np.ones(len(plan.poses))]).T
        outside = np.maximum(np.abs(local[:2]) - car.size[:2, None] / 2, 0.)
        assert np.hypot(*outside).min() > radius - world.resolution


@pytest.mark.parametrize('name', ['graph_planner', 'path_follower'])
def test_parameters_for_the_robot_are_known_and_in_range(repository: Path, name: str) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    kind = import_module(f'eq_navigation.nodes.{name}').Parameters
    fields = {each.name: each for each in dataclasses.fields(kind)}
    values = yaml.safe_load((repository / f'gazebo/config/{name}.param.yaml').read_text())
    for key, value in values['/**']['ros__parameters'].items():
        assert isinstance(value, type(fields[key].default)), key
