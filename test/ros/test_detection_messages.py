"""What goes out as messages is what the boxes say."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('rclpy')

from eq_core.geometry.boxes3d import Boxes3D
from eq_ros import messages
from eq_ros.markers import corners3d
from eq_ros.markers import marker_array
from eq_ros.messages import Marker

CLASSES = ('car', 'truck', 'pedestrian', 'cyclist')
STAMP = 1_700_000_000_123_456_789


@pytest.fixture
def boxes() -> Boxes3D:
    return Boxes3D(
        center=[[1, 2, 3], [-4, 5, 0.5]], size=[[4, 2, 1.5], [0.8, 0.6, 1.8]], yaw=[0.5, -2.],
        label=[0, 2], score=[0.9, 0.4], velocity=[[3, 4], [0, 0]],
        covariance=[[[0.04, 0.01], [0.01, 0.09]], np.eye(2)], heading_confidence=[1., 0.3],
        track_id=[17, -1], frame_id='lidar', stamp=STAMP)


def test_header_keeps_the_stamp_to_the_nanosecond() -> None:
    header = messages.header('lidar', STAMP)
    assert header.frame_id == 'lidar'
    assert header.stamp.sec * 10**9 + header.stamp.nanosec == STAMP


def test_detections_carry_box_class_score_and_covariance(boxes: Boxes3D) -> None:
    pytest.importorskip('vision_msgs')
    from eq_ros.detections import detection3d_array
    header = messages.header('lidar', STAMP)
    message = detection3d_array(boxes, CLASSES, header)
    assert message.header == header and len(message.detections) == 2
    first, second = message.detections
    assert first.header == header and (first.id, second.id) == ('17', '')
    assert [item.results[0].hypothesis.class_id for item in message.detections] == [
        'car', 'pedestrian']
    assert first.results[0].hypothesis.score == 0.9
    assert (first.bbox.size.x, first.bbox.size.y, first.bbox.size.z) == (4, 2, 1.5)
    pose = first.bbox.center
    assert (pose.position.x, pose.position.y, pose.position.z) == (1, 2, 3)
    assert 2 * math.atan2(pose.orientation.z, pose.orientation.w) == pytest.approx(0.5)
    assert first.results[0].pose.pose == pose
    covariance = np.array(first.results[0].pose.covariance).reshape(6, 6)
    np.testing.assert_allclose(covariance[:2, :2], [[0.04, 0.01], [0.01, 0.09]])
    assert covariance[5, 5] == 0


def test_unknown_heading_shows_as_variance_of_yaw(boxes: Boxes3D) -> None:
    pytest.importorskip('vision_msgs')
    from eq_ros.detections import detection3d_array
    message = detection3d_array(boxes, CLASSES, messages.header('lidar', STAMP))
    assert message.detections[1].results[0].pose.covariance[35] == pytest.approx(
        0.35 * math.pi ** 2)


def test_labels_are_named_in_order() -> None:
    pytest.importorskip('vision_msgs')
    from eq_ros.detections import label_info
    message = label_info(CLASSES, 0.25, messages.header('', 0))
    assert [(item.class_id, item.class_name) for item in message.class_map] == list(
        enumerate(CLASSES))
    assert message.threshold == 0.25


def test_markers_draw_boxes_known_headings_and_movers(boxes: Boxes3D) -> None:
    header = messages.header('lidar', STAMP)
    markers = marker_array(boxes, CLASSES, header).markers
    assert markers[0].action == Marker.DELETEALL
    assert all(marker.header == header for marker in markers)
    by_name = {marker.ns: marker for marker in markers[1:]}
    assert len(by_name['boxes'].points) == 2 * 12 * 2
    assert len(by_name['boxes'].colors) == len(by_name['boxes'].points)
    heading = [(point.x, point.y, point.z) for point in by_name['heading'].points]
    np.testing.assert_allclose(
        heading, [[1, 2, 3], [1 + 2 * math.cos(0.5), 2 + 2 * math.sin(0.5), 3]])
    velocity = [(point.x, point.y) for point in by_name['velocity'].points]
    assert velocity == [(1, 2), (4, 6)]
    still = marker_array(boxes, CLASSES, header, with_velocity=False).markers
    assert not next(marker.points for marker in still if marker.ns == 'velocity')
    assert [marker.text for marker in markers if marker.ns == 'labels'] == [
        'car 0.90 #17', 'pedestrian 0.40']


def test_no_boxes_clear_the_display() -> None:
    markers = marker_array(Boxes3D.empty(), CLASSES, messages.header('lidar', 1)).markers
    assert [marker.action for marker in markers] == [Marker.DELETEALL]


def test_corners_lie_half_a_side_from_the_centre(boxes: Boxes3D) -> None:
    local = corners3d(boxes) - boxes.center[:, None]
    cos, sin = np.cos(boxes.yaw), np.sin(boxes.yaw)
    along = cos[:, None] * local[..., 0] + sin[:, None] * local[..., 1]
    across = -sin[:, None] * local[..., 0] + cos[:, None] * local[..., 1]
    for values, side in ((along, 0), (across, 1), (local[..., 2], 2)):
        np.testing.assert_allclose(np.abs(values), np.repeat(boxes.size[:, side:side + 1] / 2, 8,
                                                             axis=1))


def test_cloud_becomes_a_message_and_comes_back() -> None:
    from eq_core.geometry.points import Points
    from eq_ros.pointcloud2 import decode
    from eq_ros.pointcloud2 import encode
    points = Points.from_xyz(np.random.default_rng(0).normal(size=(50, 3)), None, 'lidar', STAMP)
    message = messages.pointcloud2(encode(points))
    assert isinstance(message, messages.PointCloud2)
    np.testing.assert_array_equal(decode(message).points.xyz, points.xyz)
    assert decode(message).points.stamp == STAMP
