"""`vision_msgs/Detection3DArray` -> `Boxes3D`, the inverse of `eq_ros.detections`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D

# Row-major 6 x 6 over x, y, z and the rotations about them, as eq_ros.detections writes it
_PLANAR, _YAW = [0, 1, 6, 7], 35


def stamp_of(header: Any) -> int:
    """Time of a header [ns]."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def boxes_of(message: Any, class_names: Sequence[str]) -> Boxes3D:
    """Turns detections into boxes; velocity is not part of the message and stays zero.

    Args:
        message: A `Detection3DArray` whose detections are upright and carry one hypothesis.
        class_names: Names that the labels of the boxes index.

    Raises:
        InputError: A detection has no hypothesis or a class that is not in `class_names`.
    """
    count = len(message.detections)
    center, size = np.zeros((count, 3)), np.zeros((count, 3))
    yaw, score = np.zeros(count), np.zeros(count)
    label, track = np.zeros(count, np.int64), np.full(count, -1)
    covariance = np.zeros((count, 36))
    for row, detection in enumerate(message.detections):
        if not detection.results:
            raise InputError(f'detection {row} has no hypothesis')
        result = detection.results[0]
        name = result.hypothesis.class_id
        if name not in class_names:
            raise InputError(f'class {name!r} is none of {list(class_names)}')
        box, pose = detection.bbox, detection.bbox.center
        center[row] = pose.position.x, pose.position.y, pose.position.z
        size[row] = box.size.x, box.size.y, box.size.z
        yaw[row] = 2 * np.arctan2(pose.orientation.z, pose.orientation.w)
        score[row], label[row] = result.hypothesis.score, class_names.index(name)
        covariance[row] = result.pose.covariance
        track[row] = int(detection.id) if detection.id.isdecimal() else -1
    return Boxes3D(
        center, size, np.arctan2(np.sin(yaw), np.cos(yaw)), label, score,
        covariance=covariance[:, _PLANAR].reshape(-1, 2, 2),
        heading_confidence=np.clip(1. - 2 * covariance[:, _YAW] / np.pi ** 2, 0, 1),
        track_id=track,
        frame_id=message.header.frame_id, stamp=stamp_of(message.header))
