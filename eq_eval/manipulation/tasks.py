"""All planar tasks of pick and place by name, and where their demonstrations are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eq_core.errors import ConfigError
from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.manipulation.demonstrations import load_demonstrations
from eq_eval.manipulation.recording import record
from eq_eval.manipulation.task import PickPlaceTask

EMBEDDED = ('insert-l-block', 'red-in-green', 'kit')
RAVENS = ('block-insertion', 'align-box-corner', 'place-red-in-green', 'packing-boxes',
          'towers-of-hanoi', 'assembling-kits', 'stack-block-pyramid')
# Where what lies elsewhere tells what comes next.
ORDERED = ('towers-of-hanoi', 'stack-block-pyramid')
FEW_ACTIONS = 20
# Optimiser steps for few shown actions and for more.
USUAL_STEPS = 800, 1500
# Of tasks that these leave half learned: which disc comes next hangs on all the others and on the
# colours of the stand; boxes are of all shapes.
STEPS = {'towers-of-hanoi': (3000, 3000), 'packing-boxes': (800, 4000)}
PLANAR_TASKS = (*EMBEDDED, *RAVENS)
DEMONSTRATIONS = Path('runs/demonstrations')
RECORDED = 10       # episodes that are recorded at least


def open_task(name: str) -> PickPlaceTask:
    """Starts the simulator of a task.

    Args:
        name: One of `PLANAR_TASKS`.

    Raises:
        ConfigError: There is no such task, or what it needs is not installed.
    """
    if name in EMBEDDED:
        from eq_eval.manipulation.tabletop.tasks import make_task
        return make_task(name)
    if name in RAVENS:
        from eq_eval.manipulation.ravens import RavensTask
        return RavensTask(name)
    raise ConfigError(f'task must be one of {", ".join(PLANAR_TASKS)}, got {name!r}')


def demonstrations_of(name: str, episodes: int, progress: Callable[[int], None] | None = None
                      ) -> list[Demonstration]:
    """Reads the demonstrations of a task; they are recorded when first asked for.

    Args:
        name: One of `PLANAR_TASKS`.
        episodes: How many episodes, those of the first even seeds that the oracle solves.
        progress: Called with the number of episodes recorded.
    """
    path = DEMONSTRATIONS / f'{name}.npz'
    if path.exists():
        shown = load_demonstrations(path)
        if len({each.episode for each in shown}) >= episodes:
            return load_demonstrations(path, episodes)
    task = open_task(name)
    try:
        record(task, max(episodes, RECORDED), path, progress)
    finally:
        task.close()
    return load_demonstrations(path, episodes)
