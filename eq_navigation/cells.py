"""The cells of a map where a robot can be: which belong together, and the moves between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse import csr_matrix

from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.graph import grid_edges

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Mask = NDArray[np.bool_]
Cell = tuple[int, int]      # row, column


@dataclass(frozen=True)
class Window:
    """A part of a map: rows `top` .. `bottom` - 1, columns `left` .. `right` - 1."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Window:
        """All of a map."""
        return cls(0, shape[0], 0, shape[1])

    @classmethod
    def around(cls, start: Double, goal: Double, length: float, shape: tuple[int, int]) -> Window:
        """The least part that no path of at most a length leaves.

        Such a path stays in the ellipse whose foci are its ends.

        Args:
            start: (2,) column, row in units of cells.
            goal: (2,), likewise.
            length: In units of cells; not less than the distance.
            shape: Of the map.
        """
        way = goal - start
        apart = max(float(np.hypot(*way)), 1e-9)
        along, across = length / 2, np.sqrt(max(length ** 2 - apart ** 2, 0.)) / 2
        reach = np.hypot(along * way / apart, across * way[::-1] / apart)
        low = np.floor((start + goal) / 2 - reach).astype(int)
        high = np.floor((start + goal) / 2 + reach).astype(int) + 1
        return cls(max(0, low[1]), min(shape[0], high[1]), max(0, low[0]), min(shape[1], high[0]))

    @property
    def size(self) -> int:
        """Number of cells."""
        return (self.bottom - self.top) * (self.right - self.left)

    def covers(self, other: Window) -> bool:
        """Whether the other one lies in this one."""
        return (self.top <= other.top and other.bottom <= self.bottom
                and self.left <= other.left and other.right <= self.right)

    def cut(self, field: NDArray) -> NDArray:
        """The part of a (H, W, ...) field, without a copy."""
        return field[self.top:self.bottom, self.left:self.right]


@dataclass(frozen=True, eq=False)
class Cells:
    """Where the centre of a robot can be.

    Attributes:
        world: The map.
        traversable: (H, W).
    """

    world: OccupancyMap
    traversable: Mask

    @cached_property
    def part(self) -> NDArray[np.int32]:
        """(H, W) number of the connected part that a cell belongs to, 0 where none can be.

        Diagonal moves need both cells beside them, so that straight ones tell what is connected.
        """
        part = np.zeros(self.traversable.shape, np.int32)
        label(self.traversable, output=part)
        return part


class CellGraph:
    """The moves between the traversable cells of a window.

    Attributes:
        edges: (N, N) lengths of the moves [m].
        cell: (N, 2) int64 row and column of each node on the map.
    """

    def __init__(self, cells: Cells, window: Window | None = None) -> None:
        """Finds the moves.

        Args:
            cells: Where the robot can be.
            window: The part of the map; all of it if None.
        """
        self.cells = cells
        self.window = Window.of(cells.traversable.shape) if window is None else window
        inside = self.window.cut(cells.traversable)
        self.edges: csr_matrix = grid_edges(inside, cells.world.resolution)
        self.cell: Integer = np.argwhere(inside) + (self.window.top, self.window.left)
        self._node: NDArray[np.int32] = np.full(inside.shape, -1, np.int32)
        self._node[inside] = np.arange(len(self.cell))

    def place(self, nodes: Integer) -> Double:
        """(..., 2) centres of nodes [m]."""
        cell = self.cell[nodes]
        return self.cells.world.centre(cell[..., 0], cell[..., 1])

    def node(self, row: int, column: int) -> int:
        """The node of a cell of the map; -1 where there is none."""
        row, column = row - self.window.top, column - self.window.left
        if not (0 <= row < self._node.shape[0] and 0 <= column < self._node.shape[1]):
            return -1
        return int(self._node[row, column])
