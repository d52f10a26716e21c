"""Ids: given once, kept over crossings and occlusions, taken from what is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracking_scenes import drive
from tracking_scenes import ego_poses
from tracking_scenes import follow
from tracking_scenes import nearest
from tracking_scenes import PERIOD
from tracking_scenes import planar_pose
from tracking_scenes import spoiled
from tracking_scenes import Step
from tracking_scenes import town
from tracking_scenes import with_boxes

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.association import pair_gains
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.estimation import born
from eq_perception.tracking.estimation import position_noise
from eq_perception.tracking.tracker import Tracker

CAR, PEDESTRIAN = 0, 2


def one_car(count: int = 40, velocity: tuple[float, float] = (8., 0.)) -> list[Step]:
    return drive(np.array([[-10., 4.]]), np.array([velocity]), np.array([CAR]), count)


def without(steps: list[Step], first: int, last: int, track: int = 1) -> list[Step]:
    """Hides a truth from the detector in scans first..last."""
    return [with_boxes(step, step.boxes.select(step.truth.track_id != track))
            if first <= number <= last else step for number, step in enumerate(steps)]


def test_every_detection_has_an_id_from_the_first_scan_on():
    tracker, steps = Tracker(), town(5)
    for step, tracks in zip(steps, follow(tracker, steps)):
        assert tracker.assignment.shape == (len(step.boxes),)
        assert len(set(tracker.assignment)) == len(step.boxes)
        assert tracker.assignment.min() >= 1
        assert set(tracker.assignment) <= set(tracks.track_id)
        assert len(tracker.confirmed) == len(tracker.coasted) == len(tracks)
        assert set(tracks.track_id[~tracker.coasted]) == set(tracker.assignment)
        assert (np.diff(tracks.track_id) > 0).all()
        assert tracks.frame_id == 'lidar'
        assert tracks.stamp == step.stamp


def test_object_is_confirmed_after_enough_looks_and_gone_after_it_left():
    tracker, steps = Tracker(), without(one_car(), 20, 39)
    confirmed, shown = [], []
    for tracks in follow(tracker, steps):
        confirmed.append(bool(tracker.confirmed.any()))
        shown.append(len(tracks))
    hits = TrackerConfig().confirm_hits
    assert confirmed[:hits] == [False] * (hits - 1) + [True]
    coasting = round(TrackerConfig().max_coast * 1e9 / PERIOD)
    assert shown == [1] * (20 + coasting) + [0] * (20 - coasting)


def test_unseen_track_is_shown_as_coasted_and_goes_on():
    tracker, steps = Tracker(), without(one_car(), 20, 39)
    for number, (step, tracks) in enumerate(zip(steps, follow(tracker, steps))):
        if number >= 20 and len(tracks):
            assert tracker.coasted.all()
            assert np.linalg.norm(tracks.center - step.truth.center) < .5
    assert tracker.coasted.size == 0


@pytest.mark.parametrize('seed', range(4))
def test_crossing_objects_keep_their_ids(seed):
    """Two cars pass side by side, two people cross a step apart."""
    rng = np.random.default_rng(seed)
    steps = drive(np.array([[-20., 0.], [20., 2.6], [30., -3.], [33.8, .2]]),
                  np.array([[10., 0.], [-10., 0.], [0., 1.2], [-1., 0.]]),
                  np.array([CAR, CAR, PEDESTRIAN, PEDESTRIAN]), 45)
    steps = [with_boxes(step, spoiled(step.truth, rng, drop=.05, jitter=.1, alarms=0.))
             for step in steps]
    tracker, ids = Tracker(), {}
    for number, (step, tracks) in enumerate(zip(steps, follow(tracker, steps))):
        if 8 <= number <= 15 or number >= 38:  # before and after they are too close to tell
            sure = tracks.select(tracker.confirmed)
            for track in range(1, 5):
                ids.setdefault(track, set()).add(
                    int(sure.track_id[nearest(sure, step, track)]))
    assert sorted(len(found) for found in ids.values()) == [1, 1, 1, 1]
    assert len(set.union(*ids.values())) == 4


@pytest.mark.parametrize('velocity', [(0., 0.), (8., 0.), (-5., 12.)])
@pytest.mark.parametrize('driving', [False, True])
def test_occlusion_of_a_second_keeps_the_id(velocity, driving):
    poses = ego_poses(60) if driving else None
    start = np.array([[130., -35.]]) if driving else np.array([[-10., 4.]])
    steps = drive(start, np.array([velocity]), np.array([CAR]), 60, poses)
    rng = np.random.default_rng(0)
    steps = without([with_boxes(step, spoiled(step.truth, rng, 0., .15, 0.)) for step in steps],
                    30, 39)
    tracker = Tracker()
    answers = list(follow(tracker, steps))
    assert len(answers[39]) == 0  # it was lost, not coasted
    assert {number for tracks in answers for number in tracks.track_id} == {1}
    assert len(answers[40]) == 1


def test_object_that_stayed_away_too_long_gets_a_new_id():
    config = TrackerConfig(max_lost=1.)
    steps = without(one_car(60, (0., 0.)), 20, 20 + 15)
    ids = [set(tracks.track_id) for tracks in follow(Tracker(config), steps)]
    assert ids[19] == {1}
    assert ids[40] == {2}


@pytest.mark.parametrize(('shift', 'number'), [(1.5, 1), (5., 2)])
def test_lost_track_is_found_again_near_its_prediction_only(shift, number):
    steps = one_car(40, (0., 0.))
    away = [with_boxes(step, replace(step.boxes, center=step.boxes.center + [0, shift, 0]))
            for step in steps[30:]]
    *_, last = follow(Tracker(), without(steps, 10, 29)[:30] + away)
    assert last.track_id.tolist() == [number]


def test_vague_track_yields_to_a_sharp_one():
    """At equal Mahalanobis distance the likelihoods differ by the determinants."""
    config, [step] = TrackerConfig(), one_car(1)
    tracks = born(step.boxes.select([0, 0]), 1, config)
    noise = position_noise(step.boxes, config)[0]
    tracks.covariance[1] *= 20
    joint = tracks.covariance[:, :2, :2] + noise
    tracks.mean[:, 0] += np.sqrt(joint[:, 0, 0])
    sharp, vague = pair_gains(tracks, step.boxes, config)[:, 0]
    determinant = np.linalg.det(joint)
    assert sharp - vague == pytest.approx(np.log(determinant[1] / determinant[0]))
    assert vague > 0


@pytest.mark.parametrize(('share', 'number'), [(.9, 1), (1.1, 2)])
def test_gate_lies_where_the_share_of_true_pairs_says(share, number):
    """A gate of 0.99 ends at a Mahalanobis distance of sqrt(-2 ln 0.01) = 3.03."""
    config = TrackerConfig(gate=.99, clutter=1e-9)
    tracker, steps = Tracker(config), one_car(4, (0., 0.))
    *_, last = follow(tracker, steps)
    spread = last.covariance[0, 0, 0] + .04 + config.position_floor**2
    box = steps[-1].boxes
    shifted = replace(box, center=last.center + [share * np.sqrt(-2 * np.log(.01) * spread), 0, 0])
    tracker.update(shifted, np.eye(4), steps[-1].stamp)
    assert tracker.assignment.tolist() == [number]


def test_false_alarms_die_unconfirmed():
    """Alarms at random places, three each scan, beside one real car."""
    rng = np.random.default_rng(1)
    steps = [with_boxes(step, spoiled(step.truth, rng, drop=0., alarms=3.))
             for step in one_car(100)]
    tracker, sure, kept = Tracker(), set(), 0
    for tracks in follow(tracker, steps):
        sure |= set(tracks.track_id[tracker.confirmed])
        kept = max(kept, len(tracks))
    assert len(sure) == 1
    assert kept < 15


def test_clutter_of_low_score_is_never_confirmed():
    steps = [with_boxes(step, replace(step.boxes, score=np.full(1, .15))) for step in one_car(50)]
    tracker = Tracker()
    for tracks in follow(tracker, steps):
        assert len(tracks) == 1
        assert not tracker.confirmed.any()


def test_weak_detection_keeps_a_track_but_a_strong_one_goes_first():
    """Two boxes compete for a track; the weaker is nearer."""
    steps = one_car(10, (0., 0.))
    box = steps[-1].boxes
    pair = Boxes3D(center=box.center + [[0, .1, 0], [0, -.5, 0]], size=np.tile(box.size, (2, 1)),
                   yaw=np.tile(box.yaw, 2), label=[CAR, CAR], score=[.2, .9],
                   covariance=np.tile(box.covariance, (2, 1, 1)), frame_id='lidar')
    both = Tracker()
    list(follow(both, steps[:-1]))
    both.update(pair, np.eye(4), steps[-1].stamp)
    assert both.assignment.tolist() == [2, 1]
    alone = Tracker()
    list(follow(alone, steps[:-1]))
    alone.update(pair.select(slice(0, 1)), np.eye(4), steps[-1].stamp)
    assert alone.assignment.tolist() == [1]


@pytest.mark.parametrize('odometry', [(True, True, True), (True, False, True)])
def test_ids_are_never_given_out_twice(odometry):
    """Neither over resets with time beginning anew nor when the odometry comes or goes."""
    tracker, used = Tracker(), set()
    for seed, there in enumerate(odometry):
        run = set()
        for tracks in follow(tracker, town(seed, count=20), there):
            run |= set(tracks.track_id) | set(tracker.assignment)
        assert run
        assert not run & used
        used |= run
        tracker.reset()
    assert used == set(range(1, len(used) + 1))


def test_tracks_begin_anew_when_odometry_comes_or_goes():
    steps, tracker, ids = one_car(30), Tracker(), []
    for number, step in enumerate(steps):
        pose = None if 10 <= number < 20 else step.pose
        ids.append(tracker.update(step.boxes, pose, step.stamp).track_id.tolist())
    assert ids == [[1]] * 10 + [[2]] * 10 + [[3]] * 10


def test_tracks_begin_anew_in_another_frame_without_odometry():
    steps, tracker, ids = one_car(20), Tracker(), []
    for number, step in enumerate(steps):
        boxes = replace(step.boxes, frame_id='front' if number < 10 else 'rear')
        ids.append(tracker.update(boxes, None, step.stamp).track_id.tolist())
    assert ids == [[1]] * 10 + [[2]] * 10


def test_static_world_stands_still_for_a_turning_sensor():
    """With odometry, velocity is over ground and in sensor axes."""
    poses = [planar_pose(.5 * step, 0, .1 * step) for step in range(40)]
    velocity = np.array([[0., 0.], [3., -2.]])
    steps = drive(np.array([[5., 8.], [12., 12.]]), velocity, np.array([CAR, CAR]), 40, poses)
    *_, last = follow(Tracker(), steps)
    np.testing.assert_allclose(last.velocity, velocity @ poses[-1][:2, :2], atol=.15)
    np.testing.assert_allclose(last.center, steps[-1].truth.center, atol=.1)
