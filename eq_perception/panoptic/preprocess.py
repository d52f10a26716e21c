"""What the network is told of each point: which pillar it is in and how it lies in its column.

All features are invariant to quarter turns about the vertical: heights, brightness, distance, and
what stands in the point's column and around it. Directions enter through the pillars alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.points import Points
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import Pillars
from eq_perception.panoptic.columns import describe_columns
from eq_perception.panoptic.columns import neighbourhood
from eq_perception.panoptic.columns import SPREAD_BANDS
from eq_perception.panoptic.config import POINT_FEATURES
from eq_perception.panoptic.config import SegmenterConfig

HEIGHT_LIMIT = 20.   # heights beyond it say nothing new [m]
HEADROOM_LIMIT = 5.  # likewise of what could be seen above a column [m]
TOP_SHARE = .995     # of the points lie below the highest beam; a few stray ones do not count

Float = NDArray[np.float32]
Integer = NDArray[np.int64]


@dataclass(frozen=True)
class PointRows:
    """What the network is told of the points of a scan: K of its N, and the columns they stand in.

    Attributes:
        features: (K, 11) float32: height above ground, height above the lowest and below the
            highest point of the column [m], intensity, distance from the sensor [100 m], 1 without
            a pillar, how far above the column's highest point the highest beam passes [m],
            brightness beside the ground at that distance; distance from the middle of the points
            around in the same band of heights, and the spread of those along its axes [m].
        row: (K,) int64, pillar of each point; the number of pillars for none.
        columns: (P, 40) float32, see `columns.Columns`.
        kept: (K,) int64, position of each point in the scan, rising.
        head_cell: (N,) int64, output cell of every point of the scan, -1 outside the grid.
    """

    features: Float
    row: Integer
    columns: Float
    kept: Integer
    head_cell: Integer


def point_rows(points: Points, pillars: Pillars, config: SegmenterConfig) -> PointRows:
    """Describes the points of the newest scan.

    Args:
        points: The scan, gravity-aligned, finite.
        pillars: Those of the scan, or of the scan with past sweeps behind it.
        config: Grid and limits.
    """
    count, grid, missing = len(points), config.detector.pillar_grid, len(pillars.points)
    located, inside = grid.locate(points.xyz)
    cell = np.where(inside, located, 0)
    row = np.where(inside, pillars.index[cell], missing)
    iy, ix = np.divmod(cell, grid.edge)
    head_cell = np.where(inside, iy // 2 * config.detector.head_size + ix // 2, -1)
    x, y, z = points.xyz.T
    a, b, c = pillars.ground
    ground = (a * x + b * y + c).astype(np.float32)
    height, distance = np.clip(z - ground, -HEIGHT_LIMIT, HEIGHT_LIMIT), np.hypot(x, y)
    columns, brightness = describe_columns(points.xyz[:, :2], height, points.intensity, row,
                                           neighbourhood(pillars.index, missing))
    beam = _highest_beam(z, distance)
    kept = np.arange(min(count, config.max_points), dtype=np.int64)
    if count > len(kept):
        kept = kept * count // len(kept)
    row, height, distance = row[kept], height[kept], distance[kept]
    band = np.maximum(np.searchsorted(SPREAD_BANDS, height) - 1, 0)
    standing = (row < missing) & (height > SPREAD_BANDS[0])
    highest = columns.highest[row]
    features = np.zeros((len(kept), POINT_FEATURES), np.float32)
    features[:, 0] = height
    features[:, 1] = height - columns.lowest[row]
    features[:, 2] = highest - height
    features[:, 6] = np.clip(beam * distance - ground[kept] - highest, 0, HEADROOM_LIMIT)
    features[row == missing] = 0
    features[:, 0] = height
    features[:, 3] = points.intensity[kept]
    features[:, 4] = distance / 100
    features[:, 5] = row == missing
    features[:, 7] = brightness.relative[kept]
    aside = points.xyz[kept, :2] - columns.middle[row, band]
    features[:, 8] = standing * np.hypot(*aside.T)
    features[:, 9:11] = standing[:, None] * columns.spread[row, band]
    return PointRows(features, row, columns.features, kept, head_cell)


def _highest_beam(z: Float, distance: Float) -> float:
    """Slope of the highest beam: what ends there may go on unseen, a trunk as well as a wall."""
    far = distance > 1
    slope = z[far] / distance[far]
    if not len(slope):
        return 0.
    place = int(TOP_SHARE * (len(slope) - 1))
    return float(np.partition(slope, place)[place])


def pillar_cells(pillars: Pillars, config: DetectorConfig) -> Integer:
    """Returns (P, 4) int64: the output cells around each pillar's centre.

    The nearest, its neighbours along x, along y, and along both; at the border the nearest again.
    An output cell has 2 x 2 pillars, so that the centres' bilinear weights are always the same.
    """
    edge, size = config.grid_size, config.head_size
    occupied = np.flatnonzero(pillars.index < len(pillars.points))
    cell = np.zeros(len(pillars.points), np.int64)
    cell[pillars.index[occupied]] = occupied
    near = []
    for place in np.divmod(cell, edge):
        beside = np.clip(place // 2 + 2 * (place % 2) - 1, 0, size - 1)
        near.append((place // 2, beside))
    (iy, iy_beside), (ix, ix_beside) = near
    return np.stack([iy * size + ix, iy * size + ix_beside,
                     iy_beside * size + ix, iy_beside * size + ix_beside], -1)


def padded(rows: PointRows, config: SegmenterConfig) -> tuple[Float, Integer]:
    """Fills features and rows up to `max_points`, as engines want static shapes."""
    missing = config.max_points - len(rows.row)
    return (np.pad(rows.features, ((0, missing), (0, 0))),
            np.pad(rows.row, (0, missing), constant_values=config.detector.max_pillars))


def spread(values: NDArray, kept: Integer, count: int) -> NDArray:
    """Gives every point of a scan the value of the kept point at or before it.

    Args:
        values: (K, ...) values of the kept points.
        kept: (K,) their positions, rising, the first being 0.
        count: Points of the scan.

    Returns:
        (count, ...): LiDAR points that follow each other are neighbours on one beam.
    """
    if len(kept) == count:
        return values
    return values[np.searchsorted(kept, np.arange(count), side='right') - 1]
