"""Which straight segments stay on traversable cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 22     # crossings looked at together

Double = NDArray[np.float64]
Mask = NDArray[np.bool_]


def segments_free(traversable: Mask, start: Double, end: Double) -> Mask:
    """Tells which segments touch traversable cells only.

    A segment crosses from cell to cell where one of its coordinates is a whole number; between two
    crossings it is in one cell, that of the middle. Where it passes through a corner exactly, both
    cells beside the corner must be traversable as well, as a path must not squeeze through.

    Args:
        traversable: (H, W).
        start: (M, 2) column, row in units of cells, see `OccupancyMap.to_cells`.
        end: (M, 2), likewise.

    Returns:
        (M,); False for segments that leave the map.
    """
    answer = np.zeros(len(start), bool)
    if not len(start):
        return answer
    crossings = np.abs(np.floor(end) - np.floor(start)).max(1)
    order = np.argsort(crossings, kind='stable')     # segments of about one length go together
    first = 0
    while first < len(order):
        width = int(crossings[order[first]]) + 8
        count = max(1, CHUNK // (8 * width))
        last = first + int(np.searchsorted(crossings[order[first:first + count]], 2 * width))
        some = order[first:max(last, first + 1)]
        answer[some] = _check(traversable, start[some], end[some])
        first += len(some)
    return answer


def _check(traversable: Mask, start: Double, end: Double) -> Mask:
    step = end - start
    cuts = [np.zeros((len(start), 1)), np.ones((len(start), 1))]
    for axis in (0, 1):
        low = np.floor(np.minimum(start, end)[:, axis]) + 1
        number = int(max(0, np.abs(np.floor(end) - np.floor(start))[:, axis].max()))
        lines = low[:, None] + np.arange(number)
        with np.errstate(divide='ignore', invalid='ignore'):
            share = (lines - start[:, axis, None]) / step[:, axis, None]
        cuts.append(np.where((share > 0) & (share < 1), share, 1.))
    share = np.sort(np.concatenate(cuts, axis=1), axis=1)
    middle = (share[:, 1:] + share[:, :-1]) / 2
    place = start[:, None] + middle[..., None] * step[:, None]
    free = _at(traversable, place)
    # At a corner two crossings fall together: the cells on either side of it.
    corner = start[:, None] + share[:, 1:-1, None] * step[:, None]
    whole = (np.abs(corner - np.round(corner)) < 1e-9).all(-1)
    turned = np.sign(step)[:, None] * np.array([.5, -.5])
    beside = (_at(traversable, corner + turned) & _at(traversable, corner - turned)) | ~whole
    return np.asarray(free.all(1) & beside.all(1))


def _at(traversable: Mask, place: Double) -> Mask:
    """(..., 2) column, row -> whether the cell there is traversable; False off the map."""
    cell = np.floor(place).astype(np.int64)
    column, row = cell[..., 0], cell[..., 1]
    height, width = traversable.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.asarray(inside & traversable[np.where(inside, row, 0), np.where(inside, column, 0)])
