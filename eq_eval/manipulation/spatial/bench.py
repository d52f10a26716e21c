"""Measures a spatial policy on a task, its own parts left out and a template beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from eq_eval.manipulation.bench import unseen_seeds
from eq_eval.manipulation.learning import shipped_policy
from eq_eval.manipulation.spatial.evaluation import by_points
from eq_eval.manipulation.spatial.evaluation import by_voxels
from eq_eval.manipulation.spatial.evaluation import Decide
from eq_eval.manipulation.spatial.evaluation import evaluate_spatial
from eq_eval.manipulation.spatial.learning import open_or_learn_spatial
from eq_eval.manipulation.spatial.learning import spatial_demonstrations
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.manipulation.spatial.template import TemplatePolicy
from eq_eval.training.recipe import SpatialRecipe
from eq_manipulation.spatial.policy import SpatialPolicy

# The same weights, searched otherwise.
PEERS: dict[str, dict[str, Any]] = {
    'not_refined': {'refine': False},
    'icosahedron': {'lifting': 'icosahedron', 'degree': 2, 'refine': False},
    'icosahedron_refined': {'lifting': 'icosahedron', 'degree': 2}}

Say = Callable[[str], None]


def bench_spatial(shown: SpatialTask, recipe: SpatialRecipe, scenes: int, peers: bool, say: Say,
                  quick: bool = False) -> dict[str, Any]:
    """Trains what was not trained before, and runs unseen episodes of any tilt.

    Args:
        shown: What is demonstrated.
        recipe: Of the training; its threads are those of the inference, too.
        scenes: Unseen episodes.
        peers: Whether the search is measured without its parts, and the template.
        say: Told what is done.
        quick: Whether a shipped policy is measured where there is one, and nothing trained.

    Returns:
        What `SpatialResults.to_dict` tells, the same of upright test scenes under ``upright``,
        ``training``, and under ``peers`` the others.
    """
    name, tilt, shapes = shown.name, shown.tilt, shown.shapes
    shipped = (shipped_policy(name, recipe.demos)
               if quick and (tilt, shapes) == ('any', 'same') else None)
    training: dict[str, Any]
    if shipped is None:
        policy, training = open_or_learn_spatial(
            shown, recipe, lambda step, row: say(f'step {step}, loss {row["total"]:.2f}'))
    else:
        policy = SpatialPolicy.from_bundle(shipped, threads=recipe.threads)
        training = {'shipped': shipped.name}
    seeds = unseen_seeds(scenes)

    def measure(label: str, decide: Decide, test_tilt: str = 'any') -> dict[str, Any]:
        return evaluate_spatial(decide, SpatialTask(name, test_tilt, shapes), seeds,
                                partial(_episodes, say, label, scenes)).to_dict()

    result = measure('ours', by_voxels(policy))
    result['upright'] = measure('ours, upright', by_voxels(policy), 'upright')
    others: dict[str, Any] = {}
    if peers:
        for label, change in PEERS.items():
            other = SpatialPolicy(replace(policy.config, **change), *policy.sessions)
            others[label] = measure(label, by_voxels(other))
        example = TemplatePolicy(spatial_demonstrations(shown, recipe.demos)[0])
        others['template'] = measure('template', by_points(example))
    policy.close()
    return {'task': name, 'demos': recipe.demos, 'scenes': scenes, 'tilt': tilt, 'shapes': shapes,
            **result, 'training': training, 'peers': others}


def _episodes(say: Say, label: str, scenes: int, done: int) -> None:
    say(f'{label}: {done} of {scenes} episodes')
