"""Publishes the map of a world on `/map`: `python -m eq_eval.gazebo.publish_map WORLD.sdf`."""

from __future__ import annotations

from pathlib import Path
import sys

from eq_eval.gazebo.occupancy import world_map
from eq_eval.gazebo.shapes import read_shapes


def main(path: str) -> None:
    """Reads the world; its models are expected in the folder beside that of the worlds."""
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_ros.map_publisher import publish_map
    publish_map(world_map(read_shapes(Path(path), Path(path).parents[1] / 'models')))


if __name__ == '__main__':
    main(sys.argv[1])
