"""Where to look for a path on a map that is too large to look everywhere.

A path on blocks of cells that are free throughout comes first; the cells around it are where the
path on cells is looked for. That path is valid like any other and nearly the shortest, but the
shortest may run elsewhere, and a way that is narrower than two blocks may be missed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.cells import Cell
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.cells import Window
from eq_navigation.search import shortest_route

BLOCK = 4       # cells of a block's edge
BESIDE = 3      # blocks on either side that belong to the corridor

Mask = NDArray[np.bool_]


def find_corridor(cells: Cells, first: Cell, last: Cell) -> CellGraph | None:
    """Finds the moves near a coarse path.

    Args:
        cells: Where the robot can be.
        first: Row and column of the start.
        last: Of the goal.

    Returns:
        The moves, or None where there is no path on blocks.
    """
    blocks = _blocks(cells.traversable)
    coarse = Cells(OccupancyMap(np.where(blocks, 0, 100).astype(np.int8), 1.), blocks)
    start, goal = _nearest(blocks, first), _nearest(blocks, last)
    if start is None or goal is None or coarse.part[start] != coarse.part[goal]:
        return None
    graph = CellGraph(coarse)
    route = shortest_route(graph.edges, graph.node(*start), graph.node(*goal))
    near = np.zeros(blocks.shape, bool)
    near[tuple(graph.cell[route.nodes].T)] = True
    for row, column in (first, last):
        near[row // BLOCK, column // BLOCK] = True
    near = binary_dilation(near, np.ones((3, 3), bool), BESIDE)
    rows, columns = (np.flatnonzero(near.any(axis)) * BLOCK for axis in (1, 0))
    height, width = cells.traversable.shape
    window = Window(int(rows[0]), min(height, int(rows[-1]) + BLOCK),
                    int(columns[0]), min(width, int(columns[-1]) + BLOCK))
    inside = np.repeat(np.repeat(near, BLOCK, 0), BLOCK, 1)[:height, :width]
    return CellGraph(Cells(cells.world, cells.traversable & inside), window)


def _blocks(traversable: Mask) -> Mask:
    """(H', W') whether all cells of a block are traversable; a block across the border is not."""
    height, width = traversable.shape
    padded = np.pad(traversable, ((0, -height % BLOCK), (0, -width % BLOCK)))
    tall, wide = (edge // BLOCK for edge in padded.shape)
    return np.asarray(padded.reshape(tall, BLOCK, wide, BLOCK).all((1, 3)))


def _nearest(blocks: Mask, cell: Cell) -> Cell | None:
    """The free block nearest to that of a cell, at most `BESIDE` away."""
    row, column = cell[0] // BLOCK, cell[1] // BLOCK
    top, left = max(0, row - BESIDE), max(0, column - BESIDE)
    near = np.argwhere(blocks[top:row + BESIDE + 1, left:column + BESIDE + 1]) + (top, left)
    if not len(near):
        return None
    best = near[np.abs(near - (row, column)).sum(1).argmin()]
    return int(best[0]), int(best[1])
