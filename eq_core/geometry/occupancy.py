"""A map of free, occupied and unknown cells, and where a robot of some size can be in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from eq_core.errors import InputError

UNKNOWN = -1
LARGEST = 64_000_000    # cells of a map that is taken; 8000 x 8000

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OccupancyMap:
    """A grid of occupancy, as `nav_msgs/OccupancyGrid` defines it.

    Attributes:
        cells: (H, W) int8, 0 free .. 100 occupied, -1 unknown; rows go with y.
        resolution: Edge of a cell [m].
        origin: (x, y, yaw) of the outer corner of cell (0, 0) in `frame_id` [m, rad].
        frame_id: Frame of the map.
        stamp: Time of the map [ns].
    """

    cells: NDArray[np.int8]
    resolution: float
    origin: tuple[float, float, float] = (0., 0., 0.)
    frame_id: str = 'map'
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shape and ranges.

        Raises:
            InputError: A value cannot be used; the text names it.
        """
        cells = np.asarray(self.cells)
        if cells.ndim != 2 or not cells.size:
            raise InputError(f'cells must have shape (H, W), got {cells.shape}', 'empty_map')
        if cells.size > LARGEST:
            raise InputError(f'a map may have {LARGEST} cells, got {cells.shape}', 'huge_map')
        if cells.min() < UNKNOWN or cells.max() > 100:
            raise InputError(f'cells must lie in -1..100, got {cells.min()}..{cells.max()}',
                             'bad_cells')
        if not (np.isfinite(self.resolution) and self.resolution > 0):
            raise InputError(f'resolution must be positive, got {self.resolution}',
                             'bad_resolution')
        if not np.isfinite(self.origin).all():
            raise InputError(f'origin must be finite, got {self.origin}', 'not_finite')
        object.__setattr__(self, 'cells', cells.astype(np.int8, copy=False))

    @cached_property
    def _turn(self) -> Double:
        cos, sin = np.cos(self.origin[2]), np.sin(self.origin[2])
        return np.array([[cos, -sin], [sin, cos]])

    def centre(self, row: NDArray[np.integer], column: NDArray[np.integer]) -> Double:
        """Returns (..., 2) places of cells [m]."""
        local = (np.stack([column, row], -1) + .5) * self.resolution
        return np.asarray(local @ self._turn.T + self.origin[:2])

    def to_cells(self, xy: NDArray[np.floating]) -> Double:
        """Returns (..., 2) places in units of cells, column before row, from the outer corner."""
        return np.asarray((np.asarray(xy, float) - self.origin[:2]) @ self._turn / self.resolution)

    def locate(self, xy: NDArray[np.floating]) -> tuple[Integer, Integer, Mask]:
        """Finds the cells of places.

        Args:
            xy: (..., 2) [m].

        Returns:
            Row, column, and whether they are on the map; off it both are 0.
        """
        place = np.floor(self.to_cells(xy))
        high = np.array(self.cells.shape[::-1])
        inside = np.asarray(((place >= 0) & (place < high)).all(-1))
        column, row = np.moveaxis(np.where(inside[..., None], place, 0).astype(np.int64), -1, 0)
        return row, column, inside

    def obstacles(self, occupied: int = 65, allow_unknown: bool = False) -> Mask:
        """Returns (H, W), where a robot must not be.

        Args:
            occupied: Least occupancy of an obstacle.
            allow_unknown: Whether unknown cells count as free.
        """
        blocked = self.cells >= occupied
        return blocked if allow_unknown else blocked | (self.cells == UNKNOWN)

    def clearance(self, obstacles: Mask) -> Double:
        """Returns (H, W), distance of each cell's centre from the nearest obstacle's [m].

        The border of the map is no obstacle. Infinite where there is none at all.
        """
        if not obstacles.any():
            return np.full(obstacles.shape, np.inf)
        return np.asarray(distance_transform_edt(~obstacles, sampling=self.resolution))

    def traversable(self, robot_radius: float = 0., occupied: int = 65,
                    allow_unknown: bool = False) -> Mask:
        """Returns (H, W), where the centre of a round robot can be.

        Args:
            robot_radius: Cells whose centre is nearer to the centre of an obstacle are left out;
                obstacles themselves always are [m].
            occupied: Least occupancy of an obstacle.
            allow_unknown: Whether unknown cells count as free.
        """
        if not (np.isfinite(robot_radius) and robot_radius >= 0):
            raise InputError(f'robot_radius must be 0 or more, got {robot_radius}')
        blocked = self.obstacles(occupied, allow_unknown)
        return ~blocked if not robot_radius else self.clearance(blocked) > robot_radius
