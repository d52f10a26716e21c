"""Where things are on a map: poses of messages and of the robot as x, y, yaw in its frame."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_ros.maps import planar
from eq_ros.maps import pose_matrix
from eq_ros.poses import SECOND
from eq_ros.transforms import POLL
from eq_ros.transforms import Transforms

Pose = tuple[float, float, float]


class PlanarPoses:
    """Looks poses up in the thread that needs them; what moves is taken as it was last told."""

    def __init__(self, transforms: Transforms, timeout: float) -> None:
        """Keeps what knows the frames.

        Args:
            transforms: Knows the frames.
            timeout: Longest wait for one [s].
        """
        self._transforms, self._timeout = transforms, timeout

    def of_message(self, stamped: Any, frame_id: str, name: str) -> Pose:
        """x, y, yaw of a ``geometry_msgs/PoseStamped`` in a frame [m, rad].

        Raises:
            InputError: It has no frame, is no pose, or is tilted.
            TransformError: Nobody knows where its frame is.
        """
        if not stamped.header.frame_id:
            raise InputError(f'the {name} has no frame_id', 'frame')
        pose = pose_matrix(stamped.pose, f'the {name}')
        if stamped.header.frame_id != frame_id:
            pose = self._lookup(frame_id, stamped.header.frame_id)[0] @ pose
        return planar(pose, f'the {name}')

    def of_frame(self, source: str, frame_id: str, now: int, tolerance: float) -> Pose:
        """x, y, yaw of a frame such as the robot's in another [m, rad].

        Args:
            source: The frame.
            frame_id: The other one.
            now: The time [ns].
            tolerance: What was told longer ago is not used [s].

        Raises:
            TransformError: Nobody knows it, or nobody has told it lately.
        """
        pose, stamp = self._lookup(frame_id, source)
        age = (now - stamp) / SECOND
        if stamp and age > tolerance:
            raise TransformError(f"where '{source}' is was last told {age:.3f} s ago, expected at "
                                 f'most {tolerance:g} s')
        return (float(pose[0, 3]), float(pose[1, 3]), float(np.arctan2(pose[1, 0], pose[0, 0])))

    def _lookup(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """The newest (4, 4) pose of a frame in another, and its time [ns], 0 for always."""
        end = time.monotonic() + self._timeout
        while True:
            stamp = self._transforms.newest(target, source)
            if stamp is not None or time.monotonic() > end:
                return self._transforms.lookup(target, source, stamp or 0), stamp or 0
            time.sleep(POLL)
