"""Classes and objects of points go out as they are, and nonsense does not go out."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.geometry.points import Points
from eq_ros.panoptic import decode_classes
from eq_ros.panoptic import encode_panoptic
from eq_ros.point_layout import DATATYPES
from eq_ros.point_layout import read_layout
from eq_ros.pointcloud2 import decode
from eq_ros.pointcloud2 import encode

STAMP = 1_700_000_000_123_456_789
FIELDS = [('x', 'f4'), ('y', 'f4'), ('z', 'f4'), ('intensity', 'f4'), ('semantic', 'u2'),
          ('instance', 'u4'), ('probability', 'f4')]


def scan(count: int) -> tuple[Points, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    points = Points.from_xyz(rng.normal(size=(count, 3)), rng.random(count), 'lidar', STAMP)
    return (points, rng.integers(0, 2**16, count).astype(np.uint16),
            rng.integers(0, 2**32, count).astype(np.uint32), rng.random(count, np.float32))


@pytest.mark.parametrize('count', [0, 1, 1000])
def test_strict_decoder_reads_every_column_as_it_was(count: int) -> None:
    points, *columns = scan(count)
    message = encode_panoptic(points, *columns)
    assert [(field.name, DATATYPES[field.datatype]) for field in message.fields] == FIELDS
    assert (message.width, message.height, message.header.frame_id) == (count, 1, 'lidar')
    assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == STAMP
    decoded = decode(message).points
    np.testing.assert_array_equal(decoded.xyz, points.xyz)
    np.testing.assert_array_equal(decoded.intensity, points.intensity)
    if count:
        layout = read_layout(message)
        for name, column in zip(('semantic', 'instance', 'probability'), columns, strict=True):
            np.testing.assert_array_equal(layout.column(layout.field(name)), column)


def test_classes_are_read_beside_the_points_that_can_be_used() -> None:
    points, semantic, *rest = scan(100)
    message = encode_panoptic(points, semantic, *rest)
    xyz, classes = decode_classes(message, 1000.)
    np.testing.assert_array_equal(xyz, points.xyz)
    np.testing.assert_array_equal(classes, semantic)
    xyz, classes = decode_classes(message, .5)
    near = np.abs(points.xyz).max(1) <= .5
    np.testing.assert_array_equal(xyz, points.xyz[near])
    np.testing.assert_array_equal(classes, semantic[near])
    empty = decode_classes(encode_panoptic(*scan(0)), 1.)
    assert empty[0].shape == (0, 3) and empty[1].shape == (0,)


@pytest.mark.parametrize(('column', 'reason'), [
    ({}, 'missing_field'), ({'semantic': np.zeros(5, np.float32)}, 'bad_field')])
def test_classes_that_are_none_are_refused(column: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(InputError, match='semantic') as caught:
        decode_classes(encode(Points.from_xyz(np.zeros((5, 3))), column), 1.)
    assert caught.value.reason == reason


def test_readers_of_ros_read_the_same() -> None:
    point_cloud2 = pytest.importorskip('sensor_msgs_py.point_cloud2')
    from eq_ros.messages import pointcloud2
    points, *columns = scan(100)
    read = point_cloud2.read_points(pointcloud2(encode_panoptic(points, *columns)))
    assert read.dtype.names == tuple(name for name, _ in FIELDS)
    for name, column in zip(('x', 'semantic', 'instance', 'probability'),
                            (points.xyz[:, 0], *columns), strict=True):
        np.testing.assert_array_equal(read[name], column)


def test_message_keeps_the_bytes() -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from eq_ros.messages import pointcloud2
    message = encode_panoptic(*scan(10))
    assert bytes(pointcloud2(message).data) == bytes(message.data)


@pytest.mark.parametrize(('column', 'value'), [
    (1, np.full(5, 2**16)), (1, np.full(5, -1)), (2, np.full(5, 2**32)),
    (2, np.zeros(4, np.uint32)), (3, np.full(5, np.nan)), (3, np.full(5, 1.5)),
    (3, np.full(5, -.1)), (3, np.zeros((5, 1)))])
def test_columns_that_a_field_cannot_hold_are_refused(column: int, value: np.ndarray) -> None:
    columns = list(scan(5))
    columns[column] = value
    with pytest.raises(OutputError):
        encode_panoptic(*columns)
