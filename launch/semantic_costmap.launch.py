"""Starts the costmap of labelled points, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import COSTMAP
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one costmap."""
    return describe(COSTMAP)
