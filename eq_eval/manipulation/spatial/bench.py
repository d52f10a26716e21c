"""Measures a spatial policy on a task, its own parts left out, a template and a twin beside it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eq_eval.manipulation.bench import unseen_seeds
from eq_eval.manipulation.spatial.evaluation import by_points
from eq_eval.manipulation.spatial.evaluation import by_voxels
from eq_eval.manipulation.spatial.evaluation import Decide
from eq_eval.manipulation.spatial.evaluation import evaluate_spatial
from eq_eval.manipulation.spatial.learning import open_or_learn_spatial
from eq_eval.manipulation.spatial.learning import spatial_demonstrations
from eq_eval.manipulation.spatial.learning import twin_recipe
from eq_eval.manipulation.spatial.task import TaskInSpace
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.manipulation.spatial.template import TemplatePolicy
from eq_eval.training.recipe import SpatialRecipe
from eq_manipulation.spatial.policy import SpatialPolicy

# The same weights, searched otherwise.
SEARCHES: dict[str, dict[str, Any]] = {
    'not_refined': {'refine': False},
    'icosahedron': {'lifting': 'icosahedron', 'degree': 2, 'refine': False},
    'icosahedron_refined': {'lifting': 'icosahedron', 'degree': 2}}
TEMPLATE, TWIN = 'template', 'transporter'
PEERS = (*SEARCHES, TEMPLATE, TWIN)

Say = Callable[[str], None]


def bench_spatial(shown: TaskInSpace, recipe: SpatialRecipe, scenes: int, peers: Collection[str],
                  say: Say, ours: bool = True, given: Path | None = None) -> dict[str, Any]:
    """Trains what was not trained before, and runs unseen episodes of any tilt.

    Args:
        shown: What is demonstrated.
        recipe: Of the training; its threads are those of the inference, too.
        scenes: Unseen episodes.
        peers: Which of `PEERS` are measured: other searches of the same weights, registration
            of templates, and the plain twin.
        say: Told what is done.
        ours: Whether ours is measured; its weights are needed by other searches in any case.
        given: Folder of the policy to measure, instead of training one.

    Returns:
        What `SpatialResults.to_dict` tells, the same of upright test scenes under ``upright``
        (not of a table, whose objects are upright anyway), ``training``, and under ``peers`` the
        others.
    """
    name, table = shown.name, shown.table
    seeds = unseen_seeds(scenes)

    def measure(label: str, decide: Decide, task: TaskInSpace) -> dict[str, Any]:
        return evaluate_spatial(decide, task, seeds,
                                partial(_episodes, say, label, scenes)).to_dict()

    # A simulator is opened once; scenes of any tilt are told from those that were shown.
    tests: TaskInSpace = shown if table is not None else SpatialTask(name, 'any', shown.shapes)
    result: dict[str, Any] = {}
    others: dict[str, Any] = {}
    if ours or any(label in SEARCHES for label in peers):
        policy, training = _opened(shown, recipe, say, given)
        if ours:
            result = measure('ours', by_voxels(policy, table), tests)
            if table is None:
                result['upright'] = measure('ours, upright', by_voxels(policy),
                                            SpatialTask(name, 'upright', shown.shapes))
        for label, change in SEARCHES.items():
            if label in peers:
                other = SpatialPolicy(replace(policy.config, **change), *policy.sessions)
                others[label] = measure(label, by_voxels(other, table), tests)
        policy.close()
        result['training'] = training
    if TEMPLATE in peers:
        example = TemplatePolicy(spatial_demonstrations(shown, recipe.demos)[0])
        others[TEMPLATE] = measure(TEMPLATE, by_points(example, table), tests)
    if TWIN in peers:
        twin, training = _opened(shown, twin_recipe(recipe), say)
        others[TWIN] = {**measure(TWIN, by_voxels(twin, table), tests), 'training': training}
        twin.close()
    return {'task': name, 'demos': recipe.demos, 'scenes': scenes, 'tilt': shown.tilt,
            'shapes': shown.shapes, **result, 'peers': others}


def _opened(shown: TaskInSpace, recipe: SpatialRecipe, say: Say, given: Path | None = None
            ) -> tuple[SpatialPolicy, dict[str, Any]]:
    if given is not None:
        return (SpatialPolicy.from_bundle(given, threads=recipe.threads),
                {'policy': given.name})
    return open_or_learn_spatial(
        shown, recipe, lambda step, row: say(f'step {step}, loss {row["total"]:.2f}'))


def _episodes(say: Say, label: str, scenes: int, done: int) -> None:
    say(f'{label}: {done} of {scenes} episodes')
