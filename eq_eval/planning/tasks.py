"""The navigation benchmark: what is learnt, where it is tested, and beside what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from eq_core.errors import InputError
from eq_eval.planning.driven_tasks import driven_costs
from eq_eval.planning.exploration_tasks import unknown_mazes
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.map_tasks import real_maps
from eq_eval.planning.maze_tasks import mazes_15
from eq_eval.planning.maze_tasks import mazes_larger
from eq_eval.planning.maze_tasks import mazes_turned
from eq_eval.planning.policy_tasks import message_passing
from eq_eval.planning.policy_terrain import message_passing_terrain
from eq_eval.planning.terrain_tasks import scattered_places
from eq_eval.planning.terrain_tasks import terrain_costs
from eq_eval.planning.view_tasks import view_mazes

TASKS: dict[str, Callable[[Path, Extent, Say], dict[str, Any]]] = {
    'N1': mazes_15, 'N2': mazes_larger, 'N3': mazes_turned, 'N4': terrain_costs,
    'N5': scattered_places, 'N6': unknown_mazes, 'N7': view_mazes, 'N8': real_maps,
    'MP': message_passing, 'MP-terrain': message_passing_terrain, 'driven': driven_costs}


def run_task(name: str, data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """Runs one task of the benchmark.

    Args:
        name: A key of `TASKS`.
        data: Folder of the published planning problems; own ones stand in where it is absent.
        extent: How much is run.
        say: Told of every figure as it comes.

    Raises:
        InputError: There is no such task.
    """
    if name not in TASKS:
        raise InputError(f'task must be one of {sorted(TASKS)}, got {name!r}')
    return {'task': name, 'published_mazes': (data / 'maze15_4conn').is_dir(),
            **TASKS[name](data, extent, say)}
