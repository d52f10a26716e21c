"""Poses between poses: linear and slerp; outside of them: refused."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from eq_core.errors import TransformError
from eq_ros.poses import ExtrapolationError
from eq_ros.poses import interpolate
from eq_ros.poses import PoseHistory
from eq_ros.poses import StampedPose

SECOND = 10**9


def about_z(angle: float) -> np.ndarray:
    return np.array([0., 0., math.sin(angle / 2), math.cos(angle / 2)])


def history(*stamps: float) -> PoseHistory:
    """Poses at some times [s], x as the time says."""
    poses = PoseHistory()
    for stamp in stamps:
        poses.add(StampedPose(round(stamp * SECOND), [stamp, 0., 0.], about_z(0.)))
    return poses


@pytest.mark.parametrize('part', [0., .25, .5, 1.])
@pytest.mark.parametrize(('start', 'end'), [(0., 1.), (3., 3.5), (-3., 3.), (0., 3.1)])
def test_between_two_poses_both_parts_change_evenly_the_shorter_way(
        part: float, start: float, end: float) -> None:
    turn = (end - start + math.pi) % (2 * math.pi) - math.pi
    first = StampedPose(0, [1., -2., 3.], about_z(start))
    second = StampedPose(SECOND, [5., 2., -1.], -about_z(end))  # the same turn, other sign
    pose = interpolate(first, second, int(part * SECOND)).matrix()
    np.testing.assert_allclose(pose[:3, 3], np.array([1, -2, 3]) + part * np.array([4, 4, -4]))
    angle = start + part * turn
    np.testing.assert_allclose(pose[:2, :2], [[math.cos(angle), -math.sin(angle)],
                                              [math.sin(angle), math.cos(angle)]], atol=1e-12)


def test_matrix_and_back_is_the_same_pose() -> None:
    quaternion = np.array([.1, -.5, .3, .8]) / np.linalg.norm([.1, -.5, .3, .8])
    pose = StampedPose(7, [1., 2., 3.], quaternion)
    again = StampedPose.from_matrix(pose.matrix(), 7)
    np.testing.assert_allclose(again.position, pose.position)
    np.testing.assert_allclose(again.quaternion, quaternion)
    point = SimpleNamespace(x=1., y=2., z=3.)
    turn = SimpleNamespace(**dict(zip('xyzw', quaternion, strict=True)))
    np.testing.assert_allclose(StampedPose.from_message(point, turn, 7).matrix(), pose.matrix())


@pytest.mark.parametrize(('position', 'quaternion'), [
    ([0, math.nan, 0], [0, 0, 0, 1]), ([0, 0, math.inf], [0, 0, 0, 1]),
    ([0, 0, 0], [0, 0, 0, math.nan]), ([0, 0, 0], [0, 0, 0, 0]), ([0, 0, 0], [0, 0, .2, 1])])
def test_what_is_no_pose_is_refused(position: list, quaternion: list) -> None:
    with pytest.raises(TransformError):
        StampedPose(0, position, quaternion)


def test_times_within_are_answered_and_times_outside_are_refused() -> None:
    poses = history(1., 1.1, 1.3)
    assert poses.newest == 1_300_000_000
    for stamp in (1., 1.05, 1.1, 1.25, 1.3):
        assert poses.at(round(stamp * SECOND)).position[0] == pytest.approx(stamp)
    for stamp in (.999999999, 1.300000001, 0., 100.):
        with pytest.raises(ExtrapolationError, match='before the oldest|after the newest'):
            poses.at(round(stamp * SECOND))
    with pytest.raises(ExtrapolationError, match='no pose'):
        history().at(0)


def test_order_of_arrival_does_not_matter_and_a_repetition_replaces() -> None:
    poses = history(1., 1.2, 1.1)
    assert poses.newest == 1_200_000_000
    assert poses.at(1_150_000_000).position[0] == pytest.approx(1.15)
    poses.add(StampedPose(1_100_000_000, [7., 0., 0.], about_z(0.)))
    assert poses.at(1_100_000_000).position[0] == 7.


def test_old_poses_are_forgotten() -> None:
    poses = history(*range(100))
    assert poses.at(95 * SECOND).position[0] == 95.
    with pytest.raises(ExtrapolationError):
        poses.at(80 * SECOND)


def test_time_that_goes_back_begins_anew() -> None:
    poses = history(50., 50.1, 3., 3.1)
    assert poses.newest == 3_100_000_000
    with pytest.raises(ExtrapolationError):
        poses.at(round(50.05 * SECOND))
    assert poses.at(round(3.05 * SECOND)).position[0] == pytest.approx(3.05)
    poses.clear()
    assert poses.newest is None
