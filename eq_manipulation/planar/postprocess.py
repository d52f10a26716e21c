"""From fields and scores to poses with probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Peak:
    """A likely place.

    Attributes:
        row: Row, with a fraction.
        column: Column, with a fraction.
        angle: [rad], 0 where there are no angles.
        score: Probability of everything near it, in [0, 1].
    """

    row: float
    column: float
    angle: float
    score: float


def peaks(probability: Float, radius: float, count: int) -> list[Peak]:
    """Finds the likeliest places, each outside the surroundings of the others.

    Args:
        probability: (N, H, W) by angle, periodic, and cell.
        radius: What lies nearer belongs to a place [cells].
        count: How many are wanted.

    Returns:
        At most `count`, best first: fewer where nothing is left.
    """
    heat, found = probability.sum(0, dtype=np.float64), []
    best_angle, best = probability.argmax(0), probability.max(0)
    open_ = np.ones(heat.shape, bool)
    rows, columns = np.ogrid[:heat.shape[0], :heat.shape[1]]
    for _ in range(count):
        place = int(np.where(open_, best, -1).argmax())
        row, column = divmod(place, heat.shape[1])
        near = ((rows - row) ** 2 + (columns - column) ** 2 <= radius ** 2) & open_
        score = float(heat[near].sum())
        if not open_[row, column] or score <= 0:
            break
        refined = _centre(probability, int(best_angle[row, column]), row, column)
        found.append(Peak(*refined, min(score, 1.)))
        open_ &= ~near
    return found


def _centre(probability: Float, level: int, row: int, column: int) -> tuple[float, float, float]:
    """Mean over the neighbours of a peak, which finds fractions of cells and of angles."""
    count, height, width = probability.shape
    levels = np.arange(level - 1, level + 2) if count > 2 else np.array([level])
    rows = np.arange(max(row - 1, 0), min(row + 2, height))
    columns = np.arange(max(column - 1, 0), min(column + 2, width))
    part = probability[np.ix_(levels % count, rows, columns)].astype(np.float64)
    part /= part.sum()
    mean = [float((axis * part.sum(others)).sum()) for axis, others in (
        (levels, (1, 2)), (rows, (0, 2)), (columns, (0, 1)))]
    return mean[1], mean[2], 2 * np.pi * mean[0] / count
