"""Launch descriptions of the nodes of `eq_ros.node_kinds`; needs ROS launch."""

from __future__ import annotations

import os
from typing import Any
from typing import List  # noqa: UP035 - the only spelling that launch_ros knows

from launch.actions import DeclareLaunchArgument
from launch.actions import SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch.substitutions import NotSubstitution
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from eq_ros.node_kinds import BUILD_ONLY
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import option
from eq_ros.node_kinds import options
from eq_ros.node_kinds import PARAMS_FILE
from eq_ros.transport import transport_variables
from launch import LaunchDescription

PACKAGE = 'eq_stack'
SHARE = FindPackageShare(PACKAGE)
RESPAWN_DELAY = .2      # [s]; a node that cannot start needs longer itself to find that out


def describe(*kinds: NodeKind, view: str = '') -> LaunchDescription:
    """Describes nodes that are started together, each started again when it ends.

    Args:
        kinds: The nodes.
        view: Configuration of RViz; that of the first node if empty.
    """
    files = {option(kinds, kind, PARAMS_FILE): PathJoinSubstitution(
        [SHARE, 'config', f'{kind.name}.param.yaml']) for kind in kinds}
    files |= {f'{kind.label}_model': PathJoinSubstitution([SHARE, kind.example])
              for kind in kinds if kind.example and len(kinds) > 1}
    declared = [DeclareLaunchArgument(name, default_value=files.get(name, each.default),
                                      description=each.description)
                for name, each in options(kinds).items()]
    rviz = Node(
        package='rviz2', executable='rviz2', condition=IfCondition(LaunchConfiguration('rviz')),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'rviz', view or kinds[0].view])],
        parameters=[{'use_sim_time': ParameterValue(LaunchConfiguration('use_sim_time'),
                                                    value_type=bool)}])
    return LaunchDescription([
        *declared,
        DeclareLaunchArgument('rviz', default_value='false', description='Whether to start RViz'),
        *(SetEnvironmentVariable(name, value)
          for name, value in transport_variables(os.environ).items()),
        *(_node(kinds, kind) for kind in kinds), rviz])


def _node(kinds: tuple[NodeKind, ...], kind: NodeKind) -> LifecycleNode:
    given = {each.name: LaunchConfiguration(option(kinds, kind, each)) for each in kind.arguments}
    types: dict[type, Any] = {list: List[str]}  # noqa: UP006
    return LifecycleNode(
        package=PACKAGE, executable=kind.name, name=kind.name,
        namespace=LaunchConfiguration('namespace'), output='screen',
        respawn=(NotSubstitution(LaunchConfiguration(BUILD_ONLY.name))
                 if BUILD_ONLY in kind.arguments else True), respawn_delay=RESPAWN_DELAY,
        parameters=[LaunchConfiguration(option(kinds, kind, PARAMS_FILE)), {
            each.parameter: ParameterValue(given[each.name],
                                           value_type=types.get(each.kind, each.kind))
            for each in kind.arguments if each.parameter}],
        remappings=[(each.topic, given[each.name]) for each in kind.arguments if each.topic],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')])
