"""N8: the planner on real occupancy grids, against exact search and published lengths.

Nothing is learnt here: the question is whether every way that there is is found, whether every
path is valid, and what it takes.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.sparse.csgraph import dijkstra

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.datasets.map_file import problem_ends
from eq_eval.datasets.map_file import read_map
from eq_eval.datasets.map_file import read_problems
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.sampling import PLANNERS
from eq_eval.planning.sampling import sampled_path
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.graph import grid_edges
from eq_navigation.outcome import ErrorCode
from eq_navigation.planner import is_valid
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig
from eq_navigation.planner import Pose
from eq_navigation.search import route_within

ROBOT_RADIUS = .2       # on maps of buildings [m]
PAIRS = 20              # random starts and goals on each map
FRESH = 3               # of them with a planner that does not know the map yet
PROBLEMS = 20           # of each published scenario
SAMPLED = 3             # pairs on each map that OMPL plans too

Row = dict[str, Any]


def real_maps(data: Path, extent: Extent, say: Say) -> Row:
    """Runs N8.

    Args:
        data: Folder of the planning problems, `maps` being beside it; without that own mazes.
        extent: Its `families` bounds the maps of each kind.
        say: Told of every map.
    """
    folder, rows, lengths = data.parent / 'maps', [], []
    kinds = {'ros': '*.yaml', 'ipa_room_segmentation': '*.yaml', 'movingai': '*.map'}
    limit = None if extent.families >= 8 else extent.families
    for kind, pattern in kinds.items():
        for path in sorted((folder / kind).glob(pattern))[:limit]:
            world = read_map(path)
            rows.append({'map': path.name, **_measure(
                world, ROBOT_RADIUS if path.suffix == '.yaml' else 0.)})
            scenario = path.with_name(f'{path.name}.scen')
            if scenario.is_file():
                rows[-1]['length_error'] = _published(world, scenario)
                lengths.append(rows[-1]['length_error'])
            row = rows[-1]
            say(f'{path.name}: {row["agreement"]:.1f} % right, p50 {row["p50_ms"]:.1f} ms')
    if not rows:
        for edge in (101, 401):
            free = make_mazes(1, edge, 8).free[0]
            world = OccupancyMap(np.where(free, 0, 100), .05)
            rows.append({'map': f'maze {edge}', **_measure(world, 0.)})
    near = [row for row in rows if row['cells'] <= 1.2 * 400 ** 2]
    return {'rows': rows, 'maps': len(rows), 'seeds': [0],
            'success': float(np.mean([row['agreement'] for row in rows])),
            'valid': float(np.mean([row['valid'] for row in rows])),
            'length_error': max(lengths, default=None),
            'spl': float(np.mean([row['spl'] for row in rows])),
            'p50_ms': _median(near, 'p50_ms'), 'first_p50_ms': _median(near, 'first_p50_ms'),
            'peers': {'scipy Dijkstra, p50_ms': _median(near, 'dijkstra_p50_ms'),
                      **_sampling(rows)},
            'note': 'times are over maps of up to 1.2 x 400 x 400 cells'}


def _measure(world: OccupancyMap, robot_radius: float) -> Row:
    """Plans between random places; whether there is a way is told by connected components."""
    rng, config = np.random.default_rng(0), PlanningConfig(robot_radius=robot_radius)
    traversable = world.traversable(robot_radius)
    rows, columns = np.nonzero(traversable)
    edges = grid_edges(traversable, world.resolution)
    part = connected_components(edges, directed=False)[1]
    planner, right, valid, shares = Planner(config), [], [], []
    sampled: dict[str, list[tuple[float, float]]] = {name: [] for name in PLANNERS}
    times: dict[str, list[float]] = {'p50_ms': [], 'first_p50_ms': [], 'dijkstra_p50_ms': []}
    for number in range(PAIRS):
        start, goal = rng.integers(len(rows), size=2)
        first, last = (_pose(world, rows[node], columns[node]) for node in (start, goal))
        plan = planner.plan(world, first, last)
        if number:      # the first one prepares the map
            times['p50_ms'].append(plan.milliseconds)
        if number < FRESH:
            times['first_p50_ms'].append(Planner(config).plan(world, first, last).milliseconds)
        found = plan.error_code == ErrorCode.NONE
        right.append(found == bool(part[start] == part[goal]))
        began = perf_counter()
        exact = dijkstra(edges, indices=np.array([start]))[0, goal]
        times['dijkstra_p50_ms'].append(1e3 * (perf_counter() - began))
        if found and len(sampled[PLANNERS[0]]) < SAMPLED and plan.length:
            ends = world.to_cells(np.array([first[:2], last[:2]]))
            for name in PLANNERS:
                length, spent = sampled_path(name, traversable, *ends)
                sampled[name].append((length * world.resolution / plan.length, spent))
        if found:
            valid.append(is_valid(world, traversable, plan.poses[:, :2]))
            shares.append(min(1., exact / plan.length) if plan.length else 1.)
    return {'cells': world.cells.size, 'nodes': len(rows),
            'agreement': 100 * float(np.mean(right)),
            'valid': 100 * float(np.mean(valid)) if valid else 100.,
            'spl': 100 * float(np.mean(shares)) if shares else 100., 'sampled': sampled,
            **{name: float(np.median(values)) for name, values in times.items()}}


def _pose(world: OccupancyMap, row: int, column: int) -> Pose:
    x, y = world.centre(np.array(row), np.array(column))
    return float(x), float(y), 0.


def _published(world: OccupancyMap, scenario: Path) -> float:
    """Largest difference from the published lengths, beyond their rounding [cells].

    Some files have six digits of each length and no more.
    """
    graph = CellGraph(Cells(world, world.traversable()))
    problems = read_problems(scenario)
    rounded = all(float(f'{each.length:.6g}') == each.length for each in problems)
    worst = 0.
    for problem in problems[::max(1, len(problems) // PROBLEMS)]:
        start, goal = (graph.node(*map(int, world.locate(place)[:2]))
                       for place in problem_ends(world, problem))
        route = route_within(graph.edges, start, goal, problem.length + 1)
        last = 10. ** (np.floor(np.log10(max(problem.length, 1.))) - 5) if rounded else 0.
        worst = max(worst, abs(route.cost - problem.length) - last / 2)
    return worst


def _sampling(rows: list[Row]) -> dict[str, float | None]:
    """What OMPL found on all maps: share of paths, lengths beside ours, times."""
    figures: dict[str, float | None] = {}
    for name in PLANNERS:
        found = np.array([pair for row in rows for pair in row['sampled'][name]]).reshape(-1, 2)
        there = np.isfinite(found[:, 0])
        if len(found):
            figures |= {f'OMPL {name}': 100 * float(there.mean()),
                        f'OMPL {name}, p50_ms': float(np.median(found[:, 1]))}
        if there.any():
            figures[f'OMPL {name}, length beside ours'] = float(np.mean(found[there, 0]))
    return figures


def _median(rows: list[Row], key: str) -> float | None:
    return float(np.median([row[key] for row in rows])) if rows else None
