"""Ground whose cost is hidden: only what it looks like is known, and what somebody did."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.ndimage import map_coordinates
from scipy.sparse.csgraph import connected_components

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.training.planner import Demonstration
from eq_navigation.graph import GeometricGraph
from eq_navigation.graph import grid_graph
from eq_navigation.graph import radius_graph
from eq_navigation.search import cost_to_go

LOOKS = 4           # numbers that are known of each place
SMOOTHNESS = 2.5    # width of the patches of ground [cells]
WALLS = .15         # share of the cells that are walls
PITCH = 2.          # mean distance of scattered places [cells]

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Terrain:
    """A graph on hidden ground.

    Attributes:
        graph: What the planner is told; features are the looks of the ground.
        cost: (N, K) true costs of the edges, which it is not told.
    """

    graph: GeometricGraph
    cost: Double

    def demonstrate(self, rng: np.random.Generator) -> Demonstration:
        """Shows the best moves of all places towards a random goal."""
        goal = int(rng.integers(len(self.graph)))
        _, following = cost_to_go(self.graph.matrix(self.cost), goal)
        there = self.graph.mask & (self.graph.neighbor == following[:, None])
        return Demonstration(self.graph, goal, np.where(there.any(1), there.argmax(1), -1))


def rate(looks: Double) -> Double:
    """The hidden law: (N,) cost per metre, 1 to 5, of (N, 4) looks; the last one says nothing."""
    return np.asarray(1 + 4 / (1 + np.exp(-3 * (looks[:, 0] * looks[:, 1] + looks[:, 2]))))


def grid_terrain(edge: int, rng: np.random.Generator) -> Terrain:
    """Ground of square cells with walls, all free cells that hang together being places."""
    free, world = _walls(edge, rng)
    graph = _largest(grid_graph(free, world))
    return _with_looks(graph, edge, rng)


def scattered_terrain(count: int, rng: np.random.Generator) -> Terrain:
    """Scattered places on ground with walls, joined where no wall is between them."""
    edge = int(np.ceil(PITCH * np.sqrt(count)))
    free, world = _walls(edge, rng)
    place = rng.uniform(0, edge, (2 * count, 2))
    row, column, _ = world.locate(place)
    place = place[free[row, column]][:count]
    return _with_looks(_largest(radius_graph(place, 2 * PITCH, 6, free, world)), edge, rng)


def _walls(edge: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], OccupancyMap]:
    """Lumps of wall of a cell or two."""
    height = gaussian_filter(rng.standard_normal((edge, edge)), 1.)
    free = np.asarray(height > np.quantile(height, WALLS))
    return free, OccupancyMap(np.where(free, 0, 100), 1.)


def _largest(graph: GeometricGraph) -> GeometricGraph:
    """The largest part that hangs together."""
    _, part = connected_components(graph.matrix(graph.length))
    kept = np.flatnonzero(part == np.bincount(part).argmax())
    number = np.full(len(graph), -1)
    number[kept] = np.arange(len(kept))
    neighbor = number[graph.neighbor[kept]]
    mask = graph.mask[kept]
    return GeometricGraph(graph.position[kept], np.where(mask, neighbor, 0), mask,
                          graph.feature[kept])


def _with_looks(graph: GeometricGraph, edge: int, rng: np.random.Generator) -> Terrain:
    """Draws the looks of the ground and what it costs."""
    fields = [gaussian_filter(rng.standard_normal((edge, edge)), SMOOTHNESS)
              for _ in range(LOOKS)]
    places = graph.position.T[::-1] - .5
    looks = np.stack([map_coordinates(field / field.std(), places, order=1, mode='nearest')
                      for field in fields], -1)
    hidden = rate(looks)
    cost = graph.length * (hidden[:, None] + hidden[graph.neighbor]) / 2
    return Terrain(replace(graph, feature=looks.astype(np.float32)), cost)
