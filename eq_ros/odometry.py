"""Where the sensor was when it saw a cloud, or why nobody knows: never a guess, never a jump."""

from __future__ import annotations

from collections.abc import Callable
import math
import time
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import TransformError
from eq_ros.poses import DISORDER
from eq_ros.poses import interpolate
from eq_ros.poses import PoseHistory
from eq_ros.poses import SECOND
from eq_ros.poses import StampedPose
from eq_ros.transforms import Transforms

Array = NDArray[np.float64]
MAX_GAP = SECOND // 2      # [ns]; poses further apart say nothing of the time between
MAX_TURN_RATE = 4 * math.pi     # [rad/s]; faster turns are jumps
DISTANCE_MARGIN = .2       # [m] and ...
ANGLE_MARGIN = .1          # ... [rad] of noise, whatever the time between
POLL = .002                # [s]


class PoseSource(Protocol):
    """Anything that knows where frames are in a frame that does not move."""

    def frame(self) -> str:
        """Name of the frame that does not move."""

    def newest(self, frame_id: str) -> int | None:
        """Time up to which poses of `frame_id` are known [ns]; None if there are none."""

    def pose(self, frame_id: str, stamp: int) -> Array:
        """(4, 4) pose of `frame_id` at a time [ns]; raises TransformError if it is not known."""

    def clear(self, now: int | None = None) -> None:
        """Forgets all poses but those of the new time, if that is told [ns]."""


class TfOdometry:
    """Poses from the tree of transforms."""

    def __init__(self, transforms: Transforms, odom_frame: str) -> None:
        """Names the frame that does not move.

        Args:
            transforms: Knows the frames.
            odom_frame: A frame in which poses do not jump, such as ``odom``.
        """
        self._transforms, self._odom_frame = transforms, odom_frame

    def frame(self) -> str:
        """Name of the frame that does not move."""
        return self._odom_frame

    def newest(self, frame_id: str) -> int | None:
        """Time up to which poses of `frame_id` are known [ns]; None if there are none."""
        return self._transforms.newest(self._odom_frame, frame_id)

    def pose(self, frame_id: str, stamp: int) -> Array:
        """(4, 4) pose of `frame_id` at a time [ns].

        Raises:
            TransformError: It is not known.
        """
        return self._transforms.lookup(self._odom_frame, frame_id, stamp)

    def clear(self, now: int | None = None) -> None:
        """Forgets all but static transforms."""
        self._transforms.clear()


class TopicOdometry:
    """Poses from ``nav_msgs/Odometry``, and the mount of the sensor from the transforms."""

    def __init__(self, transforms: Transforms, max_speed: float) -> None:
        """Starts without poses.

        Args:
            transforms: Knows where the sensor sits on the body that the odometry is about.
            max_speed: Poses that differ as if one were faster are a jump [m/s].
        """
        self._transforms, self._max_speed = transforms, max_speed
        # Exchanged as one, so that no pose is ever read under the names of other frames.
        self._known = ('', '', PoseHistory())

    def take(self, message: Any) -> None:
        """Takes a ``nav_msgs/Odometry``.

        Raises:
            TransformError: A frame has no name, or the pose is no pose.
        """
        frame, body = message.header.frame_id, message.child_frame_id
        if not frame or not body:
            raise TransformError(f"odometry of '{body}' in '{frame}' lacks a name")
        stamp, pose = message.header.stamp, message.pose.pose
        stamped = StampedPose.from_message(pose.position, pose.orientation,
                                           stamp.sec * SECOND + stamp.nanosec)
        if (frame, body) != self._known[:2]:
            self._known = (frame, body, PoseHistory())
        self._known[2].add(stamped)

    def frame(self) -> str:
        """Name of the frame that does not move."""
        return self._known[0]

    def newest(self, frame_id: str) -> int | None:
        """Time of the newest message [ns]; None if there is none."""
        return self._known[2].newest

    def pose(self, frame_id: str, stamp: int) -> Array:
        """(4, 4) pose of `frame_id` at a time [ns].

        Raises:
            TransformError: It is not known, or the odometry jumps just then.
        """
        _, body, history = self._known
        first, second = history.around(stamp)
        if second.stamp - first.stamp > MAX_GAP:
            raise TransformError(f'odometry pauses for {(second.stamp - first.stamp) * 1e-9:.3f} '
                                 f's, expected at most {MAX_GAP * 1e-9:g} s')
        check_steady(first.matrix(), second.matrix(), second.stamp - first.stamp, self._max_speed)
        pose = interpolate(first, second, stamp).matrix()
        if body == frame_id:
            return pose
        return pose @ self._transforms.lookup(body, frame_id, stamp)

    def clear(self, now: int | None = None) -> None:
        """Forgets all poses; static transforms stay.

        Odometry often tells of a jump of time before the clock or a cloud does, and its history
        has begun anew then.

        Args:
            now: Time after the jump; a history that has come to it stays [ns].
        """
        newest = self._known[2].newest
        if now is None or newest is None or abs(newest - now) > DISORDER:
            self._known[2].clear()
        self._transforms.clear()


class EgoMotion:
    """Poses of the sensor from scan to scan."""

    def __init__(self, source: PoseSource, timeout: float, max_speed: float,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """Starts before the first scan.

        Args:
            source: Knows poses.
            timeout: Longest wait for a pose that should come any moment [s].
            max_speed: Poses that differ as if one were faster are a jump [m/s].
            sleep: Waits for some seconds.
        """
        self._source, self._timeout, self._max_speed = source, timeout, max_speed
        self._sleep = sleep
        self._last: tuple[str, str, int, Array] | None = None

    @property
    def frame_id(self) -> str:
        """Name of the frame of the poses."""
        return self._source.frame()

    def newest(self, frame_id: str) -> int | None:
        """Time up to which poses of `frame_id` are known [ns]; None if there are none."""
        return self._source.newest(frame_id)

    def clear(self, now: int | None = None) -> None:
        """Forgets all poses, as after a jump of time, but those of the time `now` [ns]."""
        self._source.clear(now)
        self._last = None

    def pose(self, frame_id: str, stamp: int) -> Array:
        """The pose of the sensor at a scan.

        Args:
            frame_id: Frame of the scan.
            stamp: Time of the scan [ns].

        Returns:
            (4, 4) float64, odometry <- sensor, in one piece with those of the scans before.

        Raises:
            TransformError: It is not known, or it is not in one piece with the pose before.
        """
        last, self._last = self._last, None
        if stamp <= 0:
            raise TransformError('the cloud has no stamp')
        self._wait(frame_id, stamp)
        pose = self._source.pose(frame_id, stamp)
        now = self._last = (self._source.frame(), frame_id, stamp, pose)
        if last is not None and last[0] != now[0]:
            raise TransformError(f"odometry changes from frame '{last[0]}' to '{now[0]}'")
        if last is not None and last[1] == now[1]:
            check_steady(last[3], pose, stamp - last[2], self._max_speed)
        return pose

    def _wait(self, frame_id: str, stamp: int) -> None:
        """Waits for a newer pose if the last one is fresh, so that missing ones cost nothing."""
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            newest = self._source.newest(frame_id)
            if not newest or not 0 < stamp - newest <= MAX_GAP:
                return
            self._sleep(POLL)


def check_steady(first: Array, second: Array, duration: int, max_speed: float) -> None:
    """Refuses two poses between which nothing can have moved.

    Args:
        first: (4, 4) pose.
        second: (4, 4) pose, `duration` later.
        duration: Time between them [ns].
        max_speed: Largest speed [m/s].

    Raises:
        TransformError: The way or the turn is too long for the time.
    """
    seconds = abs(duration) * 1e-9
    way = float(np.linalg.norm(second[:3, 3] - first[:3, 3]))
    cosine = (np.trace(first[:3, :3].T @ second[:3, :3]) - 1) / 2
    angle = math.acos(min(1., max(-1., float(cosine))))
    if way > max_speed * seconds + DISTANCE_MARGIN or (
            angle > MAX_TURN_RATE * seconds + ANGLE_MARGIN):
        raise TransformError(f'odometry jumps by {way:.2f} m, {math.degrees(angle):.0f} degrees '
                             f'in {seconds:.3f} s')
