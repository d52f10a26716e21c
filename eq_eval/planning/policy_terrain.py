"""MP-terrain: value iteration by message passing on hidden ground, beside what N4 asks.

It learns from the same 10 maps of 15 x 15 cells as N4 and walks where its scores are highest; who
has not arrived after twice as many moves as the map has cells along both edges has failed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.group import PlanarGroup
from eq_eval.planning.evaluation import Score
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.policies import learn_policy
from eq_eval.planning.policies import plans
from eq_eval.planning.policy_tasks import BATCH
from eq_eval.planning.policy_tasks import RATES
from eq_eval.planning.terrain import grid_terrain
from eq_eval.planning.terrain import LOOKS
from eq_eval.planning.terrain import Terrain
from eq_eval.planning.terrain_tasks import terrain_recipe
from eq_eval.planning.terrain_tasks import TRAIN_EDGE
from eq_eval.training.planner import Demonstration
from eq_navigation.config import MessagePassingConfig
from eq_navigation.message_passing import iterations_for
from eq_navigation.message_passing import MessagePassingPlanner
from eq_navigation.search import cost_to_go

MAPS, STEPS = 10, 400
EDGES = {15: 30, 31: 20, 101: 3}        # sizes of the test, and maps of each
GOALS, STARTS = 2, 10                   # of each test map


def message_passing_terrain(_: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """Runs it with C4 and with its plain twin of equal operations."""
    config = MessagePassingConfig(features=LOOKS + 1, hidden=4, directions=8,
                                  iterations=iterations_for(TRAIN_EDGE ** 2))
    rows = []
    for seed in extent.seeds:
        rng = np.random.default_rng([seed, TRAIN_EDGE])
        shown = [grid_terrain(TRAIN_EDGE, rng).demonstrate(rng) for _ in range(MAPS)]
        for name, chosen in (('C4', config), ('C1', config.plain_twin())):
            recipe = replace(terrain_recipe(MAPS, seed), iterations=min(
                STEPS, 2 * extent.policy_steps), batch_size=BATCH, learning_rate=RATES[name])
            model, seconds = learn_policy(partial(MessagePassingPlanner, chosen), recipe, shown)
            for edge, count in EDGES.items():
                draw = np.random.default_rng([99, edge])
                tests = [grid_terrain(edge, draw) for _ in range(min(count, extent.test_maps))]
                rows.append({'network': name, 'maps': MAPS, 'seed': seed, 'size': edge,
                             'train_s': round(seconds, 1), **_score(model, tests)})
                say(f'{name}, seed {seed}, {edge}: {rows[-1]["success"]:.1f} %, SPL '
                    f'{rows[-1]["spl"]:.1f}')
    ours = [row for row in rows if row['network'] == 'C4']
    return {'rows': rows, 'maps': [MAPS], 'seeds': list(extent.seeds), 'steps': STEPS,
            'success': float(np.mean([row['success'] for row in ours])),
            'spl': float(np.mean([row['spl'] for row in ours])), 'p50_ms': None,
            'group': str(PlanarGroup(4)), 'peers': {'plain twin, spl': float(np.mean(
                [row['spl'] for row in rows if row['network'] == 'C1']))}}


def _score(model: Any, terrains: list[Terrain]) -> dict[str, Any]:
    """Walks from random places to random goals; lengths are true costs."""
    rng, score = np.random.default_rng(0), Score()
    for terrain in terrains:
        graph = terrain.graph
        true = graph.matrix(terrain.cost)
        goals = [int(goal) for goal in rng.choice(len(graph), GOALS, replace=False)]
        nobody = np.full(len(graph), -1)
        asked = [Demonstration(graph, goal, nobody) for goal in goals]
        found = plans(model, asked, iterations=iterations_for(len(graph)))
        for goal, towards in zip(goals, found, strict=True):
            optimal = cost_to_go(true, goal)[0]
            for start in rng.choice(np.flatnonzero(optimal > 0), STARTS):
                score.add(_walk(true, towards, int(start), goal), float(optimal[start]))
    return score.result()


def _walk(true: Any, towards: NDArray[np.int64], start: int, goal: int) -> float:
    """The true cost of the way; infinite if it does not arrive."""
    node, gone = start, 0.
    for _ in range(4 * int(np.sqrt(len(towards)))):
        if node == goal:
            return gone
        gone += float(true[node, towards[node]])
        node = int(towards[node])
    return np.inf
