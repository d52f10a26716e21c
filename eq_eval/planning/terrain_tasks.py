"""Hidden costs of ground, learnt from what somebody did.

N4 on the cells of maps, taken to larger maps; N5 on scattered places, of other numbers and turned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from eq_eval.planning.evaluation import Score
from eq_eval.planning.evaluation import turned_graph
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.learning import learn
from eq_eval.planning.terrain import grid_terrain
from eq_eval.planning.terrain import LOOKS
from eq_eval.planning.terrain import scattered_terrain
from eq_eval.planning.terrain import Terrain
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.config import PlannerConfig
from eq_navigation.costs import LearnedCosts
from eq_navigation.planner import Costs
from eq_navigation.search import shortest_route

TRAIN_EDGE = 15
TRAIN_PLACES = 120
EDGES = {31: 1., 101: .3, 401: .02}     # sizes of the test, and shares of the test maps
PLACES = {500: .3, 1000: .2, 2000: .1}
QUERIES = 10                    # of each test map
ANGLE, ORIGIN = 77., np.array([300., -80.])    # of the turned test

Maker = Callable[[int, np.random.Generator], Terrain]


def terrain_recipe(maps: int, seed: int) -> PlannerRecipe:
    """The training on hidden ground."""
    return PlannerRecipe(planner=PlannerConfig(LOOKS), task='terrain', maps=maps, seed=seed,
                         iterations=1500, batch_size=16, weight_decay=.1)


def learn_terrain(make: Maker, size: int, maps: int, seed: int) -> tuple[LearnedCosts, float]:
    """Learns costs from the moves shown on some maps; returns them and the seconds it took."""
    rng = np.random.default_rng([seed, size])
    shown = [make(size, rng).demonstrate(rng) for _ in range(maps)]
    return learn(terrain_recipe(maps, seed), shown)


def score_terrain(costs: Costs, terrains: list[Terrain], seed: int = 0) -> dict[str, Any]:
    """Plans between random places; lengths are true costs."""
    rng, score = np.random.default_rng(seed), Score()
    for terrain in terrains:
        graph = terrain.graph
        began = perf_counter()
        planned = graph.matrix(costs(graph))
        true = graph.matrix(terrain.cost)
        prepared = perf_counter() - began
        for _ in range(QUERIES):
            start, goal = (int(each) for each in rng.choice(len(graph), 2, replace=False))
            began = perf_counter()
            route = shortest_route(planned, start, goal)
            score.milliseconds.append(1e3 * (perf_counter() - began + prepared))
            gone = float(np.sum(true[route.nodes[:-1], route.nodes[1:]]))
            score.add(gone, shortest_route(true, start, goal).cost)
    return score.result()


def terrain_costs(_: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N4: ground of square cells, learnt on 15 x 15 and taken to larger maps."""
    return _compare(grid_terrain, TRAIN_EDGE, EDGES, (10, *extent.maps[:1]), extent, say)


def scattered_places(_: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N5: scattered places, learnt on 120 of them and taken to more, upright and turned."""
    return _compare(scattered_terrain, TRAIN_PLACES, PLACES, extent.maps[:1], extent, say)


def _compare(make: Maker, train_size: int, sizes: dict[int, float], maps: tuple[int, ...],
             extent: Extent, say: Say) -> dict[str, Any]:
    """Learns from several numbers of maps with several seeds, beside planning by length."""
    tests, peers, rows = {}, {}, []
    for size, share in sizes.items():
        count = max(2, round(share * min(extent.test_maps, 100)))
        rng = np.random.default_rng([99, size])
        tests[size] = [make(size, rng) for _ in range(count)]
        peers[str(size)] = score_terrain(lambda graph: graph.length, tests[size])
        say(f'{size}: by length alone SPL {peers[str(size)]["spl"]:.2f}')
    for number in maps:
        for seed in extent.seeds:
            costs, seconds = learn_terrain(make, train_size, number, seed)
            for size, terrains in tests.items():
                rows.append({'maps': number, 'seed': seed, 'size': size,
                             'train_s': round(seconds, 1), **score_terrain(costs, terrains)})
                say(f'{number} maps, seed {seed}, {size}: SPL {rows[-1]["spl"]:.2f}')
            turned = score_terrain(costs, [
                replace(each, graph=turned_graph(each.graph, ANGLE, ORIGIN))
                for each in tests[min(sizes)]])
            rows.append({'maps': number, 'seed': seed, 'size': min(sizes), 'turned': ANGLE,
                         **turned})
    return {'rows': rows, 'maps': list(maps), 'seeds': list(extent.seeds),
            'success': min(row['success'] for row in rows),
            'spl': min(row['spl'] for row in rows),
            'p50_ms': {str(size): float(np.median([row['p50_ms'] for row in rows
                                                   if row['size'] == size])) for size in sizes},
            'peers': {'Dijkstra by length': peers, 'Dijkstra on the true costs': 100.}}
