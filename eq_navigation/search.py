"""Exact search: Dijkstra on positive edge costs, so that a path is optimal under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from eq_core.errors import InputError

NONE = -9999    # scipy's predecessor of a node without one

Double = NDArray[np.float64]
Integer = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Route:
    """A path on a graph.

    Attributes:
        nodes: (L,) int64 from start to goal; empty if there is no path.
        cost: Sum of the edge costs; infinite without a path.
    """

    nodes: Integer
    cost: float


NO_ROUTE = Route(np.zeros(0, np.int64), np.inf)


def shortest_route(edges: csr_matrix, start: int, goal: int) -> Route:
    """Finds the cheapest path.

    Args:
        edges: (N, N) positive costs, see `GeometricGraph.matrix`.
        start: Row.
        goal: Row.

    Raises:
        InputError: A cost is negative or NaN, or a row is none.
    """
    return route_within(edges, start, goal, np.inf)


def route_within(edges: csr_matrix, start: int, goal: int, limit: float) -> Route:
    """Finds the cheapest path if it costs no more than a limit; the less, the faster.

    Raises:
        InputError: A cost is negative or NaN, or a row is none.
    """
    _check(edges, start, goal)
    cost, before = _dijkstra(edges, start, limit)
    if not np.isfinite(cost[goal]):
        return NO_ROUTE
    nodes = [goal]
    while nodes[-1] != start:
        nodes.append(int(before[nodes[-1]]))
    return Route(np.array(nodes[::-1], np.int64), float(cost[goal]))


def cost_to_go(edges: csr_matrix, goal: int) -> tuple[Double, NDArray[np.int32]]:
    """Finds the cheapest way to a goal from everywhere.

    Returns:
        (N,) cost, infinite where no way leads there, and (N,) the next node, `NONE` without one.

    Raises:
        InputError: A cost is negative or NaN, or the row is none.
    """
    _check(edges, goal, goal)
    return _dijkstra(edges.T.tocsr(), goal, np.inf)


def _dijkstra(edges: csr_matrix, start: int, limit: float) -> tuple[Double, NDArray[np.int32]]:
    cost, before = dijkstra(edges, indices=np.array([start]), return_predecessors=True,
                            limit=limit)
    return cost[0], before[0].astype(np.int32, copy=False)


def _check(edges: csr_matrix, start: int, goal: int) -> None:
    if len(edges.data) and not edges.data.min() >= 0:
        raise InputError(f'edge costs must be 0 or more, got {edges.data.min()}', 'bad_costs')
    for name, row in (('start', start), ('goal', goal)):
        if not 0 <= row < edges.shape[0]:
            raise InputError(f'{name} must be a row of 0..{edges.shape[0] - 1}, got {row}')
