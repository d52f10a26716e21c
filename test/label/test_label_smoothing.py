"""What smoothing leaves of a track, and that it prefers no direction."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.class_map import CLASS_NAMES
from eq_eval.datasets.scan import LabeledScan
from eq_eval.labelling.propose import ProposalOptions
from eq_eval.labelling.propose import propose
from eq_eval.labelling.smoothing import smooth
from eq_eval.labelling.smoothing import Smoothing
from eq_eval.rotation import yaw_pose

STILL, PERIOD = np.eye(4), 100_000_000


def car(place: int, x: float, yaw: float = 0., **columns) -> Boxes3D:
    values = {'size': [[4., 2., 1.5]], 'score': [.8], 'track_id': [7]} | columns
    return Boxes3D(center=[[x, 5., 0.]], yaw=[yaw], label=values.pop('label', [0]),
                   stamp=place * PERIOD, **values)


def drive(yaws: list[float], speed: float = 1.) -> tuple[list[Boxes3D], list[np.ndarray]]:
    """A car seen from a sensor that moves sideways, so that the poses are known."""
    poses = []
    for place in range(len(yaws)):
        pose = np.eye(4)
        pose[1, 3] = .1 * place
        poses.append(pose)
    return [car(place, speed * place, yaw).transformed(np.linalg.inv(poses[place]))
            for place, yaw in enumerate(yaws)], poses


def test_headings_of_a_moving_car_point_where_it_goes():
    frames, poses = drive([np.pi, np.pi, .1, np.pi, -.1, np.pi])
    for boxes in smooth(frames, poses, Smoothing()):
        assert np.cos(boxes.yaw[0]) > .9
    backwards, poses = drive([np.pi, np.pi, .1, np.pi, -.1, np.pi], speed=-1.)
    for boxes in smooth(backwards, poses, Smoothing()):
        assert np.cos(boxes.yaw[0]) < -.9


def test_headings_of_a_parked_car_follow_the_majority_and_its_confidence():
    frames, poses = drive([0., np.pi, .1, 0., np.pi], speed=0.)
    assert all(np.cos(boxes.yaw[0]) > .9 for boxes in smooth(frames, poses, Smoothing()))
    unsure = [car(place, 0., yaw, heading_confidence=[sure]) for place, (yaw, sure) in enumerate(
        [(0., .1), (0., .1), (0., .1), (np.pi, .9)])]
    assert all(np.cos(boxes.yaw[0]) < -.9 for boxes in smooth(unsure, [STILL] * 4, Smoothing()))


def test_without_odometry_motion_says_nothing_of_a_heading():
    # A sensor that overtakes a car sees it go backwards.
    frames = [car(place, -2. * place) for place in range(5)]
    assert all(boxes.yaw[0] == 0 for boxes in smooth(frames, [STILL] * 5, Smoothing()))


def test_sizes_become_the_median_and_boxes_stay_on_the_ground():
    frames = [car(place, place, size=[[4. + place, 2., 1. + place]]) for place in range(3)]
    for place, boxes in enumerate(smooth(frames, [STILL] * 3, Smoothing())):
        assert boxes.size.tolist() == [[5., 2., 2.]]
        bottom = frames[place].center[0, 2] - frames[place].size[0, 2] / 2
        assert boxes.center[0, 2] - 1. == pytest.approx(bottom)
    loose = smooth(frames, [STILL] * 3, Smoothing(same_size=False))
    assert [boxes.size[0, 0] for boxes in loose] == [4., 5., 6.]


def test_short_gaps_are_filled_in_the_world_and_long_ones_not():
    frames, poses = drive([0.] * 8)
    for place in (1, 2, 4, 5, 6):
        frames[place] = Boxes3D.empty(stamp=place * PERIOD)
    answer = smooth(frames, poses, Smoothing(min_scans=1))
    assert [len(boxes) for boxes in answer] == [1, 1, 1, 1, 0, 0, 0, 1]
    for place in (1, 2):
        assert answer[place].transformed(poses[place]).center[0] == pytest.approx([place, 5., 0.])
        assert answer[place].score[0] < answer[0].score[0]
    assert [len(boxes) for boxes in smooth(frames, poses, Smoothing(1, 0))] == [
        len(boxes) for boxes in frames]


def test_short_tracks_go_unless_the_recording_is_as_short():
    frames = [car(0, 0.), car(1, 0.), *(Boxes3D.empty(stamp=place * PERIOD) for place in (2, 3))]
    assert not any(map(len, smooth(frames, [STILL] * 4, Smoothing())))
    assert all(map(len, smooth(frames[:2], [STILL] * 2, Smoothing())))


def test_the_label_with_most_scores_is_that_of_the_track():
    frames = [car(0, 0., label=[1], score=[.9]), car(1, 0.), car(2, 0.)]
    assert [boxes.label[0] for boxes in smooth(frames, [STILL] * 3, Smoothing())] == [0, 0, 0]


@pytest.mark.parametrize('degrees', [90., 37.])
def test_turned_tracks_give_turned_answers(degrees):
    turn = yaw_pose(degrees)
    random = np.random.default_rng(0)
    frames, poses = drive(list(random.choice([0., np.pi], 9) + random.normal(0, .2, 9)))
    frames[4] = Boxes3D.empty(stamp=4 * PERIOD)
    answer = smooth(frames, poses, Smoothing())
    aside = smooth([boxes.transformed(turn) for boxes in frames],
                   [pose @ np.linalg.inv(turn) for pose in poses], Smoothing())
    for boxes, other in zip(answer, aside, strict=True):
        np.testing.assert_allclose(other.center, boxes.transformed(turn).center, atol=1e-9)
        np.testing.assert_allclose(np.cos(other.yaw - boxes.yaw - np.deg2rad(degrees)), 1.)


def test_odometry_tells_parked_cars_apart():
    # The sensor moves by one gap between the cars from scan to scan: it sees the same each time.
    class Row:
        class_names = CLASS_NAMES

        def detect(self, points: Points, *past: Points, poses=None) -> Boxes3D:
            places = np.arange(-4, 5) * 6.
            return Boxes3D(center=np.stack([places, places * 0 + 5, places * 0], 1),
                           size=np.tile([4., 2., 1.5], (9, 1)), yaw=np.zeros(9),
                           label=np.zeros(9), score=np.full(9, .8))

    scans = []
    for place in range(5):
        pose = np.eye(4)
        pose[0, 3] = 6. * place
        scans.append(LabeledScan(Points.from_xyz(np.zeros((0, 3)), None, 'lidar', place * PERIOD),
                                 pose))
    answer = propose(Row(), scans)
    where: dict[int, set[float]] = {}
    for scan, boxes in zip(scans, answer, strict=True):
        for track, center in zip(boxes.track_id, boxes.transformed(scan.pose).center, strict=True):
            where.setdefault(int(track), set()).add(round(float(center[0]), 6))
    assert len(where) > 6 and all(len(places) == 1 for places in where.values())


def test_bad_options_are_named():
    with pytest.raises(ConfigError, match='min_scans.*-1'):
        Smoothing(min_scans=-1)
    with pytest.raises(ConfigError, match='lorry'):
        ProposalOptions(classes=('car', 'lorry'))

    class Other:
        class_names = ('tree',)

    with pytest.raises(ConfigError, match='tree'):
        propose(Other(), [])
