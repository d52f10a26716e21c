"""Shorter and smoother paths that never leave the traversable cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_navigation.segments import segments_free

Double = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pull(traversable: Mask, path: Double) -> NDArray[np.int64]:
    """Pulls a path tight: from each place straight to the farthest that can be seen.

    Args:
        traversable: (H, W).
        path: (L, 2) column, row in units of cells; consecutive places see each other.

    Returns:
        (M,) rows of the places that are kept, the first and the last among them.
    """
    kept, last = [0], len(path) - 1
    while kept[-1] < last:
        here, reach = kept[-1], 1
        # Doubling, then halving: sight along a path is not monotone, but nearly.
        while here + reach < last and _sees(traversable, path, here, min(here + 2 * reach, last)):
            reach = min(2 * reach, last - here)
        low, high = here + reach, min(here + 2 * reach, last)
        while high - low > 1:
            middle = (low + high) // 2
            if _sees(traversable, path, here, middle):
                low = middle
            else:
                high = middle
        kept.append(high if high > low and _sees(traversable, path, here, high) else low)
    return np.array(kept, np.int64)


def _sees(traversable: Mask, path: Double, start: int, end: int) -> bool:
    return bool(segments_free(traversable, path[None, start], path[None, end])[0])


def resample(path: Double, spacing: float) -> Double:
    """Places along the same line, at most `spacing` apart; its corners stay.

    Args:
        path: (L, 2).
        spacing: In the unit of the path.
    """
    if len(path) < 2:
        return path
    length = np.hypot(*np.diff(path, axis=0).T)
    pieces = np.maximum(np.ceil(length / spacing), 1).astype(int)
    parts = [np.linspace(path[leg], path[leg + 1], count, endpoint=False)
             for leg, count in enumerate(pieces)]
    return np.concatenate([*parts, path[-1:]])


def headings(path: Double, final: float) -> Double:
    """(L,) direction of each place to the next; the last is as told [rad]."""
    ahead = np.diff(path, axis=0)
    return np.append(np.arctan2(ahead[:, 1], ahead[:, 0]), final)
