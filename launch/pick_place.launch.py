"""Starts the pick and place policy, and RViz if asked for."""

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
    ('params_file', PathJoinSubstitution([SHARE, 'config', 'pick_place_policy.param.yaml']),
     'Parameters of the node, such as the workspace'),
    ('namespace', '', 'Namespace of the node'),
    ('model', '', 'Folder of the policy'),
    ('backends', '[openvino, onnxruntime]', 'Inference backends in order of preference'),
    ('precision', 'fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it'),
    ('input', 'rgbd', 'What to look with: rgbd or points'),
    ('input_depth', '~/input/depth', 'Topic of depth images, registered to colour'),
    ('input_color', '~/input/color', 'Topic of colour images'),
    ('input_camera_info', '~/input/camera_info', 'Topic of their camera'),
    ('input_points', '~/input/points', 'Topic of clouds with colours'),
    ('workspace_frame', 'base_link', 'Frame of the workspace and of all poses'),
    ('continuous', 'false', 'Whether every look is planned on'),
    ('rviz', 'false', 'Whether to start RViz'),
    ('log_level', 'info', 'Least severity that is logged'),
    ('autostart', 'true', 'Whether the node configures and activates itself'),
)


def generate_launch_description() -> LaunchDescription:
    """Describes one policy."""
    argument = {name: LaunchConfiguration(name) for name, _, _ in ARGUMENTS}
    typed = (('use_sim_time', bool), ('autostart', bool), ('continuous', bool), ('input', str),
             ('workspace_frame', str))
    policy = LifecycleNode(
        package='eq_stack', executable='pick_place_policy', name='pick_place_policy',
        namespace=argument['namespace'], output='screen', respawn=True, respawn_delay=1.0,
        parameters=[argument['params_file'], {
            **{name: ParameterValue(argument[name], value_type=kind) for name, kind in typed},
            'model_path': ParameterValue(argument['model'], value_type=str),
            'backends': ParameterValue(argument['backends'], value_type=List[str]),  # noqa: UP006
            'precision': ParameterValue(argument['precision'], value_type=str),
        }],
        remappings=[(f'~/input/{name}', argument[f'input_{name}'])
                    for name in ('depth', 'color', 'camera_info', 'points')],
        ros_arguments=['--log-level', argument['log_level']])
    rviz = Node(
        package='rviz2', executable='rviz2', condition=IfCondition(argument['rviz']),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'rviz', 'pick_place.rviz'])],
        parameters=[{'use_sim_time': ParameterValue(argument['use_sim_time'], value_type=bool)}])
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, default, text in ARGUMENTS),
        *(SetEnvironmentVariable(name, value)
          for name, value in transport_variables(os.environ).items()),
        policy, rviz])
