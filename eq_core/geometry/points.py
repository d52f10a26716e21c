"""A LiDAR scan as a value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Points:
    """One LiDAR scan in one frame.

    Attributes:
        xyz: (N, 3) float32, x forward, y left, z up [m], in `frame_id`. Stored column-wise
            (``xyz.T`` is C-contiguous), because every consumer works column by column.
        intensity: (N,) float32 in [0, 1].
        time_offset: (N,) float32, time of each point relative to `stamp` [s]; zeros where the
            sensor does not tell.
        frame_id: Name of the coordinate frame (REP-105); may be empty offline.
        stamp: Time of the scan [ns].
    """

    xyz: Array
    intensity: Array
    time_offset: Array
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shapes and brings the columns into their layout.

        Raises:
            InputError: A shape does not fit.
        """
        xyz = np.asarray(self.xyz, np.float32)
        if xyz.ndim != 2 or xyz.shape[1] != 3:
            raise InputError(f'xyz must have shape (N, 3), got {xyz.shape}', 'bad_layout')
        object.__setattr__(self, 'xyz', np.asfortranarray(xyz))
        for name in ('intensity', 'time_offset'):
            column = np.ascontiguousarray(getattr(self, name), np.float32)
            if column.shape != (len(xyz),):
                raise InputError(
                    f'{name} must have shape ({len(xyz)},), got {column.shape}', 'bad_layout')
            object.__setattr__(self, name, column)

    @classmethod
    def from_xyz(cls, xyz: NDArray[np.floating], intensity: NDArray[np.floating] | None = None,
                 frame_id: str = '', stamp: int = 0) -> Points:
        """Builds a scan from bare coordinates; missing columns become zeros."""
        count = len(xyz)
        zeros = np.zeros(count, np.float32)
        return cls(np.asarray(xyz, np.float32),
                   zeros if intensity is None else np.asarray(intensity, np.float32),
                   zeros, frame_id, stamp)

    def __len__(self) -> int:
        """Number of points."""
        return len(self.xyz)

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Points:
        """Keeps the points at `index` (a mask, integer positions or a slice)."""
        return dataclasses.replace(
            self, xyz=self.xyz.T[:, index].T, intensity=self.intensity[index],
            time_offset=self.time_offset[index])

    def transformed(self, pose: NDArray[np.floating], frame_id: str | None = None) -> Points:
        """Applies a rigid transform.

        Args:
            pose: (4, 4) matrix, target <- current frame.
            frame_id: Name of the target frame; unchanged if None.
        """
        rotation, translation = pose[:3, :3], pose[:3, 3]
        xyz = (rotation @ self.xyz.T.astype(np.float64) + translation[:, None]).T
        return dataclasses.replace(
            self, xyz=xyz.astype(np.float32),
            frame_id=self.frame_id if frame_id is None else frame_id)
