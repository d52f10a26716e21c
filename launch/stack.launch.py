"""Starts detector, segmenter, planner and policy together, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import STACK
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one of each node."""
    return describe(*STACK, view='stack.rviz')
