"""N6: unknown mazes. The way that is gone, beside that of optimistic replanning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eq_eval.planning.exploration import explore
from eq_eval.planning.exploration import exploring_demonstrations
from eq_eval.planning.exploration import KNOWN_FEATURES
from eq_eval.planning.exploration import optimistic
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.learning import learn
from eq_eval.planning.mazes import free_edges
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.mazes import Mazes
from eq_eval.training.planner import Demonstration
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.config import PlannerConfig
from eq_navigation.planner import Costs
from eq_navigation.search import cost_to_go

EDGES = (15, 31)
MAPS = 300
STARTS = 2          # of each test maze


def exploration_recipe(maps: int, seed: int) -> PlannerRecipe:
    """The training on partly seen mazes."""
    return PlannerRecipe(planner=PlannerConfig(KNOWN_FEATURES), task='exploration', maps=maps,
                         seed=seed, iterations=800, batch_size=12,
                         learning_rate=3e-3)


def exploration_lessons(maps: int, seed: int) -> list[Demonstration]:
    """What somebody who knows mazes of both sizes would do in them when a part has been seen."""
    rng = np.random.default_rng([seed, 6])
    return [each for edge in EDGES for each in exploring_demonstrations(
        make_mazes(maps // len(EDGES), edge, 600 + seed), rng)]


def unknown_mazes(_: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N6: learnt on partly seen mazes, tested in others from nothing seen."""
    rows, peers = [], {}
    tests = {edge: make_mazes(min(extent.test_maps, 200), edge, 66) for edge in EDGES}
    for edge, test in tests.items():
        peers[str(edge)] = _score(optimistic, test)
        say(f'{edge}: optimistic {peers[str(edge)]["ratio"]:.4f} times the optimum')
    for seed in extent.seeds:
        costs, seconds = learn(exploration_recipe(MAPS, seed), exploration_lessons(MAPS, seed))
        for edge, test in tests.items():
            rows.append({'edge': edge, 'seed': seed, 'maps': MAPS,
                         'train_s': round(seconds, 1), **_score(costs, test)})
            gain = 1 - rows[-1]['steps'] / peers[str(edge)]['steps']
            rows[-1]['shorter'] = 100 * gain
            say(f'{edge}, seed {seed}: {rows[-1]["ratio"]:.4f}, {100 * gain:.2f} % shorter')
    return {'rows': rows, 'maps': [MAPS], 'seeds': list(extent.seeds),
            'success': min(row['success'] for row in rows),
            'spl': min(row['spl'] for row in rows),
            'shorter': {str(edge): float(np.mean([row['shorter'] for row in rows
                                                  if row['edge'] == edge])) for edge in EDGES},
            'p50_ms': None, 'peers': {'optimistic replanning': peers}}


def _score(costs: Costs, mazes: Mazes) -> dict[str, Any]:
    """Explores every maze from the same starts; `ratio` is of all steps to the fewest possible."""
    lattice, rng = mazes.lattice(), np.random.default_rng(0)
    gone, best = [], []
    for number, free in enumerate(mazes.free):
        goal = mazes.goal_row(number)
        distance, _ = cost_to_go(free_edges(lattice, free), goal)
        able = np.flatnonzero(np.isfinite(distance) & (distance > mazes.edge / 2))
        for start in rng.choice(able, STARTS) if len(able) else ():
            gone.append(explore(costs, free, int(start), goal, lattice))
            best.append(float(distance[start]))
    steps, least = np.array(gone), np.array(best)
    there = np.isfinite(steps)
    return {'success': 100 * float(there.mean()), 'queries': len(steps),
            'spl': 100 * float(np.where(there, least / np.maximum(steps, 1), 0).mean()),
            'steps': float(steps[there].sum()), 'ratio': float(steps[there].sum()
                                                               / least[there].sum())}
