"""How the cells of the network's canvas lie on the ground, and which way each of them looks.

A cell describes vectors in a frame of its own. Cartesian cells all look along +x, so that turns by
90 degrees move the cells and turn the vectors. Polar cells look away from the sensor: a turn of
the scene by whole sectors only rolls the rows of the canvas, and nothing else changes. Cells are
numbered ``iy * edge + ix``; everything outside this module is the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import ClassVar
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Integer = NDArray[np.integer[Any]]
Real = NDArray[np.float64]


def order_by_cell(cell: Integer, cells: int) -> NDArray[np.intp]:
    """Sorts points by their cells and leaves those of one cell in order.

    Args:
        cell: (N,) in 0 .. cells - 1.
        cells: Number of cells; up to 2^16, numpy sorts by counting, in a tenth of the time.
    """
    return np.argsort(cell.astype(np.uint16) if cells <= 2 ** 16 else cell, kind='stable')


class Grid(Protocol):
    """A square canvas of cells around the sensor.

    Attributes:
        edge: Cells along either axis of the canvas.
        circular: Whether the last row borders on the first.
    """

    circular: ClassVar[bool]

    @property
    def edge(self) -> int:
        """Cells along either axis of the canvas."""

    def locate(self, xyz: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Returns each point's cell and whether it is inside; outside, the cell is void."""

    def centre(self, cell: Integer) -> Real:
        """Returns (N, 2) float64, where the cells' centres stand [m]."""

    def azimuth(self, cell: Integer) -> Real:
        """Returns (N,) float64, the direction of the cells' own x axes [rad]."""

    def spacing(self, cell: Integer) -> Real:
        """Returns (N, 2) float64, the cells' edges along their own axes [m]."""

    def ring(self, cell: Integer) -> Integer:
        """Returns (N,) integers that grow with the cells' distance from the sensor."""


@dataclass(frozen=True)
class CartesianGrid:
    """Square cells on a square of ``2 reach`` centred on the sensor; x along ix, y along iy."""

    edge: int
    reach: float
    circular: ClassVar[bool] = False

    @property
    def size(self) -> float:
        """Edge of a cell [m]."""
        return 2 * self.reach / self.edge

    def locate(self, xyz: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Counts cells outward from the axes; see `grid_cells`."""
        return grid_cells(xyz, self.edge, self.size)

    def centre(self, cell: Integer) -> Real:
        """Returns (N, 2) [m]."""
        iy, ix = np.divmod(cell, self.edge)
        return (np.stack([ix, iy], -1) + .5 - self.edge / 2) * self.size

    def azimuth(self, cell: Integer) -> Real:
        """All cells look along +x."""
        return np.zeros(len(cell))

    def spacing(self, cell: Integer) -> Real:
        """All cells are squares of one size."""
        return np.full((len(cell), 2), self.size)

    def ring(self, cell: Integer) -> Integer:
        """Squared distance in half cells."""
        iy, ix = np.divmod(cell, self.edge)
        ring: Integer = (2 * ix + 1 - self.edge) ** 2 + (2 * iy + 1 - self.edge) ** 2
        return ring


@dataclass(frozen=True)
class PolarGrid:
    """Sectors of rings on a disc of radius `reach`; range along ix, azimuth from -pi along iy.

    Law: turning the scene by ``2 pi k / edge`` rolls the rows by k, exactly.
    """

    edge: int
    reach: float
    circular: ClassVar[bool] = True

    @property
    def sector(self) -> float:
        """Angle between neighbouring rows [rad]."""
        return 2 * np.pi / self.edge

    def locate(self, xyz: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Bins range and azimuth; float64, lest turned points change their sectors."""
        x, y = xyz[:, 0].astype(np.float64), xyz[:, 1].astype(np.float64)
        column = np.minimum(np.hypot(x, y) * (self.edge / self.reach), 2. * self.edge)
        row = np.floor(np.arctan2(y, x) / (2 * np.pi) * self.edge) + self.edge // 2
        ix, iy = column.astype(np.int32), row.astype(np.int32) % np.int32(self.edge)
        return iy * np.int32(self.edge) + ix, ix < self.edge

    def centre(self, cell: Integer) -> Real:
        """Returns (N, 2) [m]."""
        azimuth = self.azimuth(cell)
        return self._range(cell)[:, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], -1)

    def azimuth(self, cell: Integer) -> Real:
        """Cells look away from the sensor."""
        return np.asarray((cell // self.edge + .5) * self.sector - np.pi)

    def spacing(self, cell: Integer) -> Real:
        """Rings are of equal width, sectors widen with range."""
        radius = self._range(cell)
        return np.stack([np.full(len(cell), self.reach / self.edge), radius * self.sector], -1)

    def ring(self, cell: Integer) -> Integer:
        """Number of the ring."""
        return cell % self.edge

    def _range(self, cell: Integer) -> Real:
        return np.asarray((cell % self.edge + .5) * (self.reach / self.edge))


GRIDS: Mapping[str, type[CartesianGrid] | type[PolarGrid]] = {
    'cartesian': CartesianGrid, 'polar': PolarGrid}


def grid_cells(xyz: NDArray[np.floating], edge: int, size: float
               ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Returns each point's Cartesian cell [iy * edge + ix] and whether it is inside the grid.

    Cells are counted outward from the axes, so that a point on a border goes to the outer cell on
    every side: plain `floor` would favour one side and break the symmetry for quantised data.
    """
    column = []
    for axis in (0, 1):
        value = xyz[:, axis] * np.float32(1 / size)
        outward = np.minimum(np.abs(value), 1e6).astype(np.int32)
        outward ^= -np.signbit(value).astype(np.int32)    # -1 - outward on the negative side
        outward += edge // 2
        column.append(outward)
    ix, iy = column
    # Negative ones are large as unsigned numbers.
    inside = (ix.view(np.uint32) < edge) & (iy.view(np.uint32) < edge)
    return iy * edge + ix, inside


def turn(vectors: NDArray[np.floating], angle: Real) -> Real:
    """Turns (..., 2) vectors by (...) angles [rad]."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1)
