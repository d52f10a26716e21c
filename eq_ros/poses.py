"""Poses over time: kept for a while, interpolated in between, never extrapolated. ROS-free."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
import math
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.spatial.transform import Slerp

from eq_core.errors import TransformError

Array = NDArray[np.float64]
SECOND = 10**9             # [ns]
DISORDER = SECOND // 2     # [ns] by which poses may overtake each other; more is a new beginning
UNIT_TOLERANCE = 1e-2      # of the squared norm of a quaternion, as in tf2


class ExtrapolationError(TransformError):
    """A time lies outside the poses that are known."""


@dataclass(frozen=True, eq=False)
class StampedPose:
    """A pose at a time.

    Attributes:
        stamp: Time [ns].
        position: (3,) float64 [m].
        quaternion: (4,) float64 unit quaternion x, y, z, w.
    """

    stamp: int
    position: Array
    quaternion: Array

    def __post_init__(self) -> None:
        """Checks the numbers and makes the quaternion's norm exactly 1.

        Raises:
            TransformError: A number is not finite, or the quaternion is not of unit length.
        """
        position, quaternion = (np.asarray(value, np.float64)
                                for value in (self.position, self.quaternion))
        if not (np.isfinite(position).all() and np.isfinite(quaternion).all()):
            raise TransformError(f'pose is not finite: {position}, {quaternion}')
        squared = float(quaternion @ quaternion)
        if abs(squared - 1.) > UNIT_TOLERANCE:
            raise TransformError(f'quaternion {quaternion} has length {math.sqrt(squared):.3f}, '
                                 'expected 1')
        object.__setattr__(self, 'position', position)
        object.__setattr__(self, 'quaternion', quaternion / math.sqrt(squared))

    def matrix(self) -> Array:
        """(4, 4) rigid transform, outer <- inner frame."""
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(self.quaternion).as_matrix()
        pose[:3, 3] = self.position
        return pose

    @classmethod
    def from_message(cls, position: Any, rotation: Any, stamp: int) -> StampedPose:
        """Reads objects with the attributes of ``geometry_msgs/Point`` and ``Quaternion``."""
        return cls(stamp, np.array([position.x, position.y, position.z], np.float64),
                   np.array([rotation.x, rotation.y, rotation.z, rotation.w], np.float64))

    @classmethod
    def from_matrix(cls, matrix: Array, stamp: int) -> StampedPose:
        """Reads a (4, 4) rigid transform."""
        return cls(stamp, matrix[:3, 3], Rotation.from_matrix(matrix[:3, :3]).as_quat())


def interpolate(first: StampedPose, second: StampedPose, stamp: int) -> StampedPose:
    """The pose between two: position linear, rotation the shorter way round (slerp).

    Args:
        first: Earlier pose.
        second: Later pose.
        stamp: Time within both [ns].
    """
    if first.stamp == second.stamp:
        return first
    part = (stamp - first.stamp) / (second.stamp - first.stamp)
    turn = Slerp([0., 1.], Rotation.from_quat([first.quaternion, second.quaternion]))
    return StampedPose(stamp, (1. - part) * first.position + part * second.position,
                       turn(part).as_quat())


class PoseHistory:
    """The last poses of one frame in another; safe to use from several threads."""

    def __init__(self, duration: int = 10 * SECOND) -> None:
        """Starts empty.

        Args:
            duration: Poses older than the newest by more are forgotten [ns].
        """
        self._duration = duration
        self._lock = Lock()
        self._stamps: list[int] = []
        self._poses: list[StampedPose] = []

    @property
    def newest(self) -> int | None:
        """Time of the newest pose [ns], None where there is none."""
        with self._lock:
            return self._stamps[-1] if self._stamps else None

    def clear(self) -> None:
        """Forgets all poses."""
        with self._lock:
            self._stamps.clear()
            self._poses.clear()

    def add(self, pose: StampedPose) -> None:
        """Takes a pose; one that is older than the newest by far means that time began anew."""
        with self._lock:
            if self._stamps and pose.stamp < self._stamps[-1] - DISORDER:
                self._stamps.clear()
                self._poses.clear()
            place = bisect_left(self._stamps, pose.stamp)
            known = place < len(self._stamps) and self._stamps[place] == pose.stamp
            self._stamps[place:place + known] = [pose.stamp]
            self._poses[place:place + known] = [pose]
            old = bisect_left(self._stamps, self._stamps[-1] - self._duration)
            del self._stamps[:old], self._poses[:old]

    def around(self, stamp: int) -> tuple[StampedPose, StampedPose]:
        """The neighbours of a time; twice the same where it is met exactly.

        Raises:
            ExtrapolationError: The time lies before all poses or after them.
        """
        with self._lock:
            place = bisect_left(self._stamps, stamp)
            if place < len(self._stamps) and self._stamps[place] == stamp:
                return self._poses[place], self._poses[place]
            if not self._stamps:
                raise ExtrapolationError('no pose is known yet')
            if place in (0, len(self._stamps)):
                edge = self._stamps[min(place, len(self._stamps) - 1)]
                side = 'before the oldest' if place == 0 else 'after the newest'
                raise ExtrapolationError(
                    f'{stamp * 1e-9:.6f} s lies {abs(stamp - edge) * 1e-9:.6f} s {side} pose')
            return self._poses[place - 1], self._poses[place]

    def at(self, stamp: int) -> StampedPose:
        """The pose at a time [ns], interpolated.

        Raises:
            ExtrapolationError: The time lies before all poses or after them.
        """
        return interpolate(*self.around(stamp), stamp)
