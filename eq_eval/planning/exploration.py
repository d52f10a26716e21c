"""Mazes that are not known beforehand: a robot sees what is near and plans anew at every step.

What is known of a cell is whether it was seen and found free, and how walled the part of the maze
around it looks so far. Optimistic replanning takes what was not seen for free; a planner that has
learnt what unseen cells cost on average turns back earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt
from scipy.ndimage import uniform_filter

from eq_eval.planning.mazes import free_edges
from eq_eval.planning.mazes import maze_lattice
from eq_eval.planning.mazes import Mazes
from eq_eval.training.planner import Demonstration
from eq_navigation.graph import GeometricGraph
from eq_navigation.planner import Costs
from eq_navigation.search import cost_to_go
from eq_navigation.search import NONE

VIEW = 2            # the robot sees this many cells each way, through walls as well
WINDOW = 7          # edge of the surroundings whose walls are counted [cells]
DEPTH = 5.          # unseen cells that are farther from seen ones look alike [cells]
KNOWN_FEATURES = 5

Mask = NDArray[np.bool_]


@dataclass(eq=False)
class Exploration:
    """A maze and what is known of it.

    Attributes:
        free: (M, M) bool, the truth.
        seen: (M, M) bool, cells that were seen.
    """

    free: Mask
    seen: Mask

    @classmethod
    def begin(cls, free: Mask) -> Exploration:
        """Nothing is known but the border."""
        seen = np.zeros_like(free)
        seen[[0, -1]] = seen[:, [0, -1]] = True
        return cls(free, seen)

    def look(self, cell: int) -> None:
        """Sees what is around a cell."""
        rows, columns = (slice(max(place - VIEW, 0), place + VIEW + 1)
                         for place in divmod(cell, len(self.free)))
        self.seen[rows, columns] = True

    def graph(self, lattice: GeometricGraph) -> GeometricGraph:
        """Cells with what is known of them, without moves onto walls that were seen.

        Features: seen and free; not seen; share of walls among what was seen around; how much was
        seen around; how far in the dark it is, from 0 to 1.
        """
        wall, seen = (self.seen & ~self.free).astype(float), self.seen.astype(float)
        around = uniform_filter(seen, WINDOW, mode='nearest')
        walled = uniform_filter(wall, WINDOW, mode='nearest') / np.maximum(around, 1e-6)
        dark = np.minimum(distance_transform_cdt(~self.seen, 'taxicab') / DEPTH, 1)
        feature = np.stack([self.seen & self.free, ~self.seen, walled, around, dark], -1)
        open_to = ~(self.seen & ~self.free).reshape(-1)
        mask = lattice.mask & open_to[lattice.neighbor] & open_to[:, None]
        return replace(lattice, mask=mask, length=mask.astype(float),
                       feature=feature.reshape(-1, KNOWN_FEATURES).astype(np.float32))


def optimistic(graph: GeometricGraph) -> NDArray[np.float64]:
    """Costs of a planner that takes what was not seen for free."""
    return graph.length


def explore(costs: Costs, free: Mask, start: int, goal: int, lattice: GeometricGraph) -> float:
    """Goes from start to goal, seeing and planning anew at every step.

    Returns:
        Steps taken; infinite if the goal was not reached in 4 times as many steps as there are
        cells.
    """
    state, node = Exploration.begin(free), start
    for steps in range(4 * free.size):
        if node == goal:
            return float(steps)
        state.look(node)
        node = _next(costs, state.graph(lattice), node, goal)
        if node == NONE:
            return np.inf
    return np.inf


def _next(costs: Costs, graph: GeometricGraph, node: int, goal: int) -> int:
    """The next cell of the plan; with what is seen from here it is free."""
    edges = graph.matrix(costs(graph))
    return int(cost_to_go(edges, goal)[1][node])


def exploring_demonstrations(mazes: Mazes, rng: np.random.Generator, looks: int = 3
                             ) -> list[Demonstration]:
    """Shows the best moves that somebody who knows the maze makes, to one who has seen a part.

    Args:
        mazes: The mazes.
        rng: Draws starts, and how far the optimistic robot has come.
        looks: Moments of each exploration that are shown.
    """
    lattice, shown = maze_lattice(mazes.edge), []
    for number, free in enumerate(mazes.free):
        goal, flat = mazes.goal_row(number), free.reshape(-1)
        distance, following = cost_to_go(free_edges(lattice, free), goal)
        able = np.flatnonzero(np.isfinite(distance) & (distance > 0))
        if not len(able):
            continue
        state, node = Exploration.begin(free), int(rng.choice(able))
        wanted = set(rng.integers(0, max(1, int(distance[node])), looks).tolist())
        for step in range(int(distance[node])):
            if node == goal:
                break
            state.look(node)
            graph = state.graph(lattice)
            if step in wanted:
                # Those who stand on cells that were seen can follow, the robot's own among them.
                here = state.seen.reshape(-1) & flat & np.isfinite(distance)
                there = graph.mask & (graph.neighbor == following[:, None])
                action = np.where(there.any(1) & here, there.argmax(1), -1)
                shown.append(Demonstration(graph, goal, action))
            node = _next(optimistic, graph, node, goal)
    return shown
