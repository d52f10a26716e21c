"""The answer turns with the world, the sensor and the odometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracking_scenes import follow
from tracking_scenes import planar_pose
from tracking_scenes import Step
from tracking_scenes import town
from tracking_scenes import with_boxes

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.filter import predict
from eq_perception.tracking.tracker import Tracker

ANGLES = (.3, np.pi / 2, -2.9)


def elongated(steps: list[Step], seed: int) -> list[Step]:
    """Gives detections covariances without symmetry, and velocities."""
    rng, changed = np.random.default_rng(seed), []
    for step in steps:
        factor = rng.normal(0, .3, (len(step.boxes), 2, 2))
        changed.append(with_boxes(step, replace(
            step.boxes, covariance=factor @ factor.transpose(0, 2, 1),
            velocity=rng.normal(0, 3, (len(step.boxes), 2)))))
    return changed


def assert_turned(answers: list[Boxes3D], turned: list[Boxes3D], turn: np.ndarray) -> None:
    assert sum(len(answer) for answer in answers) > 500
    for answer, other in zip(answers, turned, strict=True):
        expected = answer.transformed(turn)
        for name in ('track_id', 'label'):
            np.testing.assert_array_equal(getattr(other, name), getattr(expected, name))
        for name in ('center', 'size', 'velocity', 'covariance', 'score', 'heading_confidence'):
            np.testing.assert_allclose(getattr(other, name), getattr(expected, name), rtol=0,
                                       atol=1e-9)
        apart = np.exp(1j * other.yaw) - np.exp(1j * expected.yaw)
        assert np.abs(apart).max(initial=0) < 1e-9


@pytest.mark.parametrize('angle', ANGLES)
@pytest.mark.parametrize('odometry', [True, False])
def test_turned_sensor_gives_the_same_ids_and_turned_tracks(angle, odometry):
    steps = elongated(town(1, count=40), 1)
    turn = planar_pose(0, 0, angle)
    turned = [Step(step.pose @ turn.T, step.stamp, step.truth, step.boxes.transformed(turn))
              for step in steps]
    assert_turned(list(follow(Tracker(), steps, odometry, True)),
                  list(follow(Tracker(), turned, odometry, True)), turn)


@pytest.mark.parametrize('angle', ANGLES)
def test_odometry_may_begin_anywhere_and_look_anywhere(angle):
    steps = elongated(town(2, count=40), 2)
    shift = planar_pose(-300., 200., angle)
    moved = [Step(shift @ step.pose, step.stamp, step.truth, step.boxes) for step in steps]
    assert_turned(list(follow(Tracker(), steps)), list(follow(Tracker(), moved)), np.eye(4))


def test_assignment_is_invariant():
    steps, turn = town(3, count=30), planar_pose(0, 0, 1.1)
    one, other = Tracker(), Tracker()
    for step in steps:
        one.update(step.boxes, step.pose, step.stamp)
        other.update(step.boxes.transformed(turn), step.pose @ turn.T, step.stamp)
        np.testing.assert_array_equal(one.assignment, other.assignment)
        np.testing.assert_array_equal(one.confirmed, other.confirmed)
        np.testing.assert_array_equal(one.coasted, other.coasted)


def test_prediction_in_two_steps_is_prediction_in_one():
    rng = np.random.default_rng(4)
    mean, factor = rng.normal(size=(5, 4)), rng.normal(size=(5, 4, 4))
    covariance, noise = factor @ factor.transpose(0, 2, 1), rng.uniform(.5, 2, 5)
    half = predict(*predict(mean, covariance, .3, noise), .4, noise)
    for value, expected in zip(half, predict(mean, covariance, .7, noise)):
        np.testing.assert_allclose(value, expected, atol=1e-12)


def test_covariance_tells_the_error():
    """Squared errors in units of their covariance average to the two degrees of freedom."""
    config, squares = TrackerConfig(position_floor=1e-3), []
    for seed in range(4):
        steps = town(seed, drop=0., alarms=0., jitter=.2)
        tracker = Tracker(config)
        for step, tracks in zip(steps, follow(tracker, steps)):
            for box, number in enumerate(tracker.assignment):
                [row] = np.flatnonzero(tracks.track_id == number)
                error = tracks.center[row, :2] - step.truth.center[box, :2]
                squares.append(error @ np.linalg.solve(tracks.covariance[row], error))
    # Straight motion is steadier than what the filter allows for, so it may be too cautious.
    assert .5 < np.mean(squares) < 2.4
