"""Policies of a task, trained when they are first asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.manipulation.tasks import demonstrations_of
from eq_eval.manipulation.tasks import FEW_ACTIONS
from eq_eval.manipulation.tasks import ORDERED
from eq_eval.manipulation.tasks import STEPS
from eq_eval.manipulation.tasks import USUAL_STEPS
from eq_eval.training.export import export_policy
from eq_eval.training.loop import Progress
from eq_eval.training.policy import train_policy
from eq_eval.training.recipe import PolicyRecipe
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.config import STRIDE
from eq_manipulation.planar.model import plain_twin
from eq_manipulation.planar.policy import PlanarPolicy
from eq_manipulation.planar.preprocess import cut_crop
from eq_manipulation.planar.preprocess import pick_corner
from eq_manipulation.planar.preprocess import scene_picture
from eq_manipulation.two_networks import PARTS
from eq_ros.transport import shared_file

TWIN_ROTATIONS = 36     # as published
POLICIES = Path('runs/policies')

Float = NDArray[np.float32]


def policy_recipe(task: str, shown: list[Demonstration], group: str = 'C4',
                  iterations: int | None = None, seed: int = 0, threads: int = 1,
                  ordered: bool | None = None) -> PolicyRecipe:
    """The recipe of a policy; the size of the table is that of the demonstrations.

    Args:
        task: Name of the task.
        shown: Demonstrations.
        group: Symmetry; C1 is the plain twin, a Transporter Network of equal dense widths.
        iterations: Optimiser steps; by the task and the number of shown actions if None.
        seed: Of the run.
        threads: Of torch.
        ordered: Whether what lies elsewhere tells what comes next, so that nothing may be put
            elsewhere for training; by the task if None.

    Raises:
        ConfigError: The demonstrations are of several sizes.
    """
    spaces = {(each.heightmap.workspace.shape, each.heightmap.workspace.resolution)
              for each in shown}
    if len(spaces) != 1:
        raise ConfigError(f'demonstrations must be of one table, got {sorted(spaces)}')
    (_, rows, columns), resolution = spaces.pop()
    space = shown[0].heightmap.workspace
    config = PlanarConfig(rows=rows, columns=columns, resolution=resolution,
                          depth=space.upper[2] - space.lower[2])
    config = (plain_twin(replace(config, frequencies=0, rotations=TWIN_ROTATIONS))
              if group == 'C1' else replace(config, group=group))
    episodes = len({each.episode for each in shown})
    if iterations is None:
        iterations = STEPS.get(task, USUAL_STEPS)[len(shown) > FEW_ACTIONS]
    recipe = PolicyRecipe(policy=config, task=task, demos=episodes, iterations=iterations,
                          seed=seed, threads=threads)
    if task in ORDERED if ordered is None else ordered:
        return replace(recipe, rearrange=0., finished=0.)
    return recipe


def golden_example(shown: list[Demonstration], config: PlanarConfig) -> tuple[Float, Float]:
    """Picture and crop (5, edge, edge) of the first demonstration."""
    first = shown[0]
    picture = scene_picture(first.heightmap, config)
    edge = first.heightmap.workspace.cell(first.pick[:3, 3])[:2] + .5 + config.margin[::-1]
    column, row = np.floor(edge / STRIDE).astype(int)
    return picture, cut_crop(picture, pick_corner(int(row), int(column)), config)


def policy_folder(recipe: PolicyRecipe) -> Path:
    """Where a training of a policy keeps its state, and its bundles in ``bundle``."""
    return POLICIES / (f'{recipe.task}_{recipe.demos}_{recipe.policy.group.lower()}'
                       f'_{recipe.seed}_{recipe.iterations}')


def shipped_policy(task: str, demos: int) -> Path | None:
    """Folder of the shipped policy that learned a task from as many episodes, if there is one."""
    try:
        folder = shared_file(f'models/{task.replace("-", "_")}/scene/manifest.json').parents[1]
    except ConfigError:
        return None
    learned = Bundle.load(folder / 'scene').manifest.training['recipe']
    return folder if (learned['task'], learned['demos']) == (task, demos) else None


def open_or_learn(task: str, demos: int, group: str = 'C4', seed: int = 0, threads: int = 1,
                  iterations: int | None = None, progress: Progress | None = None
                  ) -> tuple[PlanarPolicy, Path, dict[str, Any]]:
    """Opens a policy that was trained before, or trains it now.

    Args:
        task: Name of the task.
        demos: Episodes it learns from.
        group: Symmetry, C1 for the plain twin.
        seed: Of the training.
        threads: Of training and inference.
        iterations: Optimiser steps; by the task and the number of shown actions if None.
        progress: Called with step and losses now and then.

    Returns:
        The policy as it runs on a robot, the folder of its training, and ``iterations`` and
        ``seconds`` of that.
    """
    shown = demonstrations_of(task, demos)
    recipe = policy_recipe(task, shown, group, iterations, seed, threads)
    folder = policy_folder(recipe)
    run = train_policy(recipe, shown, folder, progress)     # one that has ended is only read
    bundle = folder / 'bundle'
    if not all((bundle / part / 'manifest.json').exists() for part in PARTS):
        export_policy(run.exported(), bundle, *golden_example(shown, recipe.policy), task,
                      {'seed': seed, 'iterations': run.step}, '')
    return (PlanarPolicy.from_bundle(bundle, threads=threads), folder,
            {'iterations': run.step, 'seconds': round(run.seconds)})
