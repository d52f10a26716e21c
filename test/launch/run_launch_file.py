"""Runs a launch file as `ros2 launch` does: `run_launch_file.py FILE name:=value ...`."""

from __future__ import annotations

import sys

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

from launch import LaunchDescription
from launch import LaunchService


def main(path: str, *assignments: str) -> int:
    """Includes the file and runs until it ends."""
    service = LaunchService()
    arguments = [tuple(item.split(':=', 1)) for item in assignments]
    service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
        AnyLaunchDescriptionSource(path), launch_arguments=arguments)]))
    return service.run()


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
