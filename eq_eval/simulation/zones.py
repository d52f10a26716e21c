"""Parts of the ground that are made of something else: parking, lawns, roads across a place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from eq_eval.simulation.materials import GROUND
from eq_eval.simulation.materials import MATERIAL_ID

Array = NDArray[np.float64]
CELL = .25  # spacing of the raster [m]


class Zones:
    """A fine raster of materials; `GROUND` where no zone lies. Later zones cover earlier ones."""

    def __init__(self, low: Array, high: Array) -> None:
        """Starts without zones between two corners [m]."""
        self._low = np.asarray(low, float)
        columns, rows = np.ceil((high - self._low) / CELL).astype(int) + 1
        self._material = np.full((rows, columns), GROUND, np.uint8)

    def at(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.uint8]:
        """Material at places [m]; `GROUND` without a zone or outside the raster."""
        row, column = self._cells(np.asarray(x), np.asarray(y))
        rows, columns = self._material.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return np.where(inside, self._material[np.where(inside, row, 0),
                                               np.where(inside, column, 0)], GROUND)

    def paint(self, material: str, places: Array) -> None:
        """Covers the cells of (N, 2+) places, which must lie closer than `CELL` to each other."""
        row, column = self._cells(places[:, 0], places[:, 1])
        rows, columns = self._material.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        self._material[row[inside], column[inside]] = MATERIAL_ID[material]

    def paint_rectangle(self, material: str, x: float, y: float, yaw: float, length: float,
                        width: float) -> None:
        """Covers a rectangle about (x, y) that is `length` long along `yaw` [m, rad]."""
        along, beside = (np.arange(-extent / 2, extent / 2, .7 * CELL) + .35 * CELL
                         for extent in (length, width))
        u, v = (axis.ravel() for axis in np.meshgrid(along, beside))
        cos, sin = np.cos(yaw), np.sin(yaw)
        self.paint(material, np.stack([x + cos * u - sin * v, y + sin * u + cos * v], -1))

    def _cells(self, x: NDArray[np.floating], y: NDArray[np.floating]
               ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Row and column of places."""
        return (np.floor((y - self._low[1]) / CELL + .5).astype(np.int32),
                np.floor((x - self._low[0]) / CELL + .5).astype(np.int32))
