"""Brings what stands apart on a table into one cube.

Voxels that are fine enough for a place are too many for a whole table. Where object and target
stand makes no difference to a policy that turns and moves with each of them on its own: a body
that is shifted before it is looked at shifts every pose on it as much. Thus the bodies on a table
are moved together until one cube holds them, and what is found is carried back with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial import KDTree

from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace

CELL = .01      # edge of cells that hang together where they touch, by a corner at least [m]
LEAST = .01     # part of all points that a body has at least; smaller ones are noise

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Bodies moved together.

    Attributes:
        xyz: (N, 3) float32 points of all bodies in the cube [m].
        color: (N, 3) float32 of those.
        body: (N,) number of the body of each.
        shifts: (K, 3) how far each body was moved [m].
    """

    xyz: Float
    color: Float
    body: NDArray[np.int64]
    shifts: Double

    def body_at(self, places: Double) -> NDArray[np.int64]:
        """Body that is nearest to each of (P, 3) places in the cube."""
        return np.asarray(self.body[KDTree(self.xyz).query(places)[1]])

    def back(self, poses: Double) -> Double:
        """Poses (P, 4, 4) in the cube as they are on the table, each with the body it is on."""
        return _shifted(poses, -self.shifts[self.body_at(poses[:, :3, 3])])

    def forth(self, poses: Double) -> Double:
        """Inverse of `back`."""
        before = KDTree(self.xyz - self.shifts[self.body])
        return _shifted(poses, self.shifts[self.body[before.query(poses[:, :3, 3])[1]]])


def _shifted(poses: Double, shift: Double) -> Double:
    moved = poses.copy()
    moved[:, :3, 3] += shift
    return moved


def gather(xyz: NDArray[np.floating], color: NDArray[np.floating], table: Workspace,
           cube: Workspace) -> Gathered:
    """Moves bodies together, as little as it takes.

    Args:
        xyz: (N, 3) points [m].
        color: (N, 3) in [0, 1].
        table: Box that holds all bodies and nothing of the table itself.
        cube: Where they are wanted.

    Raises:
        InputError: There is nothing on the table.
    """
    inside = table.contains(xyz)
    xyz, color = np.asarray(xyz[inside], np.float64), color[inside]
    if not len(xyz):
        raise InputError('there is nothing on the table', 'bad_layout')
    body = _bodies(np.asarray(xyz - table.lower, np.float64))
    kept = np.bincount(body)[body] >= LEAST * len(body)
    xyz, color = xyz[kept], color[kept]
    _, body = np.unique(body[kept], return_inverse=True)
    low, high = (np.stack([edge(xyz[body == number], 0) for number in range(body.max() + 1)])
                 for edge in (np.min, np.max))
    middle = (low.min(0) + high.max(0)) / 2
    offset = (low + high) / 2 - middle
    room = np.maximum((np.subtract(cube.upper, cube.lower) - (high - low)) / 2, 0)
    # All distances between bodies shrink alike, so that no two come to lie in one another.
    nearer = min(1., float((room / np.maximum(np.abs(offset), 1e-9)).min()))
    shifts = cube.middle + nearer * offset - (low + high) / 2
    return Gathered((xyz + shifts[body]).astype(np.float32), np.asarray(color, np.float32), body,
                    shifts)


def _bodies(xyz: Double) -> NDArray[np.int64]:
    """Number of the body of each point: those whose cells hang together."""
    cell = (xyz / CELL).astype(np.int64)
    cells = np.zeros(cell.max(0) + 1, bool)
    cells[tuple(cell.T)] = True
    number, _ = label(cells, np.ones((3, 3, 3)))
    return np.asarray(number[tuple(cell.T)], np.int64)
