"""Starts the graph planner, and RViz if asked for."""

import os
from typing import List  # noqa: UP035 - the only spelling that launch_ros knows

from launch.actions import DeclareLaunchArgument
from launch.actions import SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from eq_ros.transport import transport_variables
from launch import LaunchDescription

SHARE = FindPackageShare('eq_stack')
ARGUMENTS = (
    ('use_sim_time', 'false', 'Whether time comes from /clock, as with a bag'),
    ('params_file', PathJoinSubstitution([SHARE, 'config', 'graph_planner.param.yaml']),
     'Parameters of the node'),
    ('namespace', '', 'Namespace of the node, and of the action compute_path_to_pose'),
    ('model', '', 'Folder of a bundle with learned costs; empty for lengths'),
    ('backends', '[openvino, onnxruntime]', 'Inference backends in order of preference'),
    ('precision', 'fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it'),
    ('input_map', '~/input/map', 'Topic of the map'),
    ('input_map_updates', '~/input/map_updates', 'Topic of updates of a part of it'),
    ('input_goal', '~/input/goal', 'Topic of goals'),
    ('output_path', '~/output/path', 'Topic of the paths'),
    ('robot_base_frame', 'base_link', 'Frame of the robot, where paths start'),
    ('rviz', 'false', 'Whether to start RViz'),
    ('log_level', 'info', 'Least severity that is logged'),
    ('autostart', 'true', 'Whether the node configures and activates itself'),
)


def generate_launch_description() -> LaunchDescription:
    """Describes one planner."""
    argument = {name: LaunchConfiguration(name) for name, _, _ in ARGUMENTS}
    planner = LifecycleNode(
        package='eq_stack', executable='graph_planner', name='graph_planner',
        namespace=argument['namespace'], output='screen', respawn=True, respawn_delay=1.0,
        parameters=[argument['params_file'], {
            'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool),
            'autostart': ParameterValue(argument['autostart'], value_type=bool),
            'model_path': ParameterValue(argument['model'], value_type=str),
            'backends': ParameterValue(argument['backends'], value_type=List[str]),  # noqa: UP006
            'precision': ParameterValue(argument['precision'], value_type=str),
            'robot_base_frame': ParameterValue(argument['robot_base_frame'], value_type=str),
        }],
        remappings=[(f'~/{end}/{name}', argument[f'{end}_{name}']) for end, name in (
            ('input', 'map'), ('input', 'map_updates'), ('input', 'goal'), ('output', 'path'))],
        ros_arguments=['--log-level', argument['log_level']])
    rviz = Node(
        package='rviz2', executable='rviz2', condition=IfCondition(argument['rviz']),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'rviz', 'planner.rviz'])],
        parameters=[{'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool)}])
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, default, text in ARGUMENTS),
        *(SetEnvironmentVariable(name, value)
          for name, value in transport_variables(os.environ).items()),
        planner, rviz])
