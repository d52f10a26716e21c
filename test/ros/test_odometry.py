"""The pose of a scan is right, or it is refused: late, missing, jumping, misnamed odometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from test_transforms import random_pose
from test_transforms import transform

from eq_core.errors import TransformError
from eq_ros import messages
from eq_ros.odometry import EgoMotion
from eq_ros.odometry import TfOdometry
from eq_ros.odometry import TopicOdometry
from eq_ros.tf_buffer import Buffer
from eq_ros.transforms import Transforms

SECOND = 10**9
MAX_SPEED = 20.


def odometry(stamp: float, x: float, frame: str = 'odom', body: str = 'base',
             w: float = 1.) -> messages.Odometry:
    message = messages.Odometry(header=messages.header(frame, round(stamp * SECOND)),
                                child_frame_id=body)
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = w
    return message


class Topic:
    """Odometry by messages, with a lidar on the base."""

    def __init__(self, timeout: float = 0., meanwhile: Callable[[], None] = lambda: None) -> None:
        self.buffer = Buffer()
        self.mount = random_pose(5)
        self.buffer.set_transform_static(transform('base', 'lidar', self.mount), '')
        self.source = TopicOdometry(Transforms(self.buffer), MAX_SPEED)
        self.waits = 0
        self.meanwhile = meanwhile
        self.ego = EgoMotion(self.source, timeout, MAX_SPEED, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.waits += 1
        self.meanwhile()

    def take(self, *poses: tuple[float, float]) -> None:
        for stamp, x in poses:
            self.source.take(odometry(stamp, x))

    def x(self, stamp: float) -> float:
        return float(self.ego.pose('base', round(stamp * SECOND))[0, 3])

    def refuses(self, stamp: float, why: str, frame_id: str = 'base') -> None:
        with pytest.raises(TransformError, match=why):
            self.ego.pose(frame_id, round(stamp * SECOND))


def test_pose_is_interpolated_and_the_mount_is_applied() -> None:
    topic = Topic()
    topic.take((1., 5.), (1.02, 5.2))
    assert topic.x(1.015) == pytest.approx(5.15)
    expected = topic.mount.copy()
    expected[0, 3] += 5.1
    np.testing.assert_allclose(topic.ego.pose('lidar', 1_010_000_000), expected, atol=1e-9)
    assert topic.ego.frame_id == 'odom'


def test_what_is_missing_late_or_unknown_is_refused_by_name() -> None:
    topic = Topic()
    topic.refuses(1., 'no pose is known')
    topic.take((1., 5.), (1.02, 5.2))
    topic.refuses(.9, 'before the oldest')
    topic.refuses(1.03, 'after the newest')
    topic.refuses(0., 'no stamp')
    topic.refuses(1.01, "no transform from 'camera' to 'base'", 'camera')
    topic.take((1.7, 5.2))
    topic.refuses(1.5, 'pauses for 0.680 s')
    assert topic.x(1.7) == pytest.approx(5.2)


def test_odometry_that_comes_while_one_waits_is_used() -> None:
    topic = Topic(timeout=60.)
    topic.meanwhile = lambda: topic.take((1.02, 5.2))
    topic.take((1., 5.))
    assert topic.x(1.01) == pytest.approx(5.1) and topic.waits == 1


def test_nobody_waits_for_odometry_that_is_not_to_come() -> None:
    topic = Topic(timeout=60.)
    topic.refuses(1., 'no pose is known')
    topic.take((1., 5.))
    topic.refuses(9., 'after the newest')
    topic.refuses(.5, 'before the oldest')
    assert topic.waits == 0
    short = Topic(timeout=.01)
    short.take((1., 5.))
    short.refuses(1.01, 'after the newest')
    assert short.waits > 0


@pytest.mark.parametrize(('step', 'jumps'), [(1.9, False), (2.1 + .2, True)])
def test_what_is_faster_than_possible_between_two_scans_is_a_jump(
        step: float, jumps: bool) -> None:
    topic = Topic()
    topic.take((1., 0.), (1.1, step))
    topic.x(1.)
    if jumps:
        topic.refuses(1.1, f'jumps by {step:.2f} m')
        topic.take((1.2, step))
    assert topic.x(1.1 + .1 * jumps) == pytest.approx(step)  # what comes after goes on from there


def test_a_jump_between_two_messages_is_never_interpolated() -> None:
    topic = Topic()
    topic.take((1., 0.), (1.02, 30.), (1.04, 30.))
    topic.refuses(1.001, 'jumps by 30.00 m')
    assert topic.x(1.03) == pytest.approx(30.)


def test_a_turn_on_the_spot_in_no_time_is_a_jump() -> None:
    topic = Topic()
    topic.take((1., 0.))
    turned = odometry(1.02, 0., w=0.)
    turned.pose.pose.orientation.z = 1.
    topic.source.take(turned)
    topic.refuses(1.01, '180 degrees')


def test_odometry_in_another_frame_is_a_new_beginning() -> None:
    topic = Topic()
    topic.take((1., 0.))
    topic.x(1.)
    for stamp in (1.1, 1.2):
        topic.source.take(odometry(stamp, 3., frame='odom2'))
    topic.refuses(1.1, "from frame 'odom' to 'odom2'")
    assert topic.x(1.2) == pytest.approx(3.) and topic.ego.frame_id == 'odom2'


@pytest.mark.parametrize('message', [
    odometry(1., 0., frame=''), odometry(1., 0., body=''), odometry(1., float('nan')),
    odometry(1., 0., w=0.)])
def test_messages_without_names_or_poses_are_refused(message: messages.Odometry) -> None:
    topic = Topic()
    with pytest.raises(TransformError):
        topic.source.take(message)
    topic.refuses(1., 'no pose is known')


def test_after_a_jump_of_time_nothing_is_left_but_the_mount() -> None:
    topic = Topic()
    topic.take((50., 0.), (50.1, 0.))
    topic.x(50.05)
    topic.ego.clear()
    topic.refuses(50.05, 'no pose is known')
    topic.take((1., 300.), (1.1, 300.))
    assert topic.x(1.05) == pytest.approx(300.)
    assert np.isfinite(topic.ego.pose('lidar', 1_050_000_000)).all()


def test_odometry_that_has_told_of_a_jump_of_time_is_not_forgotten_with_the_rest() -> None:
    topic = Topic()
    topic.take((50., 0.), (50.1, 0.), (1., 300.))   # the bag begins again, and is heard here first
    topic.ego.clear(now=SECOND)
    assert topic.x(1.) == pytest.approx(300.)
    topic.refuses(50.05, 'after the newest')
    topic.ego.clear(now=9 * SECOND)                 # a jump ahead, of which it knows nothing yet
    topic.refuses(1., 'no pose is known')


def test_transforms_are_a_source_of_odometry_too() -> None:
    buffer = Buffer()
    ego = EgoMotion(TfOdometry(Transforms(buffer), 'odom'), 0., MAX_SPEED)
    mount = random_pose(5)
    buffer.set_transform_static(transform('base', 'lidar', mount), '')
    with pytest.raises(TransformError, match="no transform from 'lidar' to 'odom'"):
        ego.pose('lidar', SECOND)
    for stamp, x in ((1., 4.), (1.1, 5.), (1.2, 99.)):
        pose = np.eye(4)
        pose[0, 3] = x
        buffer.set_transform(transform('odom', 'base', pose, stamp), '')
    expected = mount.copy()
    expected[0, 3] += 4.5
    np.testing.assert_allclose(ego.pose('lidar', 1_050_000_000), expected, atol=1e-9)
    with pytest.raises(TransformError, match='jumps by 94'):
        ego.pose('lidar', 1_200_000_000)
    ego.clear()
    with pytest.raises(TransformError):
        ego.pose('lidar', 1_050_000_000)
