"""What the network is told of each point: which pillar it is in and how it lies in its column.

All features are invariant to quarter turns about the vertical: heights, intensity, distance, and
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
from eq_perception.panoptic.config import POINT_FEATURES
from eq_perception.panoptic.config import SegmenterConfig

HEIGHT_LIMIT = 20.   # heights beyond it say nothing new [m]
HEADROOM_LIMIT = 5.  # likewise of what could be seen above a column [m]
TOP_SHARE = .995     # of the points lie below the highest beam; a few stray ones do not count

Float = NDArray[np.float32]
Integer = NDArray[np.int64]


@dataclass(frozen=True)
class PointRows:
    """The network's second input: single points, K of the N of a scan.

    Attributes:
        features: (K, 29) float32: height above ground, height above the lowest and below the
            highest point of the column [m], intensity, distance from the sensor [100 m], 1 outside
            the grid, how far above the column's highest point the highest beam passes [m]; then
            what `describe_columns` tells besides the lowest and the highest.
        row: (K,) int64, pillar of each point; the number of pillars for none.
        kept: (K,) int64, position of each point in the scan, rising.
        head_cell: (N,) int64, output cell of every point of the scan, -1 outside the grid.
    """

    features: Float
    row: Integer
    kept: Integer
    head_cell: Integer


def point_rows(points: Points, pillars: Pillars, config: SegmenterConfig) -> PointRows:
    """Describes the points of the newest scan.

    Args:
        points: The scan, gravity-aligned, finite.
        pillars: Those of the scan, or of the scan with past sweeps behind it.
        config: Grid and limits.
    """
    count, grid = len(points), config.detector.pillar_grid
    kept = np.arange(min(count, config.max_points), dtype=np.int64)
    if count > len(kept):
        kept = kept * count // len(kept)
    located, inside = grid.locate(points.xyz)
    cells = grid.edge ** 2
    cell = np.where(inside, located, cells).astype(np.int64)
    x, y, z = points.xyz.T
    a, b, c = pillars.ground
    ground = (a * x + b * y + c).astype(np.float32)
    height, distance = np.clip(z - ground, -HEIGHT_LIMIT, HEIGHT_LIMIT), np.hypot(x, y)
    visible = _highest_beam(z, distance) * distance - ground
    table = describe_columns(cell, height, points.intensity, grid.edge)
    iy, ix = np.divmod(cell, grid.edge)
    head_cell = np.where(inside, iy // 2 * config.detector.head_size + ix // 2, -1)
    cell, height, outside = cell[kept], height[kept], ~inside[kept]
    column = np.take(table, cell, axis=0)
    features = np.empty((len(kept), POINT_FEATURES), np.float32)
    features[:, 0] = height
    features[:, 1] = np.where(outside, 0, height - column[:, 0])
    features[:, 2] = np.where(outside, 0, column[:, 1] - height)
    features[:, 3] = points.intensity[kept]
    features[:, 4] = distance[kept] / 100
    features[:, 5] = outside
    features[:, 6] = np.where(outside, 0, np.clip(visible[kept] - column[:, 1], 0, HEADROOM_LIMIT))
    features[:, 7:] = column[:, 2:]
    row = np.append(pillars.index, len(pillars.points))[cell]
    return PointRows(features, row, kept, head_cell)


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
