"""From a scan to the network's input: heights above ground, pillars, padded rows.

Everything here commutes with turns about the sensor's vertical axis: the ground is a least-squares
plane, the grid of cells is symmetric about the sensor, and which points of a full pillar are kept
depends on their order of arrival only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.points import Points
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.config import POINT_FEATURES
from eq_perception.detection.grid import Grid
from eq_perception.detection.grid import GRIDS
from eq_perception.detection.grid import order_by_cell
from eq_perception.detection.grid import turn

GROUND_CELL = 3.2   # [m]; a car leaves ground visible in a Cartesian cell of this size
SWEEP_PERIOD = .1   # unit of ages, so that they are as large as the other features [s]
GROUND_BANDS = (2., 1., .5, .3, .3)   # residuals kept in successive fits [m]

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Pillars:
    """The network's input of one scan.

    Attributes:
        points: (P, K, 8) float32; see `pillarize`.
        index: (H * W,) int64, the row of each cell's pillar, P for an empty cell.
        ground: (3,) float64, the plane ``z = a x + b y + c`` that heights refer to.
        dropped: Pillars that did not fit into `max_pillars`.
    """

    points: Float
    index: NDArray[np.int64]
    ground: NDArray[np.float64]
    dropped: int


def fit_ground(xyz: Float, point_cloud_range: float, grid: str = 'cartesian'
               ) -> NDArray[np.float64]:
    """Fits a plane to the lowest points of coarse cells, by repeated trimmed least squares.

    Args:
        xyz: (N, 3) float32 [m].
        point_cloud_range: Half edge of the square (radius of the disc) looked at [m].
        grid: Kind of the coarse cells; turning by whole coarse cells turns the answer.

    Returns:
        (a, b, c) of ``z = a x + b y + c``; zeros if there is too little to fit.
    """
    lowest = _lowest_points(xyz, GRIDS[grid](2 * round(point_cloud_range / GROUND_CELL),
                                             point_cloud_range))
    if len(lowest) < 3:
        return np.array([0., 0., lowest[:, 2].min() if len(lowest) else 0.])
    near = lowest[np.hypot(lowest[:, 0], lowest[:, 1]) < 25.]
    plane = np.array([0., 0., np.quantile((near if len(near) > 8 else lowest)[:, 2], 0.3)])
    design = np.column_stack([lowest[:, :2], np.ones(len(lowest))])
    # Two weak observations of a level plane keep sparse scans from tilting it.
    prior = np.diag([500., 500., 0.])
    for band in GROUND_BANDS:
        residual = lowest[:, 2] - design @ plane
        kept = np.abs(residual) < band
        if kept.sum() < 3:
            break
        part = design[kept]
        plane = np.linalg.solve(part.T @ part + prior, part.T @ lowest[kept, 2])
    return np.asarray(plane)


def _lowest_points(xyz: Float, grid: Grid) -> NDArray[np.float64]:
    """Returns (M, 3) float64, the lowest point of every occupied coarse cell."""
    cell, inside = grid.locate(xyz)
    cell = np.where(inside, cell, grid.edge ** 2)
    floor = np.full(grid.edge ** 2 + 1, np.inf, np.float32)
    np.minimum.at(floor, cell, xyz[:, 2])
    floor[-1] = np.nan           # what lies outside is no one's lowest point
    return xyz[np.flatnonzero(xyz[:, 2] == floor[cell])].astype(np.float64)


def pillarize(points: Points, config: DetectorConfig, max_pillars: int | None = None) -> Pillars:
    """Groups a scan (or stacked sweeps) into pillars.

    Per kept point: height above ground, height above the pillar's mean, intensity, time offset
    (in `SWEEP_PERIOD`), xy relative to the cell's centre, xy relative to the pillar's mean point,
    both along the cell's own axes. Pillars of fewer than K points repeat their own points, which
    leaves a maximum over points unchanged.

    Args:
        points: The scan, gravity-aligned, finite.
        config: Grid and limits.
        max_pillars: Rows of the result; `config.max_pillars` if None, as many as there are
            occupied cells if 0 (training).

    Returns:
        Rows, index map, ground plane and the number of pillars that did not fit.
    """
    ground = fit_ground(points.xyz, config.point_cloud_range, config.grid)
    x, y, z = points.xyz.T
    height = z - (ground[0] * x + ground[1] * y + ground[2]).astype(np.float32)
    grid = config.pillar_grid
    cell, inside = grid.locate(points.xyz)
    inside &= height > config.z_range[0]
    inside &= height < config.z_range[1]
    kept = np.flatnonzero(inside)
    cell = cell[kept]
    kept = kept[order_by_cell(cell, grid.edge ** 2)]
    count = np.bincount(cell, minlength=grid.edge ** 2)
    pillar_cell = np.flatnonzero(count)
    count = count[pillar_cell]
    start = np.cumsum(count) - count
    if max_pillars is None:
        max_pillars = config.max_pillars
    rows, dropped = len(start), 0
    if max_pillars and rows > max_pillars:
        chosen = _innermost(grid.ring(pillar_cell), max_pillars)
        start, count, pillar_cell = start[chosen], count[chosen], pillar_cell[chosen]
        rows, dropped = len(chosen), rows - len(chosen)
    capacity = max_pillars or rows
    table = np.empty((capacity, config.points_per_pillar, POINT_FEATURES), np.float32)
    table[rows:] = 0.
    index = np.full(grid.edge ** 2, capacity, np.int64)
    index[pillar_cell] = np.arange(rows)
    if rows:
        _fill(table[:rows], points, height, kept, start, count, pillar_cell, grid)
    return Pillars(table, index, ground, dropped)


def _innermost(ring: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Positions of at most `count` cells nearest to the sensor, whole rings of equal distance."""
    return np.flatnonzero(ring < np.partition(ring, count)[count])


def _fill(table: Float, points: Points, height: Float, kept: NDArray[np.int64],
          start: NDArray[np.int64], count: NDArray[np.int64], cell: NDArray[np.int64],
          grid: Grid) -> None:
    """Writes the rows of `pillarize`.

    Whole rows are copied, first of all points, then of those that are chosen, and only then made
    relative to their pillar: memory is the bottleneck here, and a column is spread over all of it.

    Args:
        table: (P, K, 8) to write.
        points: The scan.
        height: (N,) above ground [m].
        kept: Positions in the scan, pillar by pillar.
        start: (P,) where the pillars begin in `kept`.
        count: (P,) their points.
        cell: (P,) their cells.
        grid: Where these stand.
    """
    x, y, _ = points.xyz.T
    feature = np.empty((len(points), POINT_FEATURES), np.float32)
    for column, values in enumerate((height, height, points.intensity,
                                     points.time_offset / SWEEP_PERIOD, x, y, x, y)):
        feature[:, column] = values
    chosen = kept[spread_evenly(start, count, table.shape[1])]
    np.take(feature, chosen, axis=0, out=table, mode='clip')   # 'raise' would copy once more
    origin = np.zeros((len(cell), POINT_FEATURES), np.float32)
    place = np.empty(len(points), np.complex64)    # two sums at once take the time of one
    place.real, place.imag = x, y
    place_sum = _sum(place, kept, start, count)
    origin[:, 1] = _sum(height, kept, start, count) / count
    origin[:, 6], origin[:, 7] = place_sum.real / count, place_sum.imag / count
    origin[:, 4:6] = grid.centre(cell)
    table -= np.repeat(origin, table.shape[1], axis=0).reshape(table.shape)
    if grid.circular:            # Cartesian cells look along +x, there is nothing to turn
        for pair in (slice(4, 6), slice(6, 8)):
            table[..., pair] = turn(table[..., pair], -grid.azimuth(cell)[:, None])


def spread_evenly(start: NDArray[np.int64], count: NDArray[np.int64], limit: int
            ) -> NDArray[np.int64]:
    """Chooses points of each group: all of few, again from the first, or even steps.

    Args:
        start: (G,) where the groups begin.
        count: (G,) their points, at least one.
        limit: Points wanted of each.

    Returns:
        (G, limit) positions.
    """
    slot = np.arange(limit)
    few = slot % np.maximum(np.arange(limit + 1), 1)[:, None]    # row by number of points
    step = few[np.minimum(count, limit)]
    many = np.flatnonzero(count > limit)
    step[many] = slot * count[many, None] // limit
    return start[:, None] + step


def _sum(values: NDArray[Any], kept: NDArray[np.int64], start: NDArray[np.int64],
         count: NDArray[np.int64]) -> NDArray[Any]:
    """Sum of the values of each pillar, in double precision.

    From a running total: `np.add.reduceat` sums from each start to the next one that is left, so
    after dropping outer pillars it would run over the gaps.
    """
    total = np.zeros(len(kept) + 1, np.result_type(values, np.float64))
    total[1:] = values[kept]
    np.cumsum(total, out=total)
    return np.asarray(total[start + count] - total[start])


def stack_sweeps(sweeps: list[Points], poses: list[NDArray[np.float64]] | None = None) -> Points:
    """Moves past scans into the frame of the newest one and stacks them.

    Args:
        sweeps: Newest first, stamps in ns.
        poses: odom <- sensor of each sweep, (4, 4); identity if None.

    Returns:
        One scan with the newest one's frame and stamp; `time_offset` is the age relative to it
        [s], zero or below.
    """
    newest = sweeps[0]
    moved = []
    for number, sweep in enumerate(sweeps):
        age = np.float32((sweep.stamp - newest.stamp) * 1e-9)
        if number and poses is not None:
            sweep = sweep.transformed(np.linalg.inv(poses[0]) @ poses[number], newest.frame_id)
        moved.append((sweep.xyz, sweep.intensity, np.full(len(sweep), age, np.float32)))
    xyz, intensity, time = (np.concatenate(column) for column in zip(*moved, strict=True))
    return Points(xyz, intensity, time, newest.frame_id, newest.stamp)
