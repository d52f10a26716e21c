"""How often a planner gets to the goal, and how much longer its way is than the best."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_eval.planning.mazes import free_edges
from eq_eval.planning.mazes import Mazes
from eq_eval.rotation import yaw_pose
from eq_navigation.graph import GeometricGraph
from eq_navigation.planner import Costs
from eq_navigation.search import cost_to_go
from eq_navigation.search import NONE

Double = NDArray[np.float64]


@dataclass
class Score:
    """Success and SPL, added up over queries.

    SPL is success weighted by path length (Anderson et al. 2018): the mean over all queries of
    success times optimal length over the length that was gone.
    """

    shares: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, length: float, optimal: float) -> None:
        """Adds a query: the length gone, infinite if the goal was missed, and the best."""
        self.shares.append(optimal / length if np.isfinite(length) else 0.)

    def result(self) -> dict[str, Any]:
        """Percentages, queries, and median time of a map's plan [ms].

        `excess` is by how much the ways that were found are longer than the best, on average.
        """
        share = np.array(self.shares)
        found = share[share > 0]
        return {'success': 100 * float((share > 0).mean()), 'spl': 100 * float(share.mean()),
                'excess': 100 * float((1 / found - 1).mean()) if len(found) else None,
                'queries': len(share),
                'p50_ms': float(np.median(self.milliseconds)) if self.milliseconds else None}


def turned_graph(graph: GeometricGraph, degrees: float, origin: Double) -> GeometricGraph:
    """The graph turned about (0, 0), then moved by (2,) [m]; lengths are measured anew."""
    position = graph.position @ yaw_pose(degrees)[:2, :2].T + origin
    return replace(graph, position=position, length=np.zeros((0, 0)))


def evaluate_mazes(costs: Costs, mazes: Mazes, starts: int, seed: int = 0) -> dict[str, Any]:
    """Plans from random starts to the goal of every maze, whose walls are nodes like others.

    The planner searches all cells on the costs it has learnt; who steps on a wall has failed.

    Args:
        costs: From a graph to (N, K) costs; the one feature is 1 on free cells and 0 on walls.
        mazes: Mazes.
        starts: Starts of each, among the free cells that the goal can be reached from.
        seed: Of the starts.
    """
    milliseconds: list[float] = []
    score = walk_mazes(searched(costs, mazes, milliseconds), mazes, starts, seed)
    score.milliseconds = milliseconds
    return score.result()


def searched(costs: Costs, mazes: Mazes, milliseconds: list[float]
             ) -> Iterator[NDArray[np.integer]]:
    """Yields the (N,) next nodes of every maze by exact search, and adds the times it took."""
    lattice = mazes.lattice()
    for number in range(len(mazes)):
        graph = mazes.graph(lattice, number)
        began = perf_counter()
        towards = cost_to_go(graph.matrix(costs(graph)), mazes.goal_row(number))[1]
        milliseconds.append(1e3 * (perf_counter() - began))
        yield towards


def walk_mazes(plans: Iterable[NDArray[np.integer]], mazes: Mazes, starts: int, seed: int = 0
               ) -> Score:
    """Follows plans from random starts; who steps on a wall or walks in a circle has failed.

    Args:
        plans: For every maze the (N,) next nodes, `NONE` where the plan has none.
        mazes: Mazes.
        starts: Starts of each, among the free cells that the goal can be reached from.
        seed: Of the starts.
    """
    lattice, score = mazes.lattice(), Score()
    rng = np.random.default_rng(seed)
    for number, towards in enumerate(plans):
        free, goal = mazes.free[number], mazes.goal_row(number)
        optimal = cost_to_go(free_edges(lattice, free), goal)[0]
        able = np.flatnonzero(np.isfinite(optimal) & (optimal > 0))
        for start in rng.choice(able, starts) if len(able) else ():
            gone = _walk(towards, free.reshape(-1), int(start), goal)
            score.add(gone, float(optimal[start]))
    return score


def _walk(towards: NDArray[np.integer], free: NDArray[np.bool_], start: int, goal: int) -> float:
    """Steps from start to goal along the plan, infinite if it leads over a wall or nowhere."""
    node, steps = start, 0
    while node != goal:
        node, steps = int(towards[node]), steps + 1
        if node == NONE or not free[node] or steps > len(free):
            return np.inf
    return float(steps)
