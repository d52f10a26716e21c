"""Oriented 3D boxes as a value."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

_COLUMNS: dict[str, tuple[tuple[int, ...], Any, float]] = {
    'center': ((3,), np.float64, 0.), 'size': ((3,), np.float64, 0.),
    'yaw': ((), np.float64, 0.), 'label': ((), np.int64, 0), 'score': ((), np.float64, 1.),
    'velocity': ((2,), np.float64, 0.), 'covariance': ((2, 2), np.float64, 0.),
    'heading_confidence': ((), np.float64, 1.), 'track_id': ((), np.int64, -1),
}


@dataclass(frozen=True, eq=False)
class Boxes3D:
    """N upright boxes in one gravity-aligned frame.

    Under a yaw rotation R(t) of the world: `center` and `velocity` turn as vectors, `yaw` adds t,
    `covariance` becomes R C R^T, and all else is invariant.

    Attributes:
        center: (N, 3) float64, geometric centre [m].
        size: (N, 3) float64, length (along the heading), width, height [m].
        yaw: (N,) float64, heading about +z from +x [rad].
        label: (N,) int64, index into the class names of whoever made the boxes.
        score: (N,) float64 in [0, 1].
        velocity: (N, 2) float64 over ground [m/s]; zeros where unknown.
        covariance: (N, 2, 2) float64, covariance of the centre's x and y [m^2].
        heading_confidence: (N,) float64 in [0, 1], expected cosine of a heading that is right or
            points backwards; below about 0.5 only the axis is known.
        track_id: (N,) int64, identity over time, -1 where unknown.
        frame_id: Name of the coordinate frame.
        stamp: Time of the boxes [ns].
    """

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    yaw: NDArray[np.float64]
    label: NDArray[np.int64]
    # None only stands for "left out" in the constructor; afterwards every column is an array.
    score: NDArray[np.float64] = None  # type: ignore[assignment]
    velocity: NDArray[np.float64] = None  # type: ignore[assignment]
    covariance: NDArray[np.float64] = None  # type: ignore[assignment]
    heading_confidence: NDArray[np.float64] = None  # type: ignore[assignment]
    track_id: NDArray[np.int64] = None  # type: ignore[assignment]
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Fills the columns that were left out and checks shapes.

        Raises:
            InputError: A column's shape does not fit the others.
        """
        count = len(np.asarray(self.yaw))
        for name, (tail, dtype, default) in _COLUMNS.items():
            value = getattr(self, name)
            column = (np.full((count, *tail), default, dtype) if value is None
                      else np.asarray(value, dtype))
            if column.shape != (count, *tail):
                raise InputError(f'{name} must have shape {(count, *tail)}, got {column.shape}')
            object.__setattr__(self, name, column)

    @classmethod
    def empty(cls, frame_id: str = '', stamp: int = 0) -> Boxes3D:
        """No boxes at all."""
        columns: dict[str, Any] = {name: np.zeros((0, *tail), dtype)
                                   for name, (tail, dtype, _) in _COLUMNS.items()}
        return cls(**columns, frame_id=frame_id, stamp=stamp)

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.yaw)

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Boxes3D:
        """Keeps the boxes at `index` (a mask, integer positions or a slice)."""
        return dataclasses.replace(self, **{name: getattr(self, name)[index] for name in _COLUMNS})

    def transformed(self, pose: NDArray[np.floating], frame_id: str | None = None) -> Boxes3D:
        """Applies a rigid transform that keeps z upright up to small tilts.

        Args:
            pose: (4, 4) matrix, target <- current frame.
            frame_id: Name of the target frame; unchanged if None.
        """
        rotation = np.asarray(pose[:3, :3], np.float64)
        planar = rotation[:2, :2]
        heading = np.stack([np.cos(self.yaw), np.sin(self.yaw)]) if len(self) else np.zeros((2, 0))
        turned = planar @ heading
        return dataclasses.replace(
            self, center=self.center @ rotation.T + pose[:3, 3],
            yaw=np.arctan2(turned[1], turned[0]),
            velocity=self.velocity @ planar.T,
            covariance=planar @ self.covariance @ planar.T,
            frame_id=self.frame_id if frame_id is None else frame_id)

    def corners_bev(self) -> NDArray[np.float64]:
        """Footprint corners.

        Returns:
            (N, 4, 2) float64 [m], counter-clockwise from front left.
        """
        half = self.size[:, None, :2] / 2 * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        return np.einsum('nij,nkj->nki', rotation, half) + self.center[:, None, :2]


def joined(boxes: Sequence[Boxes3D]) -> Boxes3D:
    """All boxes one after the other, with the frame and the stamp of the first, which must be."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in boxes]) for name in _COLUMNS}
    return dataclasses.replace(boxes[0], **columns)
