"""Turns labelled points into a costmap: ground is free by its class, what stands on it is lethal.

The grid follows the sensor, as a rolling window of Nav2's `costmap_2d` does, and the newest look
counts: a cell is cleared when its ground is seen or a ray passes below the top of what was there,
so that nothing that moves leaves a trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.occupancy import UNKNOWN

LETHAL = 100        # as in nav_msgs/OccupancyGrid
SMALLEST, LARGEST = 3, 4000     # cells along an edge
MILLIMETRES = 1000.
REACHES = (0., 1., 5., 1e9)     # around a cell in which its ground is looked for [m]

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CostmapConfig:
    """What the costmap is made of; names as in Nav2's `costmap_2d` where it has them.

    Attributes:
        resolution: Edge of a cell [m].
        width: Of the window along x, an odd number of cells with the sensor in the middle [m].
        height: Likewise along y.
        ground_ids: Ids of classes that can be driven on, as in the labels of SemanticKITTI: road,
            lane marking, parking, sidewalk, other ground, terrain.
        ground_costs: Cost of each, 0 .. 99.
        ignored_ids: Ids of classes that say nothing: outliers.
        min_obstacle_height: Lower points are no obstacles, measured from the ground below [m].
        max_obstacle_height: Higher ones neither; the robot fits below [m].
        minimal_group_size: Fewer points of one scan in cells that touch each other mark nothing:
            drops of rain and echoes of nothing.
        obstacle_min_range: Nearer points mark nothing, as those of the robot itself [m].
        obstacle_max_range: Points farther from the sensor mark nothing [m].
        raytrace_max_range: Rays clear nothing beyond [m].
    """

    resolution: float = .2
    width: float = 80.
    height: float = 80.
    ground_ids: tuple[int, ...] = (40, 60, 44, 48, 49, 72)
    ground_costs: tuple[int, ...] = (0, 0, 10, 20, 30, 40)
    ignored_ids: tuple[int, ...] = (1,)
    min_obstacle_height: float = .2
    max_obstacle_height: float = 2.
    minimal_group_size: int = 3
    obstacle_min_range: float = 0.
    obstacle_max_range: float = 40.
    raytrace_max_range: float = 45.

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value cannot be used; the text names it.
        """
        for name in ('resolution', 'width', 'height', 'max_obstacle_height',
                     'obstacle_max_range', 'raytrace_max_range'):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f'{name} must be positive, got {value!r}')
        if not 0 <= self.min_obstacle_height < self.max_obstacle_height:
            raise ConfigError('expected 0 <= min_obstacle_height < max_obstacle_height, got '
                              f'{self.min_obstacle_height} and {self.max_obstacle_height}')
        if not 0 <= self.obstacle_min_range < self.obstacle_max_range:
            raise ConfigError('expected 0 <= obstacle_min_range < obstacle_max_range, got '
                              f'{self.obstacle_min_range} and {self.obstacle_max_range}')
        if self.minimal_group_size < 1:
            raise ConfigError('minimal_group_size must be at least 1, got '
                              f'{self.minimal_group_size}')
        if len(self.ground_ids) != len(self.ground_costs):
            raise ConfigError(f'{len(self.ground_ids)} ground_ids need as many ground_costs, got '
                              f'{len(self.ground_costs)}')
        if not all(0 <= cost < LETHAL for cost in self.ground_costs):
            raise ConfigError(f'ground_costs must lie in 0..99, got {self.ground_costs}')
        if not all(SMALLEST <= cells <= LARGEST for cells in self.shape):
            raise ConfigError(f'width and height must be {SMALLEST} to {LARGEST} cells, got '
                              f'{self.shape[::-1]}')

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, both odd."""
        rows, columns = (2 * round(edge / self.resolution / 2) + 1
                         for edge in (self.height, self.width))
        return rows, columns


class Costmap:
    """A window of cells around the sensor, in a frame that does not move.

    Law: turning points and sensor by 90 degrees about the origin turns the grid, exactly, if the
    window is square.
    """

    def __init__(self, config: CostmapConfig = CostmapConfig()) -> None:
        """Starts with everything unknown.

        Args:
            config: What it is made of.
        """
        self.config = config
        self._first: Integer | None = None      # column, row of cell (0, 0), counted from (0, 0)
        self.clear()

    def clear(self) -> None:
        """Forgets all that was seen."""
        shape = self.config.shape
        self._first = None
        self._terrain = np.full(shape, UNKNOWN, np.int8)    # cost of the ground
        self._top = np.full(shape, -np.inf)                 # of what stands on it [m]
        self._ground = np.zeros(shape, np.int64)            # its height [mm], where it was seen
        self._seen = np.zeros(shape, np.bool_)

    def update(self, xyz: NDArray[np.floating], semantic: NDArray[np.integer],
               sensor: NDArray[np.floating]) -> None:
        """Takes one scan.

        Args:
            xyz: (N, 3) points in the frame that does not move, z up [m].
            semantic: (N,) ids of their classes.
            sensor: (3,) where they were seen from, in the same frame [m].

        Raises:
            InputError: Shapes do not fit or a number is not finite.
        """
        points, place = np.asarray(xyz, np.float64), np.asarray(sensor, np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or semantic.shape != points.shape[:1]:
            raise InputError(f'points must be (N, 3) and classes (N,), got {points.shape} and '
                             f'{semantic.shape}', 'bad_layout')
        if place.shape != (3,) or not (np.isfinite(place).all() and np.isfinite(points).all()):
            raise InputError(f'the sensor or a point is not finite: {place}', 'not_finite')
        known = ~np.isin(semantic, self.config.ignored_ids)
        points, classes = points[known], np.asarray(semantic)[known]
        cost = np.full(len(points), UNKNOWN, np.int8)
        for name, value in zip(self.config.ground_ids, self.config.ground_costs, strict=True):
            cost[classes == name] = value
        self._follow(place)
        self._see_ground(points, cost, place)
        level = self._level()
        self._clear_along_rays(points, place, level)
        self._mark(points[cost == UNKNOWN], place, level)

    def to_map(self, frame_id: str, stamp: int) -> OccupancyMap:
        """The costs, as ``nav_msgs/OccupancyGrid`` has them.

        Args:
            frame_id: The frame that does not move.
            stamp: Time of the last scan [ns].

        Raises:
            InputError: No scan was taken yet.
        """
        if self._first is None:
            raise InputError('no scan was taken yet', 'no_map')
        x, y = (self._first * self.config.resolution).tolist()
        cells = np.where(np.isfinite(self._top), LETHAL, self._terrain).astype(np.int8)
        return OccupancyMap(cells, self.config.resolution, (x, y, 0.), frame_id, stamp)

    def _follow(self, sensor: Double) -> None:
        """Moves the window, so that the sensor is in its middle; what leaves it is forgotten."""
        rows, columns = self.config.shape
        first = _cell(sensor[:2], self.config.resolution) - (columns // 2, rows // 2)
        step = np.zeros(2, np.int64) if self._first is None else first - self._first
        self._first = first
        if step.any():
            self._terrain = _shifted(self._terrain, step, UNKNOWN)
            self._top = _shifted(self._top, step, -np.inf)
            self._ground = _shifted(self._ground, step, 0)
            self._seen = _shifted(self._seen, step, False)

    def _locate(self, xy: Double) -> tuple[Integer, Mask]:
        """(N,) flat indices of cells, and whether places are in the window."""
        return self._locate_cells(*_cell(xy, self.config.resolution).T)

    def _locate_cells(self, column: Integer, row: Integer) -> tuple[Integer, Mask]:
        """The same of cells that are counted from the origin of the frame."""
        rows, columns = self.config.shape
        left, bottom = (0, 0) if self._first is None else self._first.tolist()
        column, row = column - left, row - bottom
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        return row * columns + column, inside

    def _see_ground(self, points: Double, cost: NDArray[np.int8], sensor: Double) -> None:
        """Remembers class and height of the ground; nothing stands where it is seen."""
        index, inside = self._locate(points[:, :2])
        near = np.linalg.norm(points[:, :2] - sensor[:2], axis=1) < self.config.obstacle_max_range
        chosen = inside & near & (cost != UNKNOWN)
        cell, height = index[chosen], np.rint(points[chosen, 2] * MILLIMETRES).astype(np.int64)
        lowest = np.full(self._ground.size, np.iinfo(np.int64).max)
        np.minimum.at(lowest, cell, height)
        dearest = np.full(self._terrain.size, UNKNOWN, np.int8)
        np.maximum.at(dearest, cell, cost[chosen])
        seen = (dearest != UNKNOWN).reshape(self._seen.shape)
        self._ground[seen] = lowest.reshape(seen.shape)[seen]
        self._terrain[seen] = dearest.reshape(seen.shape)[seen]
        self._top[seen] = -np.inf
        self._seen |= seen

    def _level(self) -> Double:
        """(H, W) height of the ground [m]: of the cell, else of those around; NaN without any.

        Sums of whole millimetres do not depend on their order, so that a turned world has the
        same heights to the last bit.
        """
        count, total = _sums(self._seen.astype(np.int64)), _sums(self._ground * self._seen)
        level = np.full(self._seen.shape, np.nan)
        for reach in REACHES:
            cells = int(min(reach / self.config.resolution, max(self._seen.shape)))
            number = _around(count, cells)
            fresh = np.isnan(level) & (number > 0)
            level[fresh] = (_around(total, cells)[fresh] / number[fresh]) / MILLIMETRES
        return level

    def _mark(self, points: Double, sensor: Double, level: Double) -> None:
        """Marks what stands on the ground at the height of the robot."""
        index, inside = self._locate(points[:, :2])
        distance = np.linalg.norm(points[:, :2] - sensor[:2], axis=1)
        taken = inside & (distance < self.config.obstacle_max_range) & (
            distance >= self.config.obstacle_min_range)
        index, height = index[taken], points[taken, 2]
        above = height - level.reshape(-1)[index]
        # Without any ground nothing is known of heights, and everything may be in the way.
        blocks = np.isnan(above) | ((above >= self.config.min_obstacle_height)
                                    & (above <= self.config.max_obstacle_height))
        index, height = index[blocks], height[blocks]
        count = np.bincount(index, minlength=level.size).reshape(level.shape)
        group = label(count > 0, np.ones((3, 3)))[0]
        size = np.bincount(group.ravel(), count.ravel())[group.ravel()[index]]
        enough = size >= self.config.minimal_group_size
        np.maximum.at(self._top.reshape(-1), index[enough], height[enough])

    def _clear_along_rays(self, points: Double, sensor: Double, level: Double) -> None:
        """Frees cells that rays pass where the robot would be, below the top of what stood there.

        Of all rays that end in one cell the lowest is enough.
        """
        way = points - sensor
        length = np.sqrt(way[:, 0] * way[:, 0] + way[:, 1] * way[:, 1])
        share = np.minimum(1., self.config.raytrace_max_range / np.maximum(length, 1e-9))
        way = way * share[:, None]
        end = _cell(sensor[:2] + way[:, :2], self.config.resolution)
        order = np.argsort(way[:, 2], kind='stable')
        key = (end[order, 1] - end[:, 1].min(initial=0)) * (1 << 32) + (
            end[order, 0] - end[:, 0].min(initial=0))
        chosen = order[np.unique(key, return_index=True)[1]]
        way, end, length = way[chosen], end[chosen], (length * share)[chosen]
        steps = np.ceil(length / self.config.resolution).astype(np.int64)
        part = (np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)) / np.repeat(
            steps, steps)
        x, y, z = (start + part * np.repeat(along, steps)
                   for start, along in zip(sensor, way.T, strict=True))
        column, row = (_cell(each, self.config.resolution) for each in (x, y))
        last = (column == np.repeat(end[:, 0], steps)) & (row == np.repeat(end[:, 1], steps))
        index, inside = self._locate_cells(column, row)
        passed = inside & ~last
        lowest = np.full(level.size, np.inf)
        np.minimum.at(lowest, index[passed], z[passed])
        height = lowest.reshape(level.shape)
        low = height <= level + self.config.max_obstacle_height     # not where that is NaN
        self._top[low & (height < self._top)] = -np.inf
        self._terrain[low & (self._terrain == UNKNOWN)] = 0


def _cell(xy: Double, resolution: float) -> Integer:
    """Column and row of places, counted from the origin of the frame."""
    return np.floor(xy / resolution).astype(np.int64)


def _shifted(layer: NDArray[Any], step: Integer, fill: float) -> NDArray[Any]:
    """A layer seen through a window that was moved by `step` columns and rows."""
    columns, rows = step.tolist()
    moved = np.roll(layer, (-rows, -columns), (0, 1))
    moved[slice(-rows, None) if rows > 0 else slice(0, -rows)] = fill
    moved[:, slice(-columns, None) if columns > 0 else slice(0, -columns)] = fill
    return moved


def _sums(layer: Integer) -> Integer:
    """Sums over all cells below and to the left, with a border of zeros."""
    return np.pad(layer, ((1, 0), (1, 0))).cumsum(0).cumsum(1)


def _around(sums: Integer, cells: int) -> Integer:
    """Sums over the square that reaches `cells` to all sides of each cell."""
    low, high = (tuple(np.clip(np.arange(size - 1) + by, 0, size - 1) for size in sums.shape)
                 for by in (-cells, cells + 1))
    return (sums[np.ix_(high[0], high[1])] - sums[np.ix_(low[0], high[1])]
            - sums[np.ix_(high[0], low[1])] + sums[np.ix_(low[0], low[1])])
