"""All tracks at one moment, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.beliefs import class_probability

Array = NDArray[np.float64]


@dataclass
class Tracks:
    """N tracks in the frame in which they are tracked; every column has N rows.

    Attributes:
        track_id: (N,) int64, at least 1.
        mean: (N, 4) x, y, vx, vy [m, m/s].
        covariance: (N, 4, 4) of `mean`.
        shape: (N, 4) z [m], then the logarithms of length, width and height [m].
        shape_variance: (N, 4) of `shape`.
        yaw: (N,) more probable heading [rad].
        yaw_weight: (N,) inverse variance of the axis [1/rad^2].
        heading: (N,) log odds that `yaw` points forwards, at least 0.
        classes: (N, C) log odds of each class relative to the best one.
        score: (N,) in [0, 1], running mean in which a miss counts as 0.
        hits: (N,) int64, scans in which it was seen.
        misses: (N,) int64, scans since it was last seen.
        unseen: (N,) time since it was last seen [s].
        confirmed: (N,) bool.
    """

    track_id: NDArray[np.int64]
    mean: Array
    covariance: Array
    shape: Array
    shape_variance: Array
    yaw: Array
    yaw_weight: Array
    heading: Array
    classes: Array
    score: Array
    hits: NDArray[np.int64]
    misses: NDArray[np.int64]
    unseen: Array
    confirmed: NDArray[np.bool_]

    @classmethod
    def none(cls, class_count: int) -> Tracks:
        """No tracks."""
        flat, whole = np.zeros(0), np.zeros(0, np.int64)
        return cls(whole, np.zeros((0, 4)), np.zeros((0, 4, 4)), np.zeros((0, 4)),
                   np.zeros((0, 4)), flat, flat, flat, np.zeros((0, class_count)), flat, whole,
                   whole, flat, np.zeros(0, bool))

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self.track_id)

    def select(self, index: NDArray[Any]) -> Tracks:
        """Copies the tracks at `index` (a mask or integer positions)."""
        return Tracks(*(getattr(self, field.name)[index] for field in fields(self)))

    def put(self, index: NDArray[Any], tracks: Tracks) -> None:
        """Writes `tracks` over the rows at `index`."""
        for field in fields(self):
            getattr(self, field.name)[index] = getattr(tracks, field.name)

    def with_more(self, tracks: Tracks) -> Tracks:
        """These tracks and then the others."""
        return Tracks(*(np.concatenate([getattr(self, field.name), getattr(tracks, field.name)])
                        for field in fields(self)))

    def boxes(self) -> Boxes3D:
        """The tracks as boxes, in the frame in which they are tracked."""
        return Boxes3D(
            center=np.column_stack([self.mean[:, :2], self.shape[:, 0]]),
            size=np.exp(self.shape[:, 1:]), yaw=self.yaw, label=self.classes.argmax(1),
            score=self.score, velocity=self.mean[:, 2:], covariance=self.covariance[:, :2, :2],
            heading_confidence=np.tanh(self.heading / 2), track_id=self.track_id)

    def class_probability(self) -> Array:
        """(N, C) probability of each class."""
        return class_probability(self.classes)
