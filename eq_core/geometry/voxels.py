"""A cube seen from several sides as a value: how much of each voxel is surface, and its colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import joined_points
from eq_core.geometry.rgbd import RgbdView

Float = NDArray[np.float32]
POINTS_OF_SURFACE = 4.      # points around a voxel that make it surface with 1 - 1 / e


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Surfaces in a box, voxels indexed [iz, iy, ix].

    Attributes:
        occupancy: (D, H, W) float32 in [0, 1], 0 where nothing is seen.
        color: (D, H, W, 3) float32 in [0, 1], 0 where nothing is seen.
        workspace: What the voxels cover, in `frame_id`.
        frame_id: Name of the frame, may be empty offline.
        stamp: Time of the newest image [ns].
    """

    occupancy: Float
    color: Float
    workspace: Workspace
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shapes.

        Raises:
            InputError: A shape does not fit the workspace, or a number is not finite.
        """
        for name in ('occupancy', 'color'):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.float32))
        shape = self.workspace.shape
        found = self.occupancy.shape, self.color.shape
        if found != (shape, (*shape, 3)):
            raise InputError(f'occupancy and color must cover {shape} voxels, got {found}',
                             'bad_layout')
        if not (np.isfinite(self.occupancy).all() and np.isfinite(self.color).all()):
            raise InputError('a voxel grid must be finite', 'bad_layout')


def voxelize_views(views: Sequence[RgbdView], workspace: Workspace) -> VoxelGrid:
    """Joins what several cameras see.

    Args:
        views: All in one frame.
        workspace: What to cover; points outside are left out.

    Raises:
        InputError: There is no view, or they are in several frames.
    """
    return voxels_of_points(*joined_points(views), workspace, views[0].frame_id,
                            max(view.stamp for view in views))


def voxels_of_points(xyz: NDArray[np.floating], color: NDArray[np.floating],
                     workspace: Workspace, frame_id: str = '', stamp: int = 0) -> VoxelGrid:
    """Shares coloured points among the eight voxels around each.

    Shares fall linearly with the distance from a voxel's centre, so that the grid tells where a
    surface is to a fraction of a voxel. Turning the points by a symmetry of the grid turns it.

    Args:
        xyz: (N, 3) in `frame_id` [m].
        color: (N, 3) in [0, 1].
        workspace: What to cover.
        frame_id: Name of the frame.
        stamp: Time [ns].
    """
    shape = workspace.shape
    inside = workspace.contains(xyz)
    cell, color = workspace.cell(xyz[inside]), color[inside]
    low = np.floor(cell)
    rest, low = cell - low, low.astype(np.int64)
    size = np.array(shape[::-1])
    total = np.zeros(shape[0] * shape[1] * shape[2])
    paint = np.zeros((3, len(total)))
    for corner in np.ndindex(2, 2, 2):
        at, share = low + corner, np.where(corner, rest, 1 - rest).prod(-1)
        kept = ((at >= 0) & (at < size)).all(-1) & (share > 0)
        number = np.ravel_multi_index(tuple(at[kept, ::-1].T), shape)
        total += np.bincount(number, share[kept], len(total))
        for channel in range(3):
            paint[channel] += np.bincount(number, share[kept] * color[kept, channel], len(total))
    mean = np.divide(paint, total, out=np.zeros_like(paint), where=total > 1e-9)
    return VoxelGrid((1 - np.exp(-total / POINTS_OF_SURFACE)).reshape(shape),
                     mean.T.reshape(*shape, 3), workspace, frame_id, stamp)
