"""A table seen from above as a value: heights and colours on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.rgbd import joined_points
from eq_core.geometry.rgbd import RgbdView

Float = NDArray[np.float32]
LARGEST_EDGE = 2048     # [cells]


@dataclass(frozen=True)
class Workspace:
    """The box that a heightmap or a voxel grid covers.

    Attributes:
        lower: Least x, y, z [m].
        upper: Largest x, y, z [m].
        resolution: Edge of a cell [m].
    """

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    resolution: float

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: The box is empty, not finite, or has too many cells.
        """
        for name in ('lower', 'upper'):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        numbers = np.array([*self.lower, *self.upper, self.resolution])
        if not np.isfinite(numbers).all() or self.resolution <= 0:
            raise ConfigError(f'a workspace must be finite, its resolution positive, got {self}')
        if len(numbers) != 7 or not (np.asarray(self.lower) < self.upper).all():
            raise ConfigError(f'lower must be below upper on all axes, got {self}')
        if max(self.shape) > LARGEST_EDGE:
            raise ConfigError(f'a workspace must have at most {LARGEST_EDGE} cells along an axis, '
                              f'got {self.shape} (z, y, x)')

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along z, y, x."""
        size = (np.asarray(self.upper) - self.lower) / self.resolution
        x, y, z = (int(count) for count in np.rint(size))
        return z, y, x

    @property
    def middle(self) -> NDArray[np.float64]:
        """(3,) its centre [m]."""
        return np.asarray((np.array(self.lower) + self.upper) / 2)

    def cell(self, xyz: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where points (..., 3) [m] lie: (..., 3) x, y, z [cells]; centres are whole numbers."""
        return np.asarray((np.asarray(xyz, np.float64) - self.lower) / self.resolution - .5)

    def place(self, cell: NDArray[np.floating]) -> NDArray[np.float64]:
        """Inverse of `cell`."""
        return np.asarray((np.asarray(cell, np.float64) + .5) * self.resolution + self.lower)

    def contains(self, xyz: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tells which of (..., 3) points [m] lie inside."""
        inside = (np.asarray(xyz) >= self.lower) & (np.asarray(xyz) < self.upper)
        return np.asarray(inside.all(-1))


@dataclass(frozen=True, eq=False)
class HeightMap:
    """Heights and colours of a table, cells indexed [iy, ix]; x grows with ix and y with iy.

    Attributes:
        height: (H, W) float32 above the workspace's lower z [m], 0 where nothing is seen.
        color: (H, W, 3) float32 in [0, 1].
        seen: (H, W) bool.
        workspace: What the cells cover, in `frame_id`.
        frame_id: Name of the frame, may be empty offline.
        stamp: Time of the newest image [ns].
    """

    height: Float
    color: Float
    seen: NDArray[np.bool_]
    workspace: Workspace
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shapes.

        Raises:
            InputError: A shape does not fit the workspace, or a number is not finite.
        """
        for name, kind in (('height', np.float32), ('color', np.float32), ('seen', np.bool_)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), kind))
        shape = self.workspace.shape[1:]
        found = self.height.shape, self.color.shape, self.seen.shape
        if found != (shape, (*shape, 3), shape):
            raise InputError(f'height, color and seen must cover {shape} cells, got {found}',
                             'bad_layout')
        if not (np.isfinite(self.height).all() and np.isfinite(self.color).all()):
            raise InputError('a heightmap must be finite', 'bad_layout')

    def surface(self, cell: NDArray[np.integer]) -> NDArray[np.float64]:
        """Points of the surface at (..., 2) cells ix, iy: (..., 3) x, y, z [m]."""
        column, row = np.moveaxis(np.asarray(cell), -1, 0)
        flat = self.workspace.place(np.stack([column, row, np.zeros_like(row)], -1))
        flat[..., 2] = self.height[row, column] + self.workspace.lower[2]
        return flat


def fuse_views(views: Sequence[RgbdView], workspace: Workspace) -> HeightMap:
    """Looks at a table from above with what several cameras see: the highest point of a cell wins.

    Args:
        views: All in one frame.
        workspace: What to cover; points outside are left out.

    Raises:
        InputError: There is no view, or they are in several frames.
    """
    return heightmap_of_points(*joined_points(views), workspace, views[0].frame_id,
                               max(view.stamp for view in views))


def heightmap_of_points(xyz: NDArray[np.floating], color: NDArray[np.floating],
                        workspace: Workspace, frame_id: str = '', stamp: int = 0) -> HeightMap:
    """Looks at coloured points from above.

    Args:
        xyz: (N, 3) in `frame_id` [m].
        color: (N, 3) in [0, 1].
        workspace: What to cover.
        frame_id: Name of the frame.
        stamp: Time [ns].
    """
    _, rows, columns = workspace.shape
    inside = workspace.contains(xyz)
    xyz, color = xyz[inside], color[inside]
    cell = np.rint(workspace.cell(xyz)[:, :2]).astype(np.int64)
    flat = cell[:, 1].clip(0, rows - 1) * columns + cell[:, 0].clip(0, columns - 1)
    top = np.full(rows * columns, -np.inf, xyz.dtype)
    np.maximum.at(top, flat, xyz[:, 2])
    highest = np.flatnonzero(xyz[:, 2] == top[flat])
    colors = np.zeros((rows * columns, 3), np.float32)
    colors[flat[highest]] = color[highest]
    seen = np.isfinite(top)
    height = np.where(seen, top - workspace.lower[2], 0)
    return HeightMap(height.reshape(rows, columns), colors.reshape(rows, columns, 3),
                     seen.reshape(rows, columns), workspace, frame_id, stamp)
