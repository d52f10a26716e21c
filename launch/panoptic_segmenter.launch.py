"""Starts the panoptic segmenter, and RViz if asked for."""

from eq_ros.launch_files import describe
from eq_ros.node_kinds import SEGMENTER
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describes one segmenter."""
    return describe(SEGMENTER)
