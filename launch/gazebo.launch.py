"""Starts Gazebo, the bridge and what a scene needs of the stack; see docs/gazebo.md."""

import sys

from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch.substitutions import PythonExpression
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import actions
from launch import LaunchDescription

SHARE = FindPackageShare('eq_stack')
CONFIG = PathJoinSubstitution([SHARE, 'gazebo/config'])
ARGUMENTS = {
    'scene': ('street', 'What to start: street or table'),
    'headless': ('false', 'Whether to start the server only'),
    'follower': ('true', 'Whether our follower drives; false leaves it to Nav2'),
    'goal': ('{header: {frame_id: map}, pose: {position: {x: 20.0, y: -1.75}, '
             'orientation: {w: 1.0}}}', 'Where to drive, geometry_msgs/PoseStamped as YAML')}
GIVEN = {name: LaunchConfiguration(name) for name in ARGUMENTS}
PUBLISH_MAP = [sys.executable, '-m', 'eq_eval.gazebo.publish_map']
PUBLISH_GOAL = ['ros2', 'topic', 'pub', '-r', '0.2', '/goal_pose', 'geometry_msgs/msg/PoseStamped']
# Frames that do not move, by scene: parent, child, x y z [m] qx qy qz qw
FRAMES = {'street': (('map', 'odom', '-20 -1.75 0 0 0 0 1'),
                     ('base_link', 'lidar', '-0.2 0 1.73 0 0 0 1'),
                     ('base_link', 'camera_optical_frame', '0.42 0 0.42 -0.5 0.5 -0.5 0.5')),
          'table': (('base_link', 'table_camera', '0.5 0 0.9 -0.7071068 0.7071068 0 0'),)}
FLAGS = ('--x', '--y', '--z', '--qx', '--qy', '--qz', '--qw')
STREET = {
    'detector': {'input_pointcloud': '/points'},
    'graph_planner': {'params_file': [CONFIG, '/graph_planner.param.yaml'], 'input_map': '/map',
                      'input_goal': '/goal_pose', 'output_path': '/path'},
    'path_follower': {'params_file': [CONFIG, '/path_follower.param.yaml'], 'input_path': '/path',
                      'input_odometry': '/odometry', 'output_cmd_vel': '/cmd_vel'}}
TABLE = {'pick_place': {
    'model': PathJoinSubstitution([SHARE, 'models/block_insertion']), 'continuous': 'true',
    **{f'input_{each}': f'/table_camera/{topic}' for each, topic in (
        ('depth', 'depth/image_raw'), ('color', 'color/image_raw'),
        ('camera_info', 'color/camera_info'))}}}


def generate_launch_description() -> LaunchDescription:
    """Describes simulator, bridge, frames, map, goal and nodes."""
    world = [PathJoinSubstitution([SHARE, 'gazebo/worlds', GIVEN['scene']]), '.sdf']
    server = PythonExpression([
        "'-s --headless-rendering' if '", GIVEN['headless'], "' in ('true', 'True', '1') else ''"])
    return LaunchDescription([
        *(actions.DeclareLaunchArgument(name, default_value=default, description=text)
          for name, (default, text) in ARGUMENTS.items()),
        actions.AppendEnvironmentVariable('GZ_SIM_RESOURCE_PATH', [SHARE, '/gazebo/models']),
        include('ros_gz_sim', 'gz_sim', {'gz_args': ['-r ', *world, ' ', server]}),
        Node(package='ros_gz_bridge', executable='parameter_bridge', parameters=[{
            'config_file': PathJoinSubstitution([SHARE, 'config/gz_bridge.yaml'])}]),
        scene('street', STREET, actions.ExecuteProcess(cmd=PUBLISH_MAP + [world]),
              actions.ExecuteProcess(cmd=PUBLISH_GOAL + [GIVEN['goal']])),
        scene('table', TABLE)])


def include(package, name, arguments, **options) -> actions.GroupAction:
    """A launch file of a package; its arguments stay its own."""
    file = PathJoinSubstitution([FindPackageShare(package), 'launch', f'{name}.launch.py'])
    return actions.GroupAction([actions.IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments=arguments.items())], **options)


def scene(name, nodes, *more) -> actions.GroupAction:
    """What one of the scenes needs: frames, nodes of the stack, and more."""
    frames = [Node(package='tf2_ros', executable='static_transform_publisher', arguments=[
        '--frame-id', parent, '--child-frame-id', child, *(
            word for pair in zip(FLAGS, pose.split(), strict=True) for word in pair)])
        for parent, child, pose in FRAMES[name]]
    parts = [include('eq_stack', node, {'use_sim_time': 'true', **arguments}, **(
        {'condition': IfCondition(GIVEN['follower'])} if node == 'path_follower' else {}))
        for node, arguments in nodes.items()]
    return actions.GroupAction([*frames, *parts, *more], condition=IfCondition(
        PythonExpression(["'", GIVEN['scene'], f"' == '{name}'"])))
