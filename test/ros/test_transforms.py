"""Lookups between frames: what is known is right, what is not known is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.time import Time
from scipy.spatial.transform import Rotation

from eq_core.errors import TransformError
from eq_ros import messages
from eq_ros import tf_buffer
from eq_ros.poses import StampedPose
from eq_ros.transforms import Transforms

SECOND = 10**9


def transform(parent: str, child: str, pose: np.ndarray, stamp: float = 0.) -> object:
    """A message; child -> parent by a (4, 4) pose."""
    stamped = StampedPose.from_matrix(pose, round(stamp * SECOND))
    message = messages.TransformStamped(
        header=messages.header(parent, stamped.stamp), child_frame_id=child)
    moved, turned = message.transform.translation, message.transform.rotation
    moved.x, moved.y, moved.z = stamped.position.tolist()
    turned.x, turned.y, turned.z, turned.w = stamped.quaternion.tolist()
    return message


def random_pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.random(rng=rng).as_matrix()
    pose[:3, 3] = rng.uniform(-5, 5, 3)
    return pose


@pytest.fixture
def buffer() -> tf_buffer.Buffer:
    """A robot: map <- odom <- base <- lidar, base <- mast <- camera; base moves in odom."""
    buffer = tf_buffer.Buffer()
    for parent, child, seed in (('map', 'odom', 1), ('base', 'lidar', 2), ('base', 'mast', 3),
                                ('mast', 'camera', 4)):
        buffer.set_transform_static(transform(parent, child, random_pose(seed)), '')
    for stamp in (1., 1.1, 1.2):
        pose = np.eye(4)
        pose[0, 3] = 10 * stamp
        buffer.set_transform(transform('odom', 'base', pose, stamp), '')
    return buffer


def lookup(buffer: tf_buffer.Buffer, target: str, source: str, stamp: float = 1.1) -> np.ndarray:
    return Transforms(buffer).lookup(target, source, round(stamp * SECOND))


def test_chains_are_composed_up_and_down(buffer: tf_buffer.Buffer) -> None:
    base = np.eye(4)
    base[0, 3] = 11.
    lidar, camera = random_pose(2), random_pose(3) @ random_pose(4)
    for target, source, expected in (
            ('base', 'lidar', lidar), ('lidar', 'base', np.linalg.inv(lidar)),
            ('odom', 'lidar', base @ lidar), ('map', 'camera', random_pose(1) @ base @ camera),
            ('camera', 'lidar', np.linalg.inv(camera) @ lidar), ('lidar', 'lidar', np.eye(4))):
        np.testing.assert_allclose(lookup(buffer, target, source), expected, atol=1e-9)


def test_moving_links_are_interpolated_and_never_extrapolated(buffer: tf_buffer.Buffer) -> None:
    assert lookup(buffer, 'odom', 'base', 1.17)[0, 3] == pytest.approx(11.7)
    for stamp in (.9, 1.21):
        with pytest.raises(tf_buffer.ExtrapolationException):
            buffer.lookup_transform('odom', 'lidar', Time(nanoseconds=round(stamp * SECOND)))
        assert not buffer.can_transform('odom', 'lidar', Time(nanoseconds=round(stamp * SECOND)))
        with pytest.raises(TransformError, match=r"'lidar' to 'odom'.*pose"):
            lookup(buffer, 'odom', 'lidar', stamp)
    lookup(buffer, 'camera', 'lidar', 99.)  # nothing moves on the way
    assert buffer.can_transform('camera', 'lidar', Time(nanoseconds=99 * SECOND))


def test_time_zero_is_the_latest_common_time(buffer: tf_buffer.Buffer) -> None:
    answer = buffer.lookup_transform('odom', 'base', Time())
    assert answer.transform.translation.x == pytest.approx(12.)
    assert answer.header.frame_id == 'odom' and answer.child_frame_id == 'base'
    assert answer.header.stamp.nanosec == 200_000_000
    transforms = Transforms(buffer)
    assert transforms.newest('map', 'lidar') == 1_200_000_000
    assert transforms.newest('base', 'lidar') == 0
    assert transforms.newest('map', 'nowhere') is None


@pytest.mark.parametrize(('target', 'source', 'error'), [
    ('odom', 'wheel', 'LookupException'), ('nowhere', 'base', 'LookupException'),
    ('odom', 'moon', 'ConnectivityException'), ('', 'base', 'InvalidArgumentException'),
    ('/odom', 'base', 'InvalidArgumentException')])
def test_frames_that_are_unknown_or_apart_are_refused_by_name(
        buffer: tf_buffer.Buffer, target: str, source: str, error: str) -> None:
    buffer.set_transform_static(transform('earth', 'moon', np.eye(4)), '')
    with pytest.raises(getattr(tf_buffer, error)):
        buffer.lookup_transform(target, source, Time(nanoseconds=SECOND))
    with pytest.raises(TransformError):
        lookup(buffer, target, source)


def test_transforms_that_make_no_sense_are_refused_and_change_nothing(
        buffer: tf_buffer.Buffer) -> None:
    before = lookup(buffer, 'map', 'camera')
    own_parent = transform('base', 'base', np.eye(4))
    circle = transform('camera', 'map', np.eye(4))
    nameless = transform('base', '', np.eye(4))
    twisted, infinite = (transform('base', 'lidar', np.eye(4)) for _ in range(2))
    twisted.transform.rotation.w = 2.
    infinite.transform.translation.y = math.inf
    for message in (own_parent, circle, nameless, twisted, infinite):
        for take in (buffer.set_transform, buffer.set_transform_static):
            with pytest.raises(tf_buffer.InvalidArgumentException):
                take(message, '')
    np.testing.assert_array_equal(lookup(buffer, 'map', 'camera'), before)
    np.testing.assert_allclose(lookup(buffer, 'base', 'lidar'), random_pose(2), atol=1e-9)


def test_clear_keeps_what_is_static_and_a_loop_begins_anew(buffer: tf_buffer.Buffer) -> None:
    buffer.clear()
    assert Transforms(buffer).newest('odom', 'base') is None
    with pytest.raises(tf_buffer.ExtrapolationException):
        buffer.lookup_transform('odom', 'base', Time(nanoseconds=1_100_000_000))
    lookup(buffer, 'mast', 'lidar')
    for stamp in (500., 500.1, 3., 3.1):
        pose = np.eye(4)
        pose[0, 3] = stamp
        buffer.set_transform(transform('odom', 'base', pose, stamp), '')
    assert lookup(buffer, 'odom', 'base', 3.05)[0, 3] == pytest.approx(3.05)
    with pytest.raises(tf_buffer.ExtrapolationException):
        buffer.lookup_transform('odom', 'base', Time(nanoseconds=round(500.05 * SECOND)))


def test_a_frame_may_move_to_another_parent(buffer: tf_buffer.Buffer) -> None:
    buffer.set_transform(transform('map', 'base', random_pose(9), 1.1), '')
    np.testing.assert_allclose(lookup(buffer, 'map', 'base'), random_pose(9), atol=1e-9)
    with pytest.raises(tf_buffer.ExtrapolationException):  # nothing is left of the old parent
        buffer.lookup_transform('map', 'base', Time(nanoseconds=SECOND))
