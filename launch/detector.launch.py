"""Starts the LiDAR detector, and RViz if asked for."""

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
    ('params_file', PathJoinSubstitution([SHARE, 'config', 'lidar_detector.param.yaml']),
     'Parameters of the node'),
    ('namespace', '', 'Namespace of the node'),
    ('model', '', 'Folder of the model bundle; empty for the shipped model'),
    ('backends', '[openvino, onnxruntime]', 'Inference backends in order of preference'),
    ('precision', 'fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it'),
    ('input_pointcloud', '~/input/pointcloud', 'Topic of the clouds'),
    ('output_objects', '~/output/objects', 'Topic of the detections'),
    ('rviz', 'false', 'Whether to start RViz'),
    ('log_level', 'info', 'Least severity that is logged'),
    ('autostart', 'true', 'Whether the node configures and activates itself'),
)


def generate_launch_description() -> LaunchDescription:
    """Describes one detector."""
    argument = {name: LaunchConfiguration(name) for name, _, _ in ARGUMENTS}
    detector = LifecycleNode(
        package='eq_stack', executable='lidar_detector', name='lidar_detector',
        namespace=argument['namespace'], output='screen', respawn=True, respawn_delay=1.0,
        parameters=[argument['params_file'], {
            'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool),
            'autostart': ParameterValue(argument['autostart'], value_type=bool),
            'model_path': ParameterValue(argument['model'], value_type=str),
            'backends': ParameterValue(argument['backends'], value_type=List[str]),  # noqa: UP006
            'precision': ParameterValue(argument['precision'], value_type=str),
        }],
        remappings=[('~/input/pointcloud', argument['input_pointcloud']),
                    ('~/output/objects', argument['output_objects'])],
        ros_arguments=['--log-level', argument['log_level']])
    rviz = Node(
        package='rviz2', executable='rviz2', condition=IfCondition(argument['rviz']),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'rviz', 'detector.rviz'])],
        parameters=[{'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool)}])
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, default, text in ARGUMENTS),
        *(SetEnvironmentVariable(name, value)
          for name, value in transport_variables(os.environ).items()),
        detector, rviz])
