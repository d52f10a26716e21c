"""N7: the way to a red pillar through mazes of which nothing is known but camera views.

In every room stands a record of a robot that looked around: four images, to its front, left, back
and right. Which rooms lie beside each other is known; where walls are and where the goal is must
be learnt from moves that somebody showed. Who walks into a wall or stops elsewhere has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import tempfile
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
import torch
from torch import nn

from eq_core.nn.export import export_plain
from eq_eval.planning.evaluation import Score
from eq_eval.planning.extent import Extent
from eq_eval.planning.extent import Say
from eq_eval.planning.rooms import make_rooms
from eq_eval.planning.rooms import neighbors
from eq_eval.planning.rooms import Rooms
from eq_eval.planning.rooms import STOP
from eq_eval.planning.views import four_views
from eq_eval.training.recipe import ViewPlannerRecipe
from eq_eval.training.view_planner import costs
from eq_eval.training.view_planner import train_view_planner
from eq_eval.training.view_planner import ViewDemonstration
from eq_navigation.config import ViewPlannerConfig
from eq_navigation.search import cost_to_go

EDGE = 7                    # rooms along an edge
TEST_MAPS = 100             # at most
OFF = (15., 30.)            # headings between the quarter turns [degrees]
VARIANTS = {                # name -> whether the network is equivariant, and trained turned
    'C4': (True, False), 'plain': (False, False), 'plain, trained turned': (False, True)}

Integer = NDArray[np.int64]
# From what is seen at N places to (N, 5) costs of moves and of stopping.
Judge = Callable[[ViewDemonstration], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Recorded:
    """A maze as a robot saw it.

    Attributes:
        rooms: The maze.
        seen: What was seen and is best to do, in the robot's directions.
        heading: (N,) quarter turns to the left from +x that the robot had made in each room.
    """

    rooms: Rooms
    seen: ViewDemonstration
    heading: Integer

    def turned(self, heading: Integer | int) -> Recorded:
        """The same maze, seen after (N,) more quarter turns."""
        more = np.broadcast_to(heading, self.heading.shape)
        return Recorded(self.rooms, self.seen.turned(more), self.heading + more)


def record(rooms: Rooms, rng: np.random.Generator, config: ViewPlannerConfig, off: float = 0.
           ) -> Recorded:
    """Looks around in all rooms, facing +x or `off` degrees to the left, and shows best moves."""
    beside, mask = neighbors(rooms.edge)
    after = np.where(rooms.open() & mask, distances(rooms)[beside], np.inf)
    # Of equally good moves a random one, so that no direction is shown more often than others.
    best = (after + .5 * rng.random(after.shape)).argmin(1)
    best[rooms.goal] = STOP
    views = four_views(rooms, config.height, config.width, off)
    return Recorded(rooms, ViewDemonstration(views, beside, mask, best),
                    np.zeros(len(mask), np.int64))


def distances(rooms: Rooms) -> NDArray[np.float64]:
    """(N,) moves from every room to the goal."""
    beside, mask = neighbors(rooms.edge)
    node, direction = np.nonzero(rooms.open() & mask)
    edges = csr_matrix((np.ones(len(node)), (node, beside[node, direction])), (len(mask),) * 2)
    return cost_to_go(edges, rooms.goal)[0]


def plan(cost: NDArray[np.float64], seen: ViewDemonstration) -> Integer:
    """Finds the best move at every place by exact search, from (N, 5) costs.

    Returns:
        (N,) in the robot's directions; `STOP` where the way ends.
    """
    count = len(cost)
    beside = np.pad(seen.neighbor, ((0, 0), (0, 1)), constant_values=count)
    there = np.pad(seen.mask, ((0, 0), (0, 1)), constant_values=True)
    node, column = np.nonzero(there)
    edges = csr_matrix((cost[node, column], (node, beside[node, column])), (count + 1,) * 2)
    following = cost_to_go(edges, count)[1][:-1]
    return np.asarray((there & (beside == following[:, None])).argmax(1), np.int64)


def walk(maze: Recorded, move: Integer, start: int) -> float:
    """Moves until the plan stops; infinite if that is not at the goal, or a wall is in the way."""
    beside, free = neighbors(maze.rooms.edge)[0], maze.rooms.open()
    node, steps = start, 0
    while move[node] != STOP:
        direction = (move[node] + maze.heading[node]) % 4
        steps += 1
        if not free[node, direction] or steps > 2 * len(free):
            return np.inf
        node = int(beside[node, direction])
    return float(steps) if node == maze.rooms.goal else np.inf


def evaluate_views(judge: Judge, mazes: list[Recorded], starts: int, seed: int = 0
                   ) -> dict[str, Any]:
    """Plans from random rooms to the goal of every maze."""
    score, rng = Score(), np.random.default_rng(seed)
    for maze in mazes:
        began = perf_counter()
        move = plan(judge(maze.seen), maze.seen)
        score.milliseconds.append(1e3 * (perf_counter() - began))
        optimal = distances(maze.rooms)
        for start in rng.choice(np.flatnonzero(optimal > 0), starts):
            score.add(walk(maze, move, int(start)), float(optimal[start]))
    return score.result()


def turning_difference(judge: Judge, maze: Recorded, heading: Integer) -> float:
    """Largest relative difference of costs when the robot faces otherwise; 0 is the law."""
    column = (np.arange(4) + heading[:, None]) % 4
    upright = judge(maze.seen)
    expected = np.concatenate([np.take_along_axis(upright, column, 1), upright[:, 4:]], 1)
    found = judge(maze.turned(heading).seen)
    return float((np.abs(found - expected) / expected.clip(1e-9)).max())


def judge_of(model: nn.Module) -> Judge:
    """The network as it is exported."""
    plain = export_plain(model)

    @torch.no_grad()
    def judge(seen: ViewDemonstration) -> NDArray[np.float64]:
        return costs(plain, seen).double().numpy()
    return judge


def learn_views(recipe: ViewPlannerRecipe, shown: list[Recorded]) -> tuple[Judge, float]:
    """Trains on demonstrations; returns the costs and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        run = train_view_planner(recipe, [each.seen for each in shown], Path(folder))
    return judge_of(run.exported()), run.seconds


def view_mazes(_: Path, extent: Extent, say: Say) -> dict[str, Any]:
    """N7: the network that turns with the robot, beside its plain twin with and without turns."""
    maps, rows = min(extent.maps), []
    tests = _tests(min(extent.test_maps, TEST_MAPS))
    some = tests['random'][0].heading
    for seed in extent.seeds:
        rng = np.random.default_rng([seed, EDGE])
        shown = [record(make_rooms(EDGE, rng), rng, ViewPlannerConfig()) for _ in range(maps)]
        for name, (equivariant, turned) in VARIANTS.items():
            judge, seconds = learn_views(ViewPlannerRecipe(
                network=ViewPlannerConfig(equivariant=equivariant), maps=maps, turned=turned,
                seed=seed, iterations=extent.view_steps), shown)
            difference = turning_difference(judge, tests['upright'][0], some)
            for heading, mazes in tests.items():
                rows.append({'variant': name, 'heading': heading, 'maps': maps, 'seed': seed,
                             'train_s': round(seconds, 1), 'difference': difference,
                             **evaluate_views(judge, mazes, extent.starts)})
                say(f'{name}, seed {seed}, {heading}: {rows[-1]["success"]:.1f} %')
    ours = [row for row in rows if row['variant'] == 'C4']
    exact = [row for row in ours if not row['heading'].endswith('degrees off')]
    return {'rows': rows, 'maps': [maps], 'seeds': list(extent.seeds),
            'success': float(np.mean([row['success'] for row in exact])),
            'spl': float(np.mean([row['spl'] for row in exact])),
            'p50_ms': float(np.median([row['p50_ms'] for row in ours])),
            'difference': max(row['difference'] for row in ours),
            'by_heading': {name: {heading: float(np.mean([
                row['success'] for row in rows
                if row['variant'] == name and row['heading'] == heading])) for heading in tests}
                for name in VARIANTS},
            'peers': {'SymGPPN, images of 15 x 15 mazes, 10 000 maps': 99.78,
                      'Dijkstra that is told walls and goal': 100.}}


def _tests(count: int) -> dict[str, list[Recorded]]:
    """The same mazes under different headings."""
    rng, config = np.random.default_rng([98, EDGE]), ViewPlannerConfig()
    upright = [record(make_rooms(EDGE, rng), rng, config) for _ in range(count)]
    return {'upright': upright, 'a quarter turn': [maze.turned(1) for maze in upright],
            'random': [maze.turned(rng.integers(4, size=EDGE * EDGE)) for maze in upright],
            **{f'{off:.0f} degrees off': [record(maze.rooms, rng, config, off)
                                          for maze in upright] for off in OFF}}
