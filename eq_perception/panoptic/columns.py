"""What stands in every vertical column of the grid, and in those around it.

A pole, a trunk and a person differ in how high their points reach and in what stands beside them;
a lawn is rougher than a pavement and brighter than a road. Sums over a column and over the 3 x 3
columns around it stay the same when the scene makes a quarter turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_perception.detection.grid import order_by_cell

# Heights above ground that divide a column into bands [m].
BANDS = np.array([.2, .5, 1., 1.5, 2., 2.5, 3.5, 5.], np.float32)
NUM_BANDS = len(BANDS) + 1
COLUMN_FEATURES = 2 * NUM_BANDS + 6

Float = NDArray[np.float32]


def describe_columns(cell: NDArray[np.int64], height: Float, intensity: Float, edge: int) -> Float:
    """Describes the columns of a scan.

    Args:
        cell: (N,) cell of each point, edge * edge outside the grid.
        height: (N,) heights above ground [m].
        intensity: (N,) in [0, 1].
        edge: Cells along the edge of the grid.

    Returns:
        (edge * edge + 1, 24) float32, zeros for empty columns and, last, outside: lowest and
        highest height [m], log(1 + points), mean intensity, that of the columns around,
        standard deviation of the heights [m], then log(1 + points) of each band of heights, of
        the column and of those around it.
    """
    cells = edge * edge
    number = np.bincount(cell * NUM_BANDS + np.searchsorted(BANDS, height),
                         minlength=(cells + 1) * NUM_BANDS)[:cells * NUM_BANDS]
    number = number.reshape(edge, edge, NUM_BANDS).astype(np.float32)
    around = _around(number)
    light = np.bincount(cell, intensity, cells + 1)[:cells]
    light_around = _around(light.reshape(edge, edge, 1)).reshape(-1)
    number, around = number.reshape(cells, -1), around.reshape(cells, -1)
    total = number.sum(1)
    there = np.flatnonzero(total)
    count = total[there]
    mean, square = (np.bincount(cell, weight, cells + 1)[there] / count
                    for weight in (height, height.astype(np.float64) ** 2))
    table = np.zeros((cells + 1, COLUMN_FEATURES), np.float32)
    table[there, 0], table[there, 1] = _extremes(cell, height, cells)
    table[there, 2] = np.log1p(count)
    table[there, 3] = light[there] / count
    table[there, 4] = light_around[there] / around[there].sum(1)
    table[there, 5] = np.sqrt(np.maximum(square - mean ** 2, 0))
    table[there, 6:6 + NUM_BANDS] = np.log1p(number[there])
    table[there, 6 + NUM_BANDS:] = np.log1p(around[there])
    return table


def _around(field: NDArray) -> NDArray:
    """Sums (H, W, C) over 3 x 3 cells."""
    padded = np.pad(field, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def _extremes(cell: NDArray[np.int64], height: Float, cells: int) -> tuple[Float, Float]:
    """Lowest and highest height over every cell with points, by ascending cell."""
    inside = np.flatnonzero(cell < cells)
    inside = inside[order_by_cell(cell[inside], cells)]
    if not len(inside):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    first = np.flatnonzero(np.diff(cell[inside], prepend=-1))
    ordered = height[inside]
    return np.minimum.reduceat(ordered, first), np.maximum.reduceat(ordered, first)
