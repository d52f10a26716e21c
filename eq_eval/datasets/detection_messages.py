"""``vision_msgs/Detection3DArray`` for bags, without ROS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.scan import LabeledScan

DETECTIONS = 'vision_msgs/msg/Detection3DArray'

# https://index.ros.org/p/vision_msgs: fields of its messages, version 4
_DEFINITIONS = {
    'vision_msgs/msg/BoundingBox3D': 'geometry_msgs/Pose center\ngeometry_msgs/Vector3 size',
    'vision_msgs/msg/ObjectHypothesis': 'string class_id\nfloat64 score',
    'vision_msgs/msg/ObjectHypothesisWithPose':
        'vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose',
    'vision_msgs/msg/Detection3D':
        'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
        'vision_msgs/BoundingBox3D bbox\nstring id',
    DETECTIONS: 'std_msgs/Header header\nvision_msgs/Detection3D[] detections',
}


def register_detections(store: Any) -> None:
    """Adds the messages to a type store of `rosbags`."""
    from rosbags.typesys import get_types_from_msg
    for name, definition in _DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))


def detection3d_array(types: Any, scan: LabeledScan, header: Any) -> Any:
    """The boxes of a scan as ``eq_ros.detections`` fills the message; `id` is the track.

    Args:
        types: Classes of a type store after `register_detections`.
        scan: A scan with boxes.
        header: Header of its cloud.
    """
    boxes = scan.boxes if scan.boxes is not None else Boxes3D.empty()
    covariances = np.zeros((len(boxes), 6, 6))
    covariances[:, :2, :2] = boxes.covariance
    covariances[:, 5, 5] = (1 - boxes.heading_confidence) / 2 * math.pi**2
    detections = []
    for i in range(len(boxes)):
        pose = types['geometry_msgs/msg/Pose'](
            types['geometry_msgs/msg/Point'](*boxes.center[i].tolist()),
            types['geometry_msgs/msg/Quaternion'](
                0., 0., math.sin(boxes.yaw[i] / 2), math.cos(boxes.yaw[i] / 2)))
        hypothesis = types['vision_msgs/msg/ObjectHypothesis'](
            scan.class_names[boxes.label[i]], float(boxes.score[i]))
        result = types['vision_msgs/msg/ObjectHypothesisWithPose'](
            hypothesis, types['geometry_msgs/msg/PoseWithCovariance'](
                pose, covariances[i].reshape(-1)))
        box = types['vision_msgs/msg/BoundingBox3D'](
            pose, types['geometry_msgs/msg/Vector3'](*boxes.size[i].tolist()))
        track = str(boxes.track_id[i]) if boxes.track_id[i] >= 0 else ''
        detections.append(types['vision_msgs/msg/Detection3D'](header, [result], box, track))
    return types[DETECTIONS](header, detections)
