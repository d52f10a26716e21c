"""A colour image with depth as a value, and the points that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RgbdView:
    """What one camera sees, and where it stands.

    Attributes:
        color: (H, W, 3) float32 in [0, 1].
        depth: (H, W) float32 [m] along the optical axis; not finite or <= 0 where nothing is seen.
        intrinsics: (3, 3) float64, pinhole: u = fx x / z + cx.
        pose: (4, 4) float64, frame <- camera; optical axes: x right, y down, z forward (REP-103).
        frame_id: Frame that `pose` leads to.
        stamp: Time of the image [ns].
    """

    color: Float
    depth: Float
    intrinsics: NDArray[np.float64]
    pose: NDArray[np.float64]
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shapes and numbers.

        Raises:
            InputError: A shape does not fit, the focal length is not positive, or the pose is not
                finite.
        """
        for name, kind in (('color', np.float32), ('depth', np.float32),
                           ('intrinsics', np.float64), ('pose', np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), kind))
        if self.depth.ndim != 2 or self.color.shape != (*self.depth.shape, 3):
            raise InputError(f'depth must be (H, W) and color (H, W, 3), got {self.depth.shape} '
                             f'and {self.color.shape}', 'bad_layout')
        if self.intrinsics.shape != (3, 3) or self.pose.shape != (4, 4):
            raise InputError(f'intrinsics must be (3, 3) and pose (4, 4), got '
                             f'{self.intrinsics.shape} and {self.pose.shape}', 'bad_layout')
        focal = self.intrinsics[[0, 1], [0, 1]]
        if not (np.isfinite(self.intrinsics).all() and (focal > 0).all()):
            raise InputError(f'focal lengths must be positive, got {focal}', 'bad_camera')
        if not np.isfinite(self.pose).all():
            raise InputError('the pose of the camera must be finite', 'bad_camera')

    def points(self) -> tuple[Float, Float]:
        """Points that are seen.

        Returns:
            (N, 3) float32 in `frame_id` [m], and (N, 3) float32 their colours.
        """
        row, column = np.nonzero(np.isfinite(self.depth) & (self.depth > 0))
        depth = self.depth[row, column].astype(np.float64)
        (fx, _, cx), (_, fy, cy), _ = self.intrinsics
        local = np.stack([(column - cx) / fx * depth, (row - cy) / fy * depth, depth], -1)
        seen = local @ self.pose[:3, :3].T + self.pose[:3, 3]
        return seen.astype(np.float32), self.color[row, column]


def joined_points(views: Sequence[RgbdView]) -> tuple[Float, Float]:
    """Points that several cameras see, one view after the other.

    Args:
        views: All in one frame, which is that of the first.

    Returns:
        (N, 3) float32 in that frame [m], and (N, 3) float32 their colours.

    Raises:
        InputError: There is no view, or they are in several frames.
    """
    frames = sorted({view.frame_id for view in views})
    if len(frames) != 1:
        raise InputError(f'views must be of one frame, got {frames}', 'bad_frame')
    xyz, color = zip(*(view.points() for view in views), strict=True)
    return np.concatenate(xyz), np.concatenate(color)
