"""Starts the pick and place policy, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import POLICY
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one policy."""
    return describe(POLICY)
