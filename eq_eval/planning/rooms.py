"""Mazes of rooms with thin walls, which a robot knows by what its cameras see of them.

Rooms are unit squares; room (row, column) is the one from x = column and y = row on. A robot has
looked around once in every room. Directions are counted counter-clockwise from +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

from eq_core.errors import ConfigError

DIRECTIONS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])   # x, y
STOP = 4                # the move that ends the way, after the four directions
NO_WALL = -1
MATERIALS = 6           # of the walls of one maze
DISTRACTORS = 2         # pillars that are not the goal's
OPENED = .15            # share of the walls that are taken away from a maze without loops
MORTAR = .6             # how dark every other chequer of a wall is
JITTER = .1             # how far from the middle of a room its views are taken
PILLAR_AT = .3          # how far from the middle of its room a pillar stands
GOAL_COLOUR = (.9, .1, .1)
DISTRACTOR_COLOURS = ((.1, .2, .9), (.1, .8, .2), (.9, .8, .1))

Double = NDArray[np.float64]
Integer = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Materials:
    """How the walls, floor and ceiling of one maze look.

    Attributes:
        colour: (S, 2, 3) the two colours of each material's chequers, 0..1.
        chequers: (S, 2) int64, how many of them along half a wall and up it; 1, 1 is plain.
        floor: (3,) colour.
        ceiling: (3,) colour.
    """

    colour: Double
    chequers: Integer
    floor: Double
    ceiling: Double


@dataclass(frozen=True, eq=False)
class Rooms:
    """A maze of M x M rooms; nodes are rooms, row by row.

    Attributes:
        across: (M, M + 1) int64 material of the wall between rooms (row, k - 1) and (row, k).
        along: (M + 1, M) int64, between rooms (k - 1, column) and (k, column); `NO_WALL` if open.
        place: (M * M, 2) x, y where the views of each room are taken.
        goal: Node of the goal.
        pillar: (P, 2) x, y; the first is the goal's.
        pillar_colour: (P, 3).
        materials: How it looks.
    """

    across: Integer
    along: Integer
    place: Double
    goal: int
    pillar: Double
    pillar_colour: Double
    materials: Materials

    @property
    def edge(self) -> int:
        """Rooms along an edge."""
        return len(self.across)

    def open(self) -> NDArray[np.bool_]:
        """Returns (M * M, 4), whether nothing stands in the way in each direction."""
        return np.stack([self.across[:, 1:], self.along[1:], self.across[:, :-1],
                         self.along[:-1]], -1).reshape(-1, 4) == NO_WALL


def neighbors(edge: int) -> tuple[Integer, NDArray[np.bool_]]:
    """Returns (M * M, 4) nodes in each direction, and whether there is a room at all."""
    row, column = np.divmod(np.arange(edge * edge), edge)
    beside = np.stack([column, row], -1)[:, None] + DIRECTIONS
    mask = np.asarray(((beside >= 0) & (beside < edge)).all(-1))
    return np.where(mask, beside @ [1, edge], 0), mask


def make_rooms(edge: int, rng: np.random.Generator) -> Rooms:
    """Makes a maze: a random spanning tree of the rooms, and some more openings for loops.

    Args:
        edge: Rooms along an edge, at least 2.
        rng: Of the draws.

    Raises:
        ConfigError: `edge` is too small.
    """
    if edge < 2:
        raise ConfigError(f'edge must be at least 2, got {edge}')
    node = np.arange(edge * edge).reshape(edge, edge)
    pairs = np.concatenate([np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], -1),
                            np.stack([node[:-1].ravel(), node[1:].ravel()], -1)])
    tree = minimum_spanning_tree(coo_matrix((1 + rng.random(len(pairs)), pairs.T),
                                            (edge * edge, edge * edge))).toarray()
    opened = (tree[tuple(pairs.T)] > 0) | (rng.random(len(pairs)) < OPENED)
    across = rng.integers(MATERIALS, size=(edge, edge + 1))
    along = rng.integers(MATERIALS, size=(edge + 1, edge))
    half = edge * (edge - 1)
    across[:, 1:-1][opened[:half].reshape(edge, edge - 1)] = NO_WALL
    along[1:-1][opened[half:].reshape(edge - 1, edge)] = NO_WALL

    with_pillar = rng.choice(edge * edge, 1 + DISTRACTORS, replace=False)
    middle = np.stack([node % edge, node // edge], -1).reshape(-1, 2) + .5
    angle = rng.uniform(0, 2 * np.pi, 1 + DISTRACTORS)
    pillar = middle[with_pillar] + PILLAR_AT * np.stack([np.cos(angle), np.sin(angle)], -1)
    colours = rng.permutation(DISTRACTOR_COLOURS)[:DISTRACTORS]
    stone = rng.random((MATERIALS, 1, 3))
    return Rooms(across, along, middle + rng.uniform(-JITTER, JITTER, middle.shape),
                 int(with_pillar[0]), pillar, np.concatenate([[GOAL_COLOUR], colours]),
                 Materials(stone * [[[1], [MORTAR]]], rng.choice([1, 3], (MATERIALS, 2)),
                           rng.random(3), rng.random(3)))
