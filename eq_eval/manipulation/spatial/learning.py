"""Spatial policies, trained when they are first asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_eval.manipulation.learning import POLICIES
from eq_eval.manipulation.spatial.demonstrations import load_spatial
from eq_eval.manipulation.spatial.demonstrations import save_spatial
from eq_eval.manipulation.spatial.demonstrations import show_demonstrations
from eq_eval.manipulation.spatial.demonstrations import SpatialDemonstration
from eq_eval.manipulation.spatial.task import TaskInSpace
from eq_eval.manipulation.tasks import DEMONSTRATIONS
from eq_eval.training.export import export_spatial
from eq_eval.training.loop import Progress
from eq_eval.training.recipe import SpatialRecipe
from eq_eval.training.spatial import train_spatial
from eq_manipulation.spatial.config import SpatialConfig
from eq_manipulation.spatial.config import STRIDE
from eq_manipulation.spatial.model import plain_twin
from eq_manipulation.spatial.policy import SpatialPolicy
from eq_manipulation.spatial.preprocess import cut_crop
from eq_manipulation.spatial.preprocess import pick_corner
from eq_manipulation.spatial.preprocess import scene_picture
from eq_manipulation.two_networks import PARTS

# Rotations of the coarse and of the other comparison of the plain twin: each is another picture
# that its network has to see, of which a step affords fewer.
TWIN_COARSE, TWIN_TURNS = 3, 12

Float = NDArray[np.float32]


def spatial_demonstrations(task: TaskInSpace, episodes: int) -> list[SpatialDemonstration]:
    """Reads the demonstrations of a task; they are recorded when first asked for."""
    path = DEMONSTRATIONS / f'{task.name}_{task.tilt}_{task.shapes}_{episodes}.npz'
    if not path.exists():
        save_spatial(path, show_demonstrations(task, episodes))
    return load_spatial(path)


def spatial_recipe(task: str, demos: int, iterations: int | None = None, seed: int = 0,
                   threads: int = 1, shading: float = SpatialRecipe.shading) -> SpatialRecipe:
    """The recipe of a policy.

    Args:
        task: Name of the task.
        demos: Episodes it learns from.
        iterations: Optimiser steps, the usual ones if None.
        seed: Of the run.
        threads: Of torch.
        shading: Most that light from elsewhere darkens a face by.
    """
    recipe = SpatialRecipe(task=task, demos=demos, seed=seed, threads=threads, shading=shading)
    return recipe if iterations is None else replace(recipe, iterations=iterations)


def twin_recipe(recipe: SpatialRecipe) -> SpatialRecipe:
    """The same for the plain twin, a Transporter Network of equal dense widths."""
    return replace(recipe, policy=plain_twin(recipe.policy), coarse=TWIN_COARSE, turns=TWIN_TURNS)


def spatial_example(shown: list[SpatialDemonstration], config: SpatialConfig
                    ) -> tuple[Float, Float]:
    """Picture and crop of the first demonstration."""
    first = shown[0]
    picture = scene_picture(first.voxels(), config)
    cell = np.floor((first.workspace.cell(first.pick[:3, 3]) + .5) / STRIDE).astype(int)
    x, y, z = (int(index) for index in cell)
    return picture, cut_crop(picture, pick_corner((z, y, x)), config)


def spatial_folder(recipe: SpatialRecipe, task: TaskInSpace) -> Path:
    """Where a training keeps its state, and its bundles in ``bundle``."""
    return POLICIES / (f'{task.name}_{task.tilt}_{task.shapes}_{recipe.demos}'
                       f'_{recipe.seed}_{recipe.iterations}_{recipe.shading:g}'
                       + '_plain' * (not recipe.policy.steerable))


def open_or_learn_spatial(task: TaskInSpace, recipe: SpatialRecipe,
                          progress: Progress | None = None
                          ) -> tuple[SpatialPolicy, dict[str, float]]:
    """Opens a policy that was trained before, or trains it now.

    Args:
        task: What is shown, its tilt and shapes those of the demonstrations.
        recipe: Of its training; its threads are those of the inference, too.
        progress: Called with step and losses now and then.

    Returns:
        The policy as it runs on a robot, and ``iterations`` and ``seconds`` of its training.
    """
    shown = spatial_demonstrations(task, recipe.demos)
    folder = spatial_folder(recipe, task)
    run = train_spatial(recipe, shown, folder, progress)    # one that has ended is only read
    bundle = folder / 'bundle'
    if not all((bundle / part / 'manifest.json').exists() for part in PARTS):
        export_spatial(run.exported(), bundle, *spatial_example(shown, recipe.policy), task.name,
                       {'seed': recipe.seed, 'iterations': run.step}, '')
    return (SpatialPolicy.from_bundle(bundle, threads=recipe.threads),
            {'iterations': run.step, 'seconds': round(run.seconds)})
