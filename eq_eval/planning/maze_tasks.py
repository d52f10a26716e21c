"""Mazes whose walls are nodes like others: what a wall is must be learnt from demonstrations.

N1 learns the published mazes of 15 x 15 cells, and the eight published families of 32 x 32; N2
takes the planner of N1 to larger mazes; N3 turns and moves the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_eval.planning.evaluation import evaluate_mazes
from eq_eval.planning.evaluation import turned_graph
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.learning import learn
from eq_eval.planning.learning import learn_plain
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.mazes import Mazes
from eq_eval.planning.mazes import read_mazes
from eq_eval.training.planner import Demonstration
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.costs import LearnedCosts
from eq_navigation.graph import GeometricGraph
from eq_navigation.planner import Costs

LARGER = (28, 50, 99)
CELLS_PER_BATCH = 7200      # 32 mazes of 15 x 15
ANGLES = (30., 45., 77.)
PUBLISHED = {'SymGPPN, 10 000 maps': 99.98, 'SymVIN, 10 000 maps': 98.99,
             'VIN, 10 000 maps': 66.97}    # success on N1 (Zhao et al. 2023, table 1)


def demonstrations(mazes: Mazes) -> list[Demonstration]:
    """The optimal moves of mazes, as somebody would show them."""
    lattice = mazes.lattice()
    return [Demonstration(mazes.graph(lattice, number), mazes.goal_row(number),
                          mazes.action[number].reshape(-1)) for number in range(len(mazes))]


def maze_recipe(edge: int, maps: int, seed: int) -> PlannerRecipe:
    """The training on mazes of a size; batches have as many cells whatever it is."""
    return PlannerRecipe(seed=seed, maps=maps, batch_size=max(1, CELLS_PER_BATCH // edge ** 2))


def learn_mazes(mazes: Mazes, maps: int, seed: int) -> tuple[LearnedCosts, float]:
    """Learns costs from the first maps of a random order; returns them and the seconds it took."""
    chosen = np.random.default_rng(seed).permutation(len(mazes))[:maps]
    return learn(maze_recipe(mazes.edge, maps, seed), demonstrations(mazes.select(chosen)))


def mazes_15(data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N1: sample efficiency on the published mazes, and on the eight published families."""
    train, test = published_or_own(data, extent)
    rows = []
    for maps in extent.maps:
        for seed in extent.seeds:
            costs, seconds = learn_mazes(train, maps, seed)
            rows.append({'maps': maps, 'seed': seed, 'train_s': round(seconds, 1),
                         **evaluate_mazes(costs, test, extent.starts)})
            say(f'{maps} maps, seed {seed}: {rows[-1]["success"]:.2f} %')
    families: dict[str, dict[str, Any]] = {}
    for path in sorted((data / 'mpd_32').glob('*_train.npz'))[:extent.families]:
        family = path.stem.removesuffix('_train')
        shown, valid = read_mazes(path), read_mazes(path.with_name(f'{family}_valid.npz'))
        tried = []
        for seed in extent.seeds:
            costs, seconds = learn_mazes(shown, 100, seed)
            tried.append({'seed': seed, 'train_s': round(seconds, 1), **evaluate_mazes(
                costs, valid.select(slice(extent.test_maps)), extent.starts)})
        families[family] = {'success': min(row['success'] for row in tried),
                            'spl': min(row['spl'] for row in tried), 'rows': tried}
        say(f'{family}: {families[family]["success"]:.2f} %, SPL {families[family]["spl"]:.2f}')
    by_maps = {str(maps): {'success': _mean(rows, 'success', maps),
                           'worst': min(row['success'] for row in rows if row['maps'] == maps)}
               for maps in extent.maps}
    return {'rows': rows, 'families': families, 'maps': list(extent.maps),
            'seeds': list(extent.seeds), 'by_maps': by_maps,
            'success': _mean(rows, 'success', max(extent.maps)),
            'spl': _mean(rows, 'spl', max(extent.maps)),
            'p50_ms': float(np.median([row['p50_ms'] for row in rows])),
            'peers': PUBLISHED | {'Dijkstra that is told the walls': 100.}}


def mazes_larger(data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N2: the planner learnt at 15 x 15, in larger mazes of the same kind."""
    train, _ = published_or_own(data, extent)
    rows = []
    for seed in extent.seeds:
        costs, _ = learn_mazes(train, max(extent.maps), seed)
        for edge in LARGER:
            test = make_mazes(min(extent.test_maps, 1000), edge, 99)
            rows.append({'edge': edge, 'seed': seed, 'maps': max(extent.maps),
                         **evaluate_mazes(costs, test, extent.starts)})
            say(f'{edge} x {edge}, seed {seed}: {rows[-1]["success"]:.2f} %')
    return {'rows': rows, 'maps': [max(extent.maps)], 'seeds': list(extent.seeds),
            'success': min(row['success'] for row in rows),
            'spl': min(row['spl'] for row in rows),
            'p50_ms': max(row['p50_ms'] for row in rows),
            'peers': {'SymGPPN trained at 28 / 50, 10 000 maps': [99.86, 99.49],
                      'Dijkstra that is told the walls': 100.}}


def mazes_turned(data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N3: the same mazes turned, with a random origin: the answer must not change."""
    train, test = published_or_own(data, extent)
    maps, seed = min(extent.maps), extent.seeds[0]
    costs, _ = learn_mazes(train, maps, seed)
    upright = evaluate_mazes(costs, test, extent.starts)
    chosen = np.random.default_rng(seed).permutation(len(train))[:maps]
    plain = learn_plain(maze_recipe(train.edge, maps, seed), demonstrations(train.select(chosen)))
    twin = [evaluate_mazes(plain, test, extent.starts)['success']]
    rng, rows, lattice = np.random.default_rng(3), [], test.lattice()
    for angle in ANGLES:
        origin = rng.uniform(-1000, 1000, 2)
        turned, other = (evaluate_mazes(partial(_turned_costs, each, angle, origin), test,
                                        extent.starts) for each in (costs, plain))
        twin.append(other['success'])
        graph = test.graph(lattice, 0)
        before, after = costs(graph), _turned_costs(costs, angle, origin, graph)
        difference = float((np.abs(after - before) / np.maximum(before, 1e-9))[graph.mask].max())
        rows.append({'angle': angle, 'difference': difference,
                     'drop': upright['success'] - turned['success'], **turned})
        say(f'{angle} degrees: {turned["success"]:.2f} %, costs differ by {difference:.1e}, '
            f'plain twin {twin[-1]:.2f} %')
    return {'upright': upright, 'rows': rows, 'maps': [min(extent.maps)],
            'seeds': [extent.seeds[0]], 'success': min(row['success'] for row in rows),
            'spl': min(row['spl'] for row in rows),
            'p50_ms': max(row['p50_ms'] for row in rows),
            'difference': max(row['difference'] for row in rows),
            'drop': max(row['drop'] for row in rows),
            'peers': {'plain twin, upright and turned by 30, 45, 77 degrees': twin}}


def _turned_costs(costs: Costs, degrees: float, origin: NDArray[np.float64],
                  graph: GeometricGraph) -> NDArray[np.float64]:
    """Costs of the graph turned and moved."""
    return costs(turned_graph(graph, degrees, origin))


def published_or_own(data: Path, extent: Extent) -> tuple[Mazes, Mazes]:
    """The published mazes, or our own of the same kind where they are absent."""
    folder = data / 'maze15_4conn'
    if folder.is_dir():
        train, test = read_mazes(folder / 'train.npz'), read_mazes(folder / 'valid.npz')
    else:
        train, test = make_mazes(max(extent.maps), 15, 1), make_mazes(extent.test_maps, 15, 2)
    return train, test.select(slice(extent.test_maps))


def _mean(rows: Sequence[dict[str, Any]], key: str, maps: int) -> float:
    return float(np.mean([row[key] for row in rows if row['maps'] == maps]))
