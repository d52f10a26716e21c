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
    with probability `heading_confidence` the heading is right, else it points backwards, so the
    expected squared error is ``(1 - heading_confidence) pi^2``. What is not known stays 0.

    Args:
        boxes: Checked boxes.
        class_names: Names that `boxes.label` indexes.
        header: Header of the input.
    """
    message = vision_msgs.Detection3DArray(header=header)
    half = boxes.yaw / 2
    quaternions = np.stack([np.sin(half), np.cos(half)], axis=1)
    covariances = pose_covariances(boxes)
    scores, tracks = np.asarray(boxes.score).tolist(), np.asarray(boxes.track_id).tolist()
    for row in range(len(boxes)):
        detection = vision_msgs.Detection3D(header=header)
        if tracks[row] >= 0:
            detection.id = str(tracks[row])
        result = vision_msgs.ObjectHypothesisWithPose()
        result.hypothesis.class_id = class_names[boxes.label[row]]
        result.hypothesis.score = scores[row]
        result.pose.covariance = covariances[row]
        size = detection.bbox.size
        size.x, size.y, size.z = boxes.size[row].tolist()
        for pose in (result.pose.pose, detection.bbox.center):
            pose.position.x, pose.position.y, pose.position.z = boxes.center[row].tolist()
            pose.orientation.z, pose.orientation.w = quaternions[row].tolist()
        detection.results = [result]
        message.detections.append(detection)
    return message


def pose_covariances(boxes: Boxes3D) -> NDArray[np.float64]:
    """Covariances of the poses as ``geometry_msgs/PoseWithCovariance`` stores them.

    Returns:
        (N, 36) float64 [m^2, rad^2].
    """
    covariance = np.zeros((len(boxes), 36))
    covariance[:, [_XX, _XY, _YX, _YY]] = np.asarray(boxes.covariance).reshape(-1, 4)
    covariance[:, _YAW] = (1. - np.asarray(boxes.heading_confidence)) * math.pi ** 2
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
