"""Plays a bag to nodes of the stack, by simulated time, and ends with the bag."""

from launch.actions import DeclareLaunchArgument
from launch.actions import ExecuteProcess
from launch.actions import GroupAction
from launch.actions import IncludeLaunchDescription
from launch.actions import Shutdown
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch.substitutions import PythonExpression
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

CHOICES = {'stack': 'stack', 'detector': 'detector', 'segmenter': 'panoptic_segmenter',
           'planner': 'graph_planner', 'policy': 'pick_place'}      # what, to its launch file
ARGUMENTS = {
    'bag': (None, 'Folder of the rosbag2 recording'),
    'nodes': ('stack', f'What it is played to, with spaces between: {", ".join(CHOICES)}'),
    'rate': ('1.0', 'Speed relative to the recording'),
    'delay': ('10.0', 'Time for the nodes to become active before it begins [s]'),
    'cloud_topic': ('points', 'Topic of the clouds in the bag'),
    'namespace': ('', 'Namespace of the nodes, their actions and topics'),
    'log_level': ('info', 'Least severity that is logged'),
    'rviz': ('false', 'Whether to start RViz')}
GIVEN = {name: LaunchConfiguration(name) for name in ARGUMENTS}


def generate_launch_description() -> LaunchDescription:
    """Describes the nodes and what plays the bag."""
    play = ExecuteProcess(
        cmd=['ros2', 'bag', 'play', GIVEN['bag'], '--clock', '100', '--rate', GIVEN['rate'],
             '--delay', GIVEN['delay']], output='screen',
        on_exit=Shutdown(reason='the bag is over'))
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, (default, text) in ARGUMENTS.items()),
        *(_nodes(choice) for choice in CHOICES), play])


def _nodes(choice: str) -> GroupAction:
    """The launch file of a choice, where it is chosen."""
    file = PathJoinSubstitution([
        FindPackageShare('eq_stack'), 'launch', f'{CHOICES[choice]}.launch.py'])
    arguments = {'use_sim_time': 'true', **{
        name: GIVEN[name] for name in ('namespace', 'log_level', 'rviz')}}
    if choice in ('stack', 'detector', 'segmenter'):
        arguments['input_pointcloud'] = GIVEN['cloud_topic']
    chosen = PythonExpression(["'", choice, "' in '", GIVEN['nodes'], "'.split()"])
    return GroupAction([IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments=arguments.items())],
        condition=IfCondition(chosen))
