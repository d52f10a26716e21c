"""Starts the panoptic segmenter, and RViz if asked for."""

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
    ('params_file', PathJoinSubstitution([SHARE, 'config', 'panoptic_segmenter.param.yaml']),
     'Parameters of the node'),
    ('namespace', '', 'Namespace of the node'),
    ('model', '', 'Folder of the model bundle; empty for the shipped model'),
    ('backends', '[openvino, onnxruntime]', 'Inference backends in order of preference'),
    ('precision', 'fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it'),
    ('input_pointcloud', '~/input/pointcloud', 'Topic of the clouds'),
    ('input_odometry', '~/input/odometry', "Topic of the odometry, for the source 'topic'"),
    ('odometry_source', 'none', "Where odometry comes from: 'none', 'topic' or 'tf'"),
    ('odom_frame', 'odom', "Frame in which poses do not jump, for the source 'tf'"),
    ('output_pointcloud', '~/output/pointcloud', 'Topic of the labelled points'),
    ('output_objects', '~/output/objects', 'Topic of the tracked objects'),
    ('rviz', 'false', 'Whether to start RViz'),
    ('log_level', 'info', 'Least severity that is logged'),
    ('autostart', 'true', 'Whether the node configures and activates itself'),
)


def generate_launch_description() -> LaunchDescription:
    """Describes one segmenter."""
    argument = {name: LaunchConfiguration(name) for name, _, _ in ARGUMENTS}
    segmenter = LifecycleNode(
        package='eq_stack', executable='panoptic_segmenter', name='panoptic_segmenter',
        namespace=argument['namespace'], output='screen', respawn=True, respawn_delay=1.0,
        parameters=[argument['params_file'], {
            'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool),
            'autostart': ParameterValue(argument['autostart'], value_type=bool),
            'model_path': ParameterValue(argument['model'], value_type=str),
            'backends': ParameterValue(argument['backends'], value_type=List[str]),  # noqa: UP006
            'precision': ParameterValue(argument['precision'], value_type=str),
            'odometry_source': ParameterValue(argument['odometry_source'], value_type=str),
            'odom_frame': ParameterValue(argument['odom_frame'], value_type=str),
        }],
        remappings=[(f'~/{end}/{name}', argument[f'{end}_{name}']) for end, name in (
            ('input', 'pointcloud'), ('input', 'odometry'), ('output', 'pointcloud'),
            ('output', 'objects'))],
        ros_arguments=['--log-level', argument['log_level']])
    rviz = Node(
        package='rviz2', executable='rviz2', condition=IfCondition(argument['rviz']),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'rviz', 'segmenter.rviz'])],
        parameters=[{'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool)}])
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, default, text in ARGUMENTS),
        *(SetEnvironmentVariable(name, value)
          for name, value in transport_variables(os.environ).items()),
        segmenter, rviz])
