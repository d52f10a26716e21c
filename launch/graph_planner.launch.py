"""Starts the graph planner, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import PLANNER
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one planner."""
    return describe(PLANNER)
