"""What stands in every pillar's column and in those around it.

A pole, a trunk and a person differ in how high their points reach, how far they spread and what
stands beside them; a lawn is rougher and brighter than a pavement. All of it is made of sums over
a column and over the 3 x 3 columns around, which stay the same when the scene makes a quarter
turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from eq_perception.detection.grid import order_by_cell
from eq_perception.panoptic.brightness import Brightness

# Heights above ground that divide a column into bands [m].
BANDS = np.array([.2, .5, 1., 1.5, 2., 2.5, 3.5, 5.], np.float32)
NUM_BANDS = len(BANDS) + 1
# Lower ends of the bands whose horizontal spread is told [m].
SPREAD_BANDS = np.array([.25, 1., 2.5], np.float32)
NUM_SPREADS = len(SPREAD_BANDS)
MOMENTS = 6             # number, x, y, xx, yy, xy
LOW = .25               # points up to here above the lowest of their column are its foot [m]
GROUND_LIMIT = 1.       # if that is no higher than this [m]
SMOOTHEST = .002        # roughness below it is all the same [m]
# What is summed over columns, besides numbers by band and moments.
FEET, TALLNESS, BRIGHT, DEVIATION, FREEDOM, LIGHT, COUNT = range(7)
BANDED = slice(7, 7 + NUM_BANDS)
SPREADING = slice(7 + NUM_BANDS, None)
COLUMN_FEATURES = 2 * NUM_BANDS + 13 + 3 * NUM_SPREADS

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Integer = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """The columns of a scan's pillars; one more row, of zeros, for points of no pillar.

    Attributes:
        features: (P, 40) float32: log(1 + points), mean intensity, that around, standard deviation
            of heights [m], log(1 + points) in each band of heights, and that around; brightness of
            the feet around and farther around, brightness they are compared with, here and
            overall; log roughness of the foot, that around, log(1 + points it is told from); step
            from the ground farther around to the foot and to the feet around [m]; for each
            spread band, largest and least standard deviation of places around [m], and
            log(1 + points).
        lowest: (P + 1,) float32, height of the lowest point [m].
        highest: (P + 1,) float32, of the highest [m].
        middle: (P + 1, 3, 2) float64, mean place of the points around, by spread band [m].
        spread: (P + 1, 3, 2) float64, standard deviations of those places, largest first [m].
    """

    features: Float
    lowest: Float
    highest: Float
    middle: Double
    spread: Double


def neighbourhood(index: Integer, pillars: int) -> csr_matrix:
    """Returns (P, P), 1 where a pillar is one of the 3 x 3 around another, itself included.

    Args:
        index: (H * W,) row of each cell's pillar, P for none.
        pillars: P.
    """
    edge = int(np.sqrt(len(index)))
    padded = np.pad(index.reshape(edge, edge), 1, constant_values=pillars)
    iy, ix = np.divmod(np.flatnonzero(index < pillars), edge)
    row = padded[iy + 1, ix + 1]
    near = np.stack([padded[iy + dy, ix + dx] for dy in range(3) for dx in range(3)], -1)
    there = near < pillars
    number = np.zeros(pillars + 1, np.int64)
    number[row + 1] = there.sum(1)
    by_row = np.argsort(row)
    column = near[by_row][there[by_row]]
    return csr_matrix((np.ones(len(column)), column, np.cumsum(number)), (pillars, pillars))


def describe_columns(xy: Float, height: Float, intensity: Float, row: Integer,
                     around: csr_matrix) -> tuple[Columns, Brightness]:
    """Describes the columns of a scan.

    Args:
        xy: (N, 2) places [m].
        height: (N,) above ground [m].
        intensity: (N,) in [0, 1].
        row: (N,) pillar of each point, P for none.
        around: (P, P), see `neighbourhood`.

    Returns:
        The columns, and the brightness of the ground that they are compared with.
    """
    pillars = around.shape[0]
    lowest, highest = _extremes(height, row, pillars)
    low = np.flatnonzero((row < pillars) & (height < lowest[row] + LOW)
                         & (np.abs(height) < GROUND_LIMIT))
    brightness = Brightness.of_ground(np.hypot(*xy.T), intensity, low)

    def total(weight: NDArray, some: Integer | slice = slice(None)) -> Double:
        return np.asarray(np.bincount(row[some], weight, pillars + 1)[:pillars], float)

    number = np.bincount(row * NUM_BANDS + np.searchsorted(BANDS, height),
                         minlength=(pillars + 1) * NUM_BANDS)[:pillars * NUM_BANDS]
    number = number.reshape(pillars, NUM_BANDS).astype(float)
    foot = height[low].astype(float)
    feet, tallness = total(np.ones(len(low)), low), total(foot, low)
    deviation = total(foot ** 2, low) - tallness ** 2 / np.maximum(feet, 1)
    own = np.column_stack([
        feet, tallness, total(brightness.relative[low], low), deviation, np.maximum(feet - 1, 0),
        total(intensity), number.sum(1), number, _moments(xy, height, row, pillars)])
    near = around @ own
    farther = around @ near[:, :BRIGHT + 1]
    ground = _ratio(around @ farther, TALLNESS, FEET)
    here = np.column_stack([own[:, COUNT], total(height), total(height.astype(float) ** 2),
                            total(brightness.expected)])
    mean, square, expected = (_ratio(here, column, 0) for column in (1, 2, 3))
    middle, spread, crowd = _spread(near[:, SPREADING])
    features = np.column_stack([
        np.log1p(own[:, COUNT]), _ratio(own, LIGHT, COUNT), _ratio(near, LIGHT, COUNT),
        np.sqrt(np.maximum(square - mean ** 2, 0)),
        np.log1p(number), np.log1p(near[:, BANDED]),
        _ratio(near, BRIGHT, FEET), _ratio(farther, BRIGHT, FEET),
        expected, np.full(pillars, brightness.overall),
        _roughness(own), _roughness(near), np.log1p(near[:, FREEDOM]),
        _ratio(own, TALLNESS, FEET) - ground, _ratio(near, TALLNESS, FEET) - ground,
        spread[..., 0], spread[..., 1], np.log1p(crowd)]).astype(np.float32)
    features[own[:, COUNT] == 0] = 0
    nothing = np.zeros((1, NUM_SPREADS, 2))
    columns = Columns(features, lowest, highest, np.concatenate([middle, nothing]),
                      np.concatenate([spread, nothing]))
    return columns, brightness


def _ratio(sums: Double, part: int, whole: int) -> Double:
    return np.asarray(sums[:, part] / np.maximum(sums[:, whole], 1))


def _roughness(sums: Double) -> Double:
    """Logarithm of a standard deviation: from pavement to lawn it grows tenfold."""
    return np.asarray(np.log(
        SMOOTHEST + np.sqrt(np.maximum(_ratio(sums, DEVIATION, FREEDOM), 0))))


def _moments(xy: Float, height: Float, row: Integer, pillars: int) -> Double:
    """(P, 3 * 6) sums over the points of each column and spread band."""
    band = np.searchsorted(SPREAD_BANDS, height) - 1
    some = np.flatnonzero((band >= 0) & (row < pillars))
    key = row[some] * NUM_SPREADS + band[some]
    x, y = xy[some].T.astype(float)
    sums = [np.bincount(key, weight, pillars * NUM_SPREADS)
            for weight in (np.ones_like(x), x, y, x * x, y * y, x * y)]
    return np.asarray(np.stack(sums, -1).reshape(pillars, -1), float)


def _spread(moments: Double) -> tuple[Double, Double, Double]:
    """Mean (P, 3, 2), standard deviations along the principal axes (P, 3, 2), number (P, 3)."""
    number, x, y, xx, yy, xy = np.moveaxis(moments.reshape(-1, NUM_SPREADS, MOMENTS), -1, 0)
    count = np.maximum(number, 1)
    x, y = x / count, y / count
    xx, yy, xy = xx / count - x * x, yy / count - y * y, xy / count - x * y
    half, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    axes = np.stack([half + radius, half - radius], -1)
    return np.stack([x, y], -1), np.sqrt(np.maximum(axes, 0)), number


def _extremes(height: Float, row: Integer, pillars: int) -> tuple[Float, Float]:
    """Lowest and highest height over every pillar, (P + 1,); zero where nothing is."""
    lowest, highest = np.zeros((2, pillars + 1), np.float32)
    inside = np.flatnonzero(row < pillars)
    inside = inside[order_by_cell(row[inside], pillars)]
    if len(inside):
        ordered, place = height[inside], row[inside]
        first = np.flatnonzero(np.diff(place, prepend=-1))
        lowest[place[first]] = np.minimum.reduceat(ordered, first)
        highest[place[first]] = np.maximum.reduceat(ordered, first)
    return lowest, highest
