"""Starts the path follower, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import FOLLOWER
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one follower."""
    return describe(FOLLOWER)
