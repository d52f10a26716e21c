"""From fields of scores to poses with probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Double = NDArray[np.float64]


def share_near(heat: Float, place: Double, radius: float) -> float:
    """Probability of everything within a radius of a place.

    Args:
        heat: (n, n, n) probabilities, indexed [iz, iy, ix].
        place: (3,) x, y, z from the middle [cells].
        radius: [cells].
    """
    axis = np.arange(heat.shape[0]) - (heat.shape[0] - 1) / 2
    x, y, z = place
    near = ((axis[:, None, None] - z) ** 2 + (axis[None, :, None] - y) ** 2
            + (axis[None, None, :] - x) ** 2) <= radius ** 2
    return float(min(heat[near].sum(dtype=np.float64), 1.))


def peaks(heat: Float, radius: float, count: int) -> list[tuple[int, int, int]]:
    """Cells of the likeliest places, each outside the surroundings of the others, best first.

    Args:
        heat: (n, n, n) probabilities.
        radius: Of the surroundings [cells].
        count: How many are wanted; fewer are found where nothing is left.
    """
    left, found = heat.copy(), []
    grid = np.ogrid[tuple(slice(edge) for edge in heat.shape)]
    for _ in range(count):
        cell = np.unravel_index(int(left.argmax()), heat.shape)
        if left[cell] <= 0:
            break
        z, y, x = (int(index) for index in cell)
        found.append((z, y, x))
        distance = sum((axis - index) ** 2 for axis, index in zip(grid, cell, strict=True))
        left[distance <= radius ** 2] = 0
    return found


def centre_of(heat: Float, cell: tuple[int, int, int]) -> Double:
    """Mean place over the neighbours of a peak, which finds fractions of cells.

    Returns:
        (3,) x, y, z from the middle [cells].
    """
    low = [max(index - 1, 0) for index in cell]
    part = heat[tuple(slice(start, index + 2) for start, index in zip(low, cell, strict=True))]
    part = part.astype(np.float64) / part.sum(dtype=np.float64)
    mean = [float(part.sum(tuple({0, 1, 2} - {axis})) @ (start + np.arange(part.shape[axis])))
            for axis, start in enumerate(low)]
    return np.array(mean[::-1]) - (heat.shape[0] - 1) / 2


def read_between(field: Float, place: Double) -> Double:
    """Linear interpolation of (C, n, n, n) at x, y, z from the middle [cells]: (C,)."""
    at = np.clip(place[::-1] + (field.shape[-1] - 1) / 2, 0, field.shape[-1] - 1)
    low = np.minimum(np.floor(np.round(at, 9)).astype(int), field.shape[-1] - 2)
    value = np.zeros(len(field))
    for step in np.ndindex(2, 2, 2):
        z, y, x = low + step
        value += np.where(step, at - low, 1 - at + low).prod() * field[:, z, y, x]
    return value
