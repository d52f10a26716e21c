"""Costs that are learnt from driven paths on one map, planned with on others.

The driver dislikes being near to obstacles, which nobody tells the planner: it sees a few paths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.datasets.map_file import read_map
from eq_eval.planning.driven_paths import demonstrate
from eq_eval.planning.driven_paths import driven_recipe
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.learning import learn
from eq_eval.planning.mazes import make_mazes
from eq_navigation.features import map_features
from eq_navigation.graph import GeometricGraph
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig
from eq_navigation.planner import Pose

DRIVEN = (3, 10)        # paths that are shown
ASKED = 12              # of each test map
CORRIDOR, RESOLUTION = 36, .05      # of the mazes [cells], [m]
TRAIN_SEED, TEST_SEED = 9, 18       # of the mazes
REAL = ('ros/tb3_sandbox.yaml', 'ros/depot.yaml', 'ipa_room_segmentation/Freiburg79_scan.yaml')
CONFIG = PlanningConfig(robot_radius=.2)

Double = NDArray[np.float64]


def driven_costs(data: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """Learns from 3 and 10 paths in a maze; plans in another one and on real maps.

    Args:
        data: Folder of the planning problems; `maps` beside it holds the real maps.
        extent: Its seeds, and `families` bounds the real maps.
        say: Told of every figure.
    """
    tests = {'maze': _maze(TEST_SEED)} | {
        Path(name).stem: read_map(data.parent / 'maps' / name) for name in REAL[:extent.families]
        if (data.parent / 'maps' / name).is_file()}
    asked = {name: drive(world, ASKED, np.random.default_rng(99)) for name, world in tests.items()}
    rows: list[dict[str, Any]] = []
    for count in DRIVEN:
        for seed in extent.seeds:
            world = _maze(TRAIN_SEED)
            shown = [path for *_, path in drive(world, count, np.random.default_rng(seed))]
            costs, seconds = learn(driven_recipe(count, seed), demonstrate(world, shown, CONFIG))
            for name, test in tests.items():
                row = {'paths': count, 'seed': seed, 'map': name, 'train_s': round(seconds, 1),
                       'spl': _share(test, asked[name], Planner(CONFIG, costs)),
                       'shortest_spl': _share(test, asked[name], Planner(CONFIG))}
                rows.append(row)
                say(f'{count} paths, seed {seed}, {name}: SPL {row["spl"]:.1f}, shortest paths '
                    f'{row["shortest_spl"]:.1f}')
    return {'rows': rows, 'maps': list(DRIVEN), 'seeds': list(extent.seeds),
            'success': 100., 'spl': float(np.mean([row['spl'] for row in rows])),
            'worst_spl': min(row['spl'] for row in rows), 'p50_ms': None,
            'peers': {'shortest paths, spl': float(np.mean(
                [row['shortest_spl'] for row in rows]))},
            'note': 'spl is the share of the best true cost in that of the path, in percent'}


def true_cost(graph: GeometricGraph) -> Double:
    """What moves cost the driver: seven times as much at obstacles as 2 m away from them."""
    rate = _rate(graph.feature)
    return np.asarray(graph.length * (rate[:, None] + rate[graph.neighbor]) / 2)


def drive(world: OccupancyMap, count: int, rng: np.random.Generator
          ) -> list[tuple[Pose, Pose, Double]]:
    """Lets the driver go between random places: start, goal, and (L, 2) places [m] of each way."""
    planner = Planner(CONFIG, true_cost)
    ways: list[tuple[Pose, Pose, Double]] = []
    free = np.argwhere(world.traversable(CONFIG.robot_radius))
    while len(ways) < count:
        start, goal = (_pose(world, free[row]) for row in rng.integers(len(free), size=2))
        plan = planner.plan(world, start, goal)
        if len(plan.poses) > 20:
            ways.append((start, goal, plan.poses[:, :2]))
    return ways


def _share(world: OccupancyMap, asked: list[tuple[Pose, Pose, Double]], planner: Planner) -> float:
    """Mean share of the driver's cost in that of the planner's paths, in percent."""
    shares = []
    for start, goal, best in asked:
        found = planner.plan(world, start, goal).poses[:, :2]
        least = _cost(world, best)
        shares.append(least / max(least, _cost(world, found)))
    return 100 * float(np.mean(shares))


def _cost(world: OccupancyMap, path: Double) -> float:
    """The true cost of a path (L, 2) [m]."""
    rate = _rate(map_features(world, CONFIG.occupied, CONFIG.allow_unknown))
    fine = np.concatenate([np.linspace(start, end, 8, endpoint=False)
                           for start, end in zip(path, path[1:], strict=False)])
    row, column, _ = world.locate(fine)
    at = rate[row, column]
    return float((np.hypot(*np.diff(fine, axis=0).T) * (at[1:] + at[:-1]) / 2).sum())


def _rate(feature: NDArray[np.float32]) -> Double:
    return np.asarray(1 + 6. * (1 - feature[..., 2]))


def _maze(seed: int) -> OccupancyMap:
    free = make_mazes(1, 15, seed).free[0]
    return OccupancyMap(np.kron(np.where(free, 0, 100), np.ones((CORRIDOR, CORRIDOR))).astype(
        np.int8), RESOLUTION)


def _pose(world: OccupancyMap, cell: NDArray[np.int64]) -> Pose:
    x, y = world.centre(*cell)
    return float(x), float(y), 0.
