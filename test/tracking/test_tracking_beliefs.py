"""Heading, class, velocity and size are beliefs over time, not the last detection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracking_scenes import drive
from tracking_scenes import follow
from tracking_scenes import Step
from tracking_scenes import with_boxes

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.beliefs import join_axes
from eq_perception.tracking.beliefs import join_labels
from eq_perception.tracking.beliefs import label_likelihood
from eq_perception.tracking.tracker import Tracker

CAR, TRUCK, PEDESTRIAN = 0, 1, 2


def parked(count: int = 30, velocity: tuple[float, float] = (0., 0.), **columns) -> list[Step]:
    """One car; `columns` replace those of all its detections."""
    steps = drive(np.array([[-8., 6.]]), np.array([velocity]), np.array([CAR]), count)
    return [with_boxes(step, replace(step.boxes, **columns)) for step in steps]


def changed(steps: list[Step], where: np.ndarray, **columns) -> list[Step]:
    """Other columns in the scans that the mask names."""
    return [with_boxes(step, replace(step.boxes, **columns)) if there else step
            for step, there in zip(steps, where, strict=True)]


def test_heading_flips_are_outvoted():
    rng = np.random.default_rng(0)
    wrong = rng.random(60) < .3
    wrong[:10] = [1, 0, 1, 0, 0, 1, 0, 0, 0, 0]
    steps = changed(parked(60, heading_confidence=np.full(1, .8)), wrong, yaw=np.full(1, np.pi))
    answers = list(follow(Tracker(), steps))
    yaws = np.array([tracks.yaw[0] for tracks in answers[6:]])
    np.testing.assert_allclose(np.cos(yaws), 1, atol=1e-9)
    assert min(tracks.heading_confidence[0] for tracks in answers[20:]) > .6


def test_heading_without_confidence_stays_unknown():
    steps = changed(parked(20, heading_confidence=np.zeros(1)), np.arange(20) % 2 == 1,
                    yaw=np.full(1, np.pi))
    *_, last = follow(Tracker(), steps)
    assert last.heading_confidence[0] == pytest.approx(0, abs=1e-9)
    assert abs(np.cos(last.yaw[0])) == pytest.approx(1)


def test_motion_over_ground_corrects_a_heading_that_is_always_wrong():
    """But only with odometry: without, everything seems to move."""
    steps = parked(30, (8., 0.), yaw=np.full(1, np.pi), heading_confidence=np.full(1, .3))
    *_, last = follow(Tracker(), steps)
    assert np.cos(last.yaw[0]) == pytest.approx(1)
    *_, last = follow(Tracker(), steps, odometry=False)
    assert np.cos(last.yaw[0]) == pytest.approx(-1)


def test_turned_object_is_believed_in_the_end():
    steps = changed(parked(60), np.arange(60) >= 45, yaw=np.full(1, np.pi))
    answers = list(follow(Tracker(), steps))
    assert np.cos(answers[45].yaw[0]) == pytest.approx(1)
    assert np.cos(answers[59].yaw[0]) == pytest.approx(-1)


def test_axis_follows_a_turn_over_the_branch_of_the_angle():
    steps = parked(60)
    yaws = np.linspace(0, 3 * np.pi, 60)
    steps = [with_boxes(step, replace(step.boxes, yaw=np.full(1, yaw)))
             for step, yaw in zip(steps, yaws)]
    answers = list(follow(Tracker(), steps))
    behind = [np.cos(tracks.yaw[0] - yaw) for tracks, yaw in zip(answers, yaws)]
    assert min(behind) > np.cos(np.radians(40))
    assert all(-np.pi <= tracks.yaw[0] < np.pi for tracks in answers)


@pytest.mark.parametrize('turn', [0., np.pi])
def test_axes_join_on_the_shorter_side_whatever_their_sign(turn):
    yaw, weight = join_axes(np.array([.1]), np.array([1.]), np.array([.3 + turn]), 1.)
    assert yaw[0] == pytest.approx(.2)
    assert weight[0] == pytest.approx(2 * np.cos(.2))


def test_contradicting_axes_leave_no_certainty():
    _, weight = join_axes(np.zeros(1), np.ones(1), np.full(1, np.pi / 2), 1.)
    assert weight[0] == pytest.approx(0, abs=1e-12)


def test_class_is_voted_by_score():
    wrong = np.arange(30) % 3 == 2
    steps = changed(parked(30), wrong, label=np.full(1, TRUCK), score=np.full(1, .5))
    tracker = Tracker()
    for tracks in follow(tracker, steps):
        assert tracks.label.tolist() == [CAR]
        assert tracks.track_id.tolist() == [1]


def test_class_of_another_kind_is_another_object():
    """A person where a car was is not that car, even with the car's size."""
    steps = changed(parked(20), np.arange(20) >= 10, label=np.full(1, PEDESTRIAN))
    *_, last = follow(Tracker(), steps)
    assert last.label[last.track_id == 2].tolist() == [PEDESTRIAN]


def test_joined_labels_are_bayes_rule():
    likelihood = label_likelihood(3, .2)
    prior = np.log([.5, .3, .2])
    joined = join_labels(prior[None] - prior.max(), np.array([1]), np.ones(1), likelihood, 50.)[0]
    posterior = np.exp(prior) * likelihood[:, 1]
    np.testing.assert_allclose(np.exp(joined), posterior / posterior.max())
    np.testing.assert_allclose(likelihood.sum(1), 1)


def test_belief_in_a_class_can_be_revised():
    steps = changed(parked(60), np.arange(60) >= 40, label=np.full(1, TRUCK))
    answers = list(follow(Tracker(), steps))
    assert answers[39].label.tolist() == [CAR]
    assert answers[59].label.tolist() == [TRUCK]
    assert answers[59].track_id.tolist() == [1]


def test_one_measured_velocity_says_what_one_position_cannot():
    [step] = parked(1, (9., -4.))
    boxes = replace(step.boxes, velocity=step.truth.velocity)
    with_velocity = Tracker().update(boxes, step.pose, 0, measured_velocity=True)
    np.testing.assert_allclose(with_velocity.velocity, step.truth.velocity, rtol=.05)
    without = Tracker().update(boxes, step.pose, 0, measured_velocity=False)
    np.testing.assert_array_equal(without.velocity, 0)


def test_unknown_velocity_is_no_standstill():
    """Zeros mean unknown, so they do not hold a moving track back."""
    steps = parked(20, (9., -4.))
    zeros, none = Tracker(), Tracker()
    answers = zip(follow(zeros, steps, measured_velocity=True), follow(none, steps))
    for tracks, expected in answers:
        np.testing.assert_array_equal(tracks.velocity, expected.velocity)
    np.testing.assert_allclose(tracks.velocity, [[9., -4.]], atol=.2)


def test_measured_velocity_helps_from_the_first_look_on():
    steps = parked(20, (9., -4.))
    steps = [with_boxes(step, replace(step.boxes, velocity=step.truth.velocity))
             for step in steps]
    errors = [[np.linalg.norm(tracks.velocity[0] - [9., -4.])
               for tracks in follow(Tracker(), steps, measured_velocity=flag)]
              for flag in (False, True)]
    assert np.all(np.array(errors[1][:5]) < errors[0][:5])
    assert errors[1][0] < .5


def test_later_velocities_count_too():
    steps = parked(2, (9., -4.))
    tracker = Tracker()
    tracker.update(steps[0].boxes, steps[0].pose, 0, measured_velocity=True)
    boxes = replace(steps[1].boxes, velocity=steps[1].truth.velocity)
    tracks = tracker.update(boxes, steps[1].pose, steps[1].stamp, measured_velocity=True)
    np.testing.assert_allclose(tracks.velocity, steps[1].truth.velocity, atol=.5)


def test_size_and_height_settle():
    rng = np.random.default_rng(3)
    steps = parked(60)
    truth = steps[0].truth
    steps = [with_boxes(step, replace(
        step.boxes, size=truth.size * np.exp(rng.normal(0, .1, (1, 3))),
        center=step.boxes.center + rng.normal(0, .15, (1, 3)))) for step in steps]
    answers = list(follow(Tracker(), steps))[20:]
    heights = np.array([tracks.center[0, 2] for tracks in answers])
    assert np.sqrt(np.mean(np.square(heights - truth.center[0, 2]))) < .15 / 2
    ratios = np.log([tracks.size[0] / truth.size[0] for tracks in answers])
    assert np.sqrt(np.mean(np.square(ratios))) < .1 / 2


def test_score_is_steady_and_falls_when_unseen():
    steps = parked(30)
    steps = changed(steps, np.arange(30) == 10, score=np.full(1, .2))
    steps = [with_boxes(step, Boxes3D.empty('lidar')) if number >= 27 else step
             for number, step in enumerate(steps)]
    scores = [tracks.score[0] for tracks in follow(Tracker(), steps)]
    assert scores[9] == pytest.approx(.8)
    assert .5 < scores[10] < .8
    assert scores[26] > scores[27] > scores[28]
