"""Mazes on grids: published ones, and our own of SymPlan's kind in any size.

A maze is a graph whose nodes are all cells, obstacles too: what an obstacle is must be learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

from eq_core.errors import InputError
from eq_core.groups.grid import turn_grid
from eq_core.groups.group import PlanarGroup
from eq_navigation.graph import GeometricGraph
from eq_navigation.search import cost_to_go

# (row, column) of the moves in the order of the files: N W S E; N E W S NE NW SE SW.
FOUR_STEPS = np.array([(-1, 0), (0, -1), (1, 0), (0, 1)])
EIGHT_STEPS = np.array([(-1, 0), (0, 1), (0, -1), (1, 0), (-1, 1), (-1, -1), (1, 1), (1, -1)])

Double = NDArray[np.float64]
Integer = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mazes:
    """Mazes of one size.

    Attributes:
        free: (B, M, M) bool.
        goal: (B, 2) int64 row, column.
        action: (B, M, M) int64, an optimal move, a row of `steps`; -1 where there is none.
        steps: (K, 2) int64 row, column of each move; all are of length 1, and those between
            diagonal neighbours may cut corners.
    """

    free: NDArray[np.bool_]
    goal: Integer
    action: Integer
    steps: Integer = field(default_factory=lambda: FOUR_STEPS)

    def __len__(self) -> int:
        """Number of mazes."""
        return len(self.free)

    @property
    def edge(self) -> int:
        """Cells along an edge."""
        return int(self.free.shape[1])

    def select(self, rows: Integer | slice) -> Mazes:
        """Keeps some of the mazes."""
        return replace(self, free=self.free[rows], goal=self.goal[rows], action=self.action[rows])

    def turned(self) -> Mazes:
        """The mazes turned by +90 degrees, without the moves."""
        row, column = self.goal.T
        return replace(self, free=turn_grid(self.free, PlanarGroup(4), 1),
                       goal=np.stack([column, self.edge - 1 - row], -1),
                       action=np.full_like(self.action, -1))

    def lattice(self) -> GeometricGraph:
        """All cells as nodes, row by row, with the moves between them; nothing known of them."""
        return maze_lattice(self.edge, self.steps)

    def graph(self, lattice: GeometricGraph, number: int) -> GeometricGraph:
        """The cells of one maze; the one feature is 1 on free cells and 0 on walls."""
        return replace(lattice, feature=self.free[number].reshape(-1, 1).astype(np.float32))

    def goal_row(self, number: int) -> int:
        """Row of a maze's goal among the nodes."""
        return int(self.goal[number] @ [self.edge, 1])


def read_mazes(path: Path) -> Mazes:
    """Reads mazes with their optimal moves, one-hot: four as SymPlan's, or eight as MPD's.

    The files show moves through walls where no way leads to the goal (on half the cells of the
    family `mazes`); to follow one of those is not to arrive, so they are left out.

    Raises:
        InputError: The file is missing or not of this form.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            free, goal = data['free'].astype(bool), data['goal'].astype(np.int64)
            actions = data['optimal_actions'].astype(bool)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f'{path}: not a file of mazes: {error!r}') from error
    count, edge = free.shape[:2]
    moves = {4: FOUR_STEPS, 8: EIGHT_STEPS}
    if (actions.ndim != 4 or actions.shape[1] not in moves or goal.shape != (count, 2)
            or actions.shape != (count, actions.shape[1], edge, edge)):
        raise InputError(f'{path}: expected actions ({count}, 4 or 8, {edge}, {edge}) and goals '
                         f'({count}, 2), got {actions.shape} and {goal.shape}')
    action = np.where(actions.any(1) & free, actions.argmax(1), -1)
    action[np.arange(count), goal[:, 0], goal[:, 1]] = -1   # the files have a move even there
    action[~_arriving(action, goal, moves[actions.shape[1]])] = -1
    return Mazes(free, goal, action, moves[actions.shape[1]])


def _arriving(action: Integer, goal: Integer, steps: Integer) -> NDArray[np.bool_]:
    """(B, M, M), whether who follows the (B, M, M) moves from a cell comes to the (B, 2) goal."""
    count, edge = action.shape[:2]
    lattice = maze_lattice(edge, steps)
    cell, shown = np.arange(edge * edge), action.reshape(count, -1)
    place = np.where(shown >= 0, lattice.neighbor[cell, shown], cell)
    for _ in range(int(edge * edge).bit_length()):      # each time twice as many moves are made
        place = np.take_along_axis(place, place, 1)
    return np.asarray(place == goal @ [[edge], [1]]).reshape(action.shape)


def make_mazes(count: int, edge: int, seed: int) -> Mazes:
    """Makes mazes as SymPlan's are, by what can be seen of them.

    Rooms at odd cells joined by a random spanning tree, then every wall cell inside stands with a
    probability that is drawn for each maze. Even sizes are one larger ones without the last row
    and column but one.

    Args:
        count: Number of mazes.
        edge: Cells along an edge, at least 5.
        seed: Of the draws.
    """
    rng = np.random.default_rng([seed, edge])
    free = np.stack([_walls(edge, rng) for _ in range(count)])
    goal = np.stack([_any(maze, rng) for maze in free])
    lattice = maze_lattice(edge)
    action = np.stack([_actions(lattice, maze, place)
                       for maze, place in zip(free, goal, strict=True)])
    return Mazes(free, goal, action)


def _walls(edge: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    size = edge + 1 - edge % 2
    rooms = size // 2
    number = np.arange(rooms * rooms).reshape(rooms, rooms)
    pairs = np.concatenate([np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], -1),
                            np.stack([number[:-1].ravel(), number[1:].ravel()], -1)])
    tree = minimum_spanning_tree(coo_matrix((1 + rng.random(len(pairs)), pairs.T),
                                            (rooms * rooms, rooms * rooms))).tocoo()
    free = np.zeros((size, size), bool)
    free[1::2, 1::2] = True
    (top, left), (bottom, right) = np.divmod(tree.row, rooms), np.divmod(tree.col, rooms)
    free[top + bottom + 1, left + right + 1] = True
    free[1:-1, 1:-1] |= rng.random((size - 2, size - 2)) >= rng.random()
    if size > edge:     # without the last lines but one, so that the border is closed again
        free = np.delete(np.delete(free, -2, 0), -2, 1)
    return free


def _any(free: NDArray[np.bool_], rng: np.random.Generator) -> Integer:
    rows, columns = np.nonzero(free)
    chosen = int(rng.integers(len(rows)))
    return np.array([rows[chosen], columns[chosen]])


def maze_lattice(edge: int, steps: Integer = FOUR_STEPS) -> GeometricGraph:
    """All cells of a square grid as nodes, row by row, every move of length 1."""
    row, column = np.divmod(np.arange(edge * edge), edge)
    beside = np.stack([row, column], -1)[:, None] + steps
    mask = np.asarray(((beside >= 0) & (beside < edge)).all(-1))
    neighbor = np.where(mask, beside @ [edge, 1], 0)
    return GeometricGraph(np.stack([column, row], -1).astype(float), neighbor, mask,
                          np.zeros((edge * edge, 1), np.float32), mask.astype(float))


def free_edges(lattice: GeometricGraph, free: NDArray[np.bool_]) -> csr_matrix:
    """The moves between free cells, each of cost 1."""
    flat = free.reshape(-1)
    both = flat[:, None] & flat[lattice.neighbor]
    return lattice.matrix(np.where(both, 1., np.inf))


def _actions(lattice: GeometricGraph, free: NDArray[np.bool_], goal: Integer) -> Integer:
    """(M, M) optimal moves towards a goal, -1 at it and where none leads there."""
    edge = len(free)
    distance, _ = cost_to_go(free_edges(lattice, free), int(goal @ [edge, 1]))
    beside = np.where(lattice.mask, distance[lattice.neighbor], np.inf)
    reached = np.isfinite(distance) & (distance > 0)
    return np.where(reached, beside.argmin(1), -1).reshape(edge, edge)
