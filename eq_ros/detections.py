"""`Boxes3D` -> ``vision_msgs/Detection3DArray`` and ``LabelInfo``."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_ros.messages import Header
from eq_ros.messages import vision_msgs

# Row-major 6 x 6 over x, y, z and the rotations about them
_XX, _XY, _YX, _YY, _YAW = 0, 1, 6, 7, 35


def detection3d_array(boxes: Boxes3D, class_names: Sequence[str], header: Header) -> Any:
    """Makes the message; needs ``vision_msgs``.

    The covariance of the pose holds what the model says about x and y, and the variance of yaw:
    with probability ``(1 - heading_confidence) / 2`` the heading points backwards, so the expected
    squared error is this times ``pi^2``. What is not known stays 0.

    Args:
        boxes: Checked boxes.
        class_names: Names that `boxes.label` indexes.
        header: Header of the input.
    """
    half = boxes.yaw / 2
    columns = zip(boxes.center.tolist(), np.sin(half).tolist(), np.cos(half).tolist(),
                  boxes.size.tolist(), boxes.label.tolist(), boxes.score.tolist(),
                  boxes.track_id.tolist(), pose_covariances(boxes), strict=True)
    detections = []
    for center, sin, cos, size, label, score, track, covariance in columns:
        detection = vision_msgs.Detection3D(header=header)
        if track >= 0:
            detection.id = str(track)
        box = detection.bbox
        box.size.x, box.size.y, box.size.z = size
        place, turn = box.center.position, box.center.orientation
        place.x, place.y, place.z = center
        turn.z, turn.w = sin, cos
        result = vision_msgs.ObjectHypothesisWithPose()
        result.hypothesis.class_id = class_names[label]
        result.hypothesis.score = score
        result.pose.pose = box.center      # one object for both, as with the header
        result.pose.covariance = covariance
        detection.results = [result]
        detections.append(detection)
    return vision_msgs.Detection3DArray(header=header, detections=detections)


def pose_covariances(boxes: Boxes3D) -> NDArray[np.float64]:
    """Covariances of the poses as ``geometry_msgs/PoseWithCovariance`` stores them.

    Returns:
        (N, 36) float64 [m^2, rad^2].
    """
    covariance = np.zeros((len(boxes), 36))
    covariance[:, [_XX, _XY, _YX, _YY]] = np.asarray(boxes.covariance).reshape(-1, 4)
    covariance[:, _YAW] = (1. - np.asarray(boxes.heading_confidence)) / 2 * math.pi ** 2
    return covariance


def label_info(class_names: Sequence[str], threshold: float, header: Header,
               ids: Sequence[int] | None = None) -> Any:
    """Makes the latched ``vision_msgs/LabelInfo``.

    Args:
        class_names: Names of the classes.
        threshold: Score below which nothing is published.
        header: Header with the time of the model's start.
        ids: Ids of the classes; in order from 0 if None.
    """
    numbers = range(len(class_names)) if ids is None else ids
    return vision_msgs.LabelInfo(
        header=header, threshold=float(threshold),
        class_map=[vision_msgs.VisionClass(class_id=number, class_name=name)
                   for number, name in zip(numbers, class_names, strict=True)])
