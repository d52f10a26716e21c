"""Ours beside AB3DMOT, a published tracker, on the same detections."""

from __future__ import annotations

from ab3dmot import Ab3dMotTracker
from clear_mot import judge
import numpy as np
import pytest
from tracking_scenes import drive
from tracking_scenes import ego_poses
from tracking_scenes import spoiled
from tracking_scenes import Step
from tracking_scenes import with_boxes

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.simulation import simulate_sequence
from eq_perception.tracking.tracker import Tracker

RANGE = 35.  # [m]


def simulated(world: str, seed: int, count: int = 25) -> tuple[list[Step], list[Boxes3D]]:
    """Visible objects of a simulated world as truth, and the others, to be ignored."""
    steps, hidden = [], []
    rng = np.random.default_rng(seed)
    for scan in simulate_sequence(world, 'vlp32c', seed, count, 'train', columns=256):
        boxes = scan.boxes
        visible = (scan.num_points > 1) & (np.linalg.norm(boxes.center[:, :2], axis=1) < RANGE)
        truth = boxes.select(visible)
        hidden.append(boxes.select(~visible))
        steps.append(Step(scan.pose, scan.points.stamp, truth, spoiled(truth, rng, alarms=3.)))
    return steps, hidden


@pytest.mark.parametrize(('world', 'seed'), [('street', 1), ('square', 2), ('hall', 3)])
def test_ids_switch_no_more_often_than_those_of_ab3dmot(world, seed):
    """With missed, jittered, flipped and confused detections and false alarms."""
    steps, hidden = simulated(world, seed)
    ours, oracle = Tracker(), Ab3dMotTracker()
    answers: tuple[list[Boxes3D], list[Boxes3D]] = [], []
    for step in steps:
        tracks = ours.update(step.boxes, step.pose, step.stamp)
        answers[0].append(tracks.select(ours.confirmed))
        answers[1].append(oracle.update(step.boxes, step.pose))
    mine, theirs = (judge([step.truth for step in steps], hidden, answer) for answer in answers)
    assert mine.num_objects > 100
    assert mine.num_switches <= theirs.num_switches
    assert mine.mota >= theirs.mota
    assert mine.idf1 >= theirs.idf1


def test_clean_separate_tracks_are_parted_as_ab3dmot_parts_them():
    """Also one that comes late and one that leaves early."""
    count = 30
    poses = ego_poses(count)
    start = poses[0][:2, 3] + np.array([[10., 12.], [-14., 3.], [18., -15.], [-6., -18.],
                                        [2., 25.], [30., 4.]])
    velocity = np.array([[6., 1.], [0., 0.], [-3., -3.], [1., -.4], [-2., 1.5], [.5, 1.]])
    steps = drive(start, velocity, np.array([0, 1, 0, 2, 3, 2]), count, poses)
    steps = [with_boxes(step, step.boxes.select(
        (step.truth.track_id != 3) | (number < 18)).select(slice(0, 4 if number < 9 else None)))
        for number, step in enumerate(steps)]
    ours, oracle, pairs = Tracker(), Ab3dMotTracker(), set()
    for step in steps:
        tracks = ours.update(step.boxes, step.pose, step.stamp)
        tracks = tracks.select(ours.confirmed & ~ours.coasted)
        for number, other in zip(tracks.track_id, oracle_ids(tracks, oracle, step)):
            pairs.add((int(number), other))
    pairs = {pair for pair in pairs if pair[1] is not None}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 6


def oracle_ids(tracks: Boxes3D, oracle: Ab3dMotTracker, step: Step) -> list[int | None]:
    """The oracle's id of each of our tracks; None while it does not show one."""
    theirs = oracle.update(step.boxes, step.pose)
    apart = np.linalg.norm(tracks.center[:, None, :2] - theirs.center[:, :2], axis=-1)
    return [int(theirs.track_id[row.argmin()]) if row.min(initial=9.) < 1 else None
            for row in apart]
