"""The loop closed against a real Gazebo 11: `python bench/nightly_gazebo.py [--json]`.

Sets up Gazebo 11 of Debian bullseye in a folder when first run (as root; two minutes, 1.4 GB), and
runs the street of `gazebo/` in it. Its LiDAR is compared with our ray caster; then detector,
planner and follower get the robot, live, and drive it to the goal.
"""

from __future__ import annotations

from pathlib import Path
import signal
import sys
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WORLD = 'street'
GOAL = (20., -1.75)
PATIENCE = 60.      # until the robot is there [s]


def main(
    system: Annotated[Path, typer.Option(help='Folder of the system that Gazebo 11 is in.')] = (
        Path('runs/gazebo/bullseye')),
    out: Annotated[Path, typer.Option(help='Folder of the logs.')] = Path('runs/gazebo'),
    port: Annotated[int, typer.Option(help="Of Gazebo's master.", min=1024, max=65535)] = 11377,
    columns: Annotated[int, typer.Option(
        help='Directions of the LiDAR about its axis.', min=256)] = 512,
    patience: Annotated[float, typer.Option(help='Longest drive [s].', min=1.)] = 900.,
    json: Annotated[bool, typer.Option('--json', help='Print JSON on the last line.')] = False,
) -> None:
    """Compares and drives; a full run stores its result. Exit code 1 if anything is amiss."""
    from eq_eval.cli.output import emit
    from eq_eval.gazebo.classic_server import ClassicServer
    from eq_eval.gazebo.classic_server import install
    from eq_eval.gazebo.closed_loop import cross_check
    from eq_eval.gazebo.closed_loop import drive
    from eq_eval.gazebo.robot import NAME
    from eq_eval.gazebo.robot import Robot
    from eq_eval.gazebo.shapes import read_shapes
    from eq_eval.replay.environment import require_ros
    from eq_eval.results import store
    require_ros()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))    # ends the server as well
    out.mkdir(parents=True, exist_ok=True)
    install(system.resolve())
    folder = ROOT / 'gazebo'
    shapes = [shape for shape in read_shapes(folder / f'worlds/{WORLD}.sdf', folder / 'models')
              if shape.model != NAME]
    with ClassicServer(system.resolve(), folder, WORLD, port, columns,
                       out / 'gzserver.log') as server:
        robot = Robot(port, WORLD, PATIENCE, server.check)
        lidar = cross_check(robot, shapes, folder / 'models')
        result = {'lidar': lidar, 'drive': drive(
            robot, still(shapes), folder, GOAL, out.resolve(), patience, server.check),
            'gazebo': '11', 'columns': columns}
        robot.close()
    store('nightly_gazebo', result, ['python', 'bench/nightly_gazebo.py'], None)
    emit(result, json, 'Gazebo 11')
    good = lidar['within'] > .999 and lidar['same'] > .999 and result['drive']['recall'] > .5
    raise typer.Exit(0 if good else 1)


def still(shapes: list) -> list:
    """All shapes as what they are in Gazebo 11: nothing but the robot moves there."""
    from dataclasses import replace
    return [replace(shape, static=True) for shape in shapes]


if __name__ == '__main__':
    typer.run(main)
