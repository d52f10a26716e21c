"""`eq plan MAP`: a path on a map file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json

Place = Annotated[str, typer.Option(help='X,Y or X,Y,YAW in the frame of the map [m, rad].')]


def plan(
    map_file: Annotated[Path, typer.Argument(
        metavar='MAP', help='YAML of map_server, or .map of MovingAI.')],
    start: Place, goal: Place,
    robot_radius: Annotated[float, typer.Option(help='[m]', min=0)] = 0.,
    allow_unknown: Annotated[bool, typer.Option(help='Cross unknown cells.')] = False,
    smooth: Annotated[bool, typer.Option(help='Pull the path tight.')] = True,
    json: Json = False,
) -> None:
    """Plans a path and checks it against the map; exit code 1 if there is none."""
    from eq_eval.cli.output import emit
    from eq_eval.datasets.map_file import read_map
    from eq_navigation.outcome import ErrorCode
    from eq_navigation.planner import is_valid
    from eq_navigation.planner import Planner
    from eq_navigation.planner import PlanningConfig

    world = read_map(map_file)
    config = PlanningConfig(robot_radius=robot_radius, allow_unknown=allow_unknown, smooth=smooth)
    answer = Planner(config).plan(world, _pose(start, 'start'), _pose(goal, 'goal'))
    found = answer.error_code == ErrorCode.NONE
    traversable = world.traversable(robot_radius, config.occupied, allow_unknown)
    emit({'error_code': int(answer.error_code), 'error': answer.error_text,
          'length_m': answer.length if found else None, 'poses': len(answer.poses),
          'valid': found and is_valid(world, traversable, answer.poses[:, :2]),
          'ms': answer.milliseconds}, json, f'plan on {map_file.name}')
    if not found:
        raise typer.Exit(1)


def _pose(text: str, name: str) -> tuple[float, float, float]:
    try:
        x, y, *yaw = (float(part) for part in text.split(','))
    except ValueError as error:
        raise typer.BadParameter(f'{name} must be X,Y or X,Y,YAW, got {text!r}') from error
    if len(yaw) > 1:
        raise typer.BadParameter(f'{name} must be X,Y or X,Y,YAW, got {text!r}')
    return x, y, yaw[0] if yaw else 0.
