"""Streaming evaluation: schedules worked out by hand, a slow twin, and moving toy worlds."""

from collections import deque
import dataclasses
from functools import partial

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.lstq import SegmentationTrackingQuality
from eq_eval.metrics.streaming import LabelCarrier
from eq_eval.metrics.streaming import regular_stamps
from eq_eval.metrics.streaming import schedule
from eq_eval.metrics.streaming import streamed

PERIOD = .1
MS = 1_000_000
CAR, ROAD, PARKING, POLE = 1, 9, 10, 18


def yaw_pose(angle: float, x: float = 0., y: float = 0., z: float = 0.) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = x, y, z
    return pose


def seen_from(pose: np.ndarray, world: np.ndarray, semantic, instance, index: int) -> LabeledScan:
    """World points as a sensor at `pose` sees them."""
    inverse = np.linalg.inv(pose)
    xyz = world @ inverse[:3, :3].T + inverse[:3, 3]
    return LabeledScan(Points.from_xyz(xyz), pose, semantic=np.asarray(semantic),
                       instance=np.asarray(instance), sequence='toy', index=index)


def drive(num_scans: int, car_speed: float = 0.) -> list[LabeledScan]:
    """A sensor on a bend, 10 m/s; a car of 8 points, 2 m beside ground of points every 0.5 m."""
    scans = []
    for index in range(num_scans):
        time = index * PERIOD
        pose = yaw_pose(.3 * time, 10 * time, time ** 2, 1.7)
        road = np.arange(0, 60, .5)
        car = road[20:28] + car_speed * time
        world = np.concatenate([np.stack([road, 0 * road, 0 * road], 1),
                                np.stack([car, 0 * car + 2, 0 * car + .4], 1)])
        ground = np.where(np.arange(len(road)) % 6 < 3, ROAD, PARKING)
        labels = np.concatenate([ground, np.full(len(car), CAR)])
        scans.append(seen_from(pose, world, labels, np.where(labels == CAR, 7, 0), index))
    return scans


def truth_as_answers(scans: list[LabeledScan]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    return {scan.index: (scan.semantic, scan.instance) for scan in scans}


def lstq(scans: list[LabeledScan], labels) -> float:
    quality = SegmentationTrackingQuality(min_points=1)
    for scan, (semantic, instance) in zip(scans, labels, strict=True):
        quality.add(scan.sequence, semantic, instance, scan.semantic, scan.instance)
    return quality.result().LSTQ


def test_without_latency_every_scan_has_its_own_answer() -> None:
    plan = schedule(regular_stamps(50), 0.)
    assert plan.current.tolist() == plan.processed.tolist() == list(range(50))


def test_less_than_a_period_late_is_one_scan_late() -> None:
    plan = schedule(regular_stamps(5), .07)
    assert plan.current.tolist() == [-1, 0, 1, 2, 3]
    assert plan.processed.tolist() == [0, 1, 2, 3, 4]


def test_exactly_a_period_late_is_one_scan_late_too() -> None:
    assert schedule(regular_stamps(5), .1).current.tolist() == [-1, 0, 1, 2, 3]


def test_one_and_a_half_periods_by_hand() -> None:
    """Work begins at 0, 150, 300, 450, 600, ... ms with the newest scan each time."""
    plan = schedule(regular_stamps(10), .15)
    assert plan.processed.tolist() == [0, 1, 3, 4, 6, 7, 9]
    assert plan.ready.tolist() == [time * MS if time > 0 else -1 for time in (
        150, 300, -1, 450, 600, -1, 750, 900, -1, 1050)]
    #                              at 0   100 200 300 400 500 600 700 800 900 ms
    assert plan.current.tolist() == [-1, -1, 0, 1, 1, 3, 4, 4, 6, 7]


def test_far_too_slow() -> None:
    """Of the scans that come during work the last one waits."""
    plan = schedule(regular_stamps(10), .42)
    assert plan.processed.tolist() == [0, 4, 8, 9]
    assert plan.current.tolist() == [-1] * 5 + [0] * 4 + [4]


def test_latencies_that_differ_and_a_gap_in_the_recording() -> None:
    stamps = np.array([0, 100, 200, 300, 1000, 1100]) * MS
    plan = schedule(stamps, np.array([.25, 9., .2, .05, .15, .01]))
    # 0: 0-250, then scan 2 (which replaced 1): 250-450, 3: 450-500, 4: 1000-1150, 5: 1150-1160.
    assert plan.ready.tolist() == [250 * MS, -1, 450 * MS, 500 * MS, 1150 * MS, 1160 * MS]
    assert plan.current.tolist() == [-1, -1, -1, 0, 3, 3]


def test_an_allowance_of_a_period_forgives_what_is_ready_before_the_next_scan() -> None:
    stamps = regular_stamps(6)
    assert schedule(stamps, .09, PERIOD).current.tolist() == [0, 1, 2, 3, 4, 5]
    # 150, 300, 450, 600, 750 ms: asked at 100, 200, 300, 400, 500, 600.
    assert schedule(stamps, .15, PERIOD).current.tolist() == [-1, 0, 1, 1, 3, 4]
    # Also with a large allowance no scan gets the answer to a later one.
    assert schedule(stamps, 0., 9.).current.tolist() == [0, 1, 2, 3, 4, 5]


def twin(stamps: np.ndarray, latency: np.ndarray) -> list[int]:
    """Millisecond by millisecond: a worker, a slot, and what was finished last."""
    arrivals = deque(enumerate((stamps // MS).tolist()))
    slot = working = done = None
    current = []
    for now in range(int(stamps[-1] // MS) + 1):
        if working is not None and working[1] == now:
            done, working = working[0], None
        if arrivals and arrivals[0][1] == now:
            slot, _ = arrivals.popleft()
            current.append(-1 if done is None else done)
        if working is None and slot is not None:
            working, slot = (slot, now + round(latency[slot] * 1000)), None
    return current


@pytest.mark.parametrize('seed', range(20))
def test_equals_a_clock_that_ticks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.integers(60, 140, 40)) * MS
    latency = rng.integers(1, rng.choice([90, 200, 600]), 40) / 1000
    assert schedule(stamps, latency).current.tolist() == twin(stamps, latency)


def test_zero_latency_equals_offline() -> None:
    rng = np.random.default_rng(1)
    scans = drive(8, car_speed=5.)
    answers = {scan.index: (rng.choice([CAR, ROAD], len(scan.points)),
                            rng.integers(0, 3, len(scan.points))) for scan in scans}
    labels = list(streamed(scans, answers, schedule(regular_stamps(8), 0.)))
    for index, (semantic, instance) in enumerate(labels):
        assert (semantic == answers[index][0]).all() and (instance == answers[index][1]).all()
    assert lstq(scans, labels) == lstq(scans, answers.values()) < 1


@pytest.mark.parametrize('latency', [.07, .15, .42])
def test_a_still_world_is_carried_along_without_loss(latency: float) -> None:
    """The sensor moves on a bend; without its pose the labels would slide over the points."""
    scans = drive(12)
    plan = schedule(regular_stamps(12), latency)
    labels = list(streamed(scans, truth_as_answers(scans), plan))
    started = plan.current >= 0
    for scan, (semantic, instance), has_answer in zip(scans, labels, started, strict=True):
        expected = (scan.semantic, scan.instance) if has_answer else (0, 0)
        assert (semantic == expected[0]).all() and (instance == expected[1]).all()
    unplaced = [dataclasses.replace(scan, pose=np.eye(4)) for scan in scans]
    lost = list(streamed(unplaced, truth_as_answers(scans), plan))
    assert lstq(scans, lost) < lstq(scans, labels) < 1


@pytest.mark.parametrize(('latency', 'scans_behind'), [(.07, 1), (.15, 3)])
def test_a_moving_car_leaves_its_label_behind(latency: float, scans_behind: int) -> None:
    """10 m/s are two points a scan. Two points ahead of the old car are within the limit."""
    scans = drive(6, car_speed=10.)
    plan = schedule(regular_stamps(6), latency)
    labels = list(streamed(scans, truth_as_answers(scans), plan,
                           partial(LabelCarrier, limit=1.01)))
    assert plan.current[4] == 4 - scans_behind
    semantic, instance = labels[4]
    car = scans[4].semantic == CAR
    beyond = 2 * scans_behind - 2
    assert (semantic[car] == 0).sum() == beyond
    assert (instance[car] == 7).sum() == 8 - beyond
    assert (semantic[~car] == scans[4].semantic[~car]).all()


def test_points_without_a_neighbour_stay_unlabelled() -> None:
    old = seen_from(np.eye(4), np.array([[0., 0, 0], [5, 0, 0]]), [CAR, POLE], [3, 0], 0)
    new = seen_from(np.eye(4), np.array([[.4, 0, 0], [.6, 0, 0], [5, .2, 0]]), [0] * 3, [0] * 3, 1)
    semantic, instance = LabelCarrier(old, (old.semantic, old.instance), limit=.5)(new)
    assert (semantic.tolist(), instance.tolist()) == ([CAR, 0, POLE], [3, 0, 0])


@pytest.mark.parametrize('angle', [np.pi / 2, np.pi, 2.1])
def test_turned_world_and_turned_sensor_score_the_same(angle: float) -> None:
    rng = np.random.default_rng(2)
    scans = drive(8, car_speed=7.)
    noise = rng.normal(0, .03, (8, len(scans[0].points), 3))
    turn = yaw_pose(angle)

    def moved(mount: np.ndarray, ground: np.ndarray) -> list[LabeledScan]:
        """The same drive with a turned sensor, and in a turned world."""
        return [dataclasses.replace(
            scan, pose=ground @ scan.pose @ mount.T,
            points=Points.from_xyz((scan.points.xyz + jitter) @ mount[:3, :3].T))
            for scan, jitter in zip(scans, noise, strict=True)]

    plan = schedule(regular_stamps(8), .15)
    plain, *turned = ([np.stack(labels) for labels in
                       streamed(moved(*case), truth_as_answers(scans), plan)]
                      for case in ((np.eye(4), np.eye(4)), (turn, np.eye(4)), (np.eye(4), turn)))
    for other in turned:
        assert all((a == b).all() for a, b in zip(plain, other, strict=True))


def test_refusals() -> None:
    scans = drive(3)
    plan = schedule(regular_stamps(3), .05)
    with pytest.raises(InputError, match='no answer to scan 1'):
        list(streamed(scans, {0: truth_as_answers(scans)[0]}, plan))
    with pytest.raises(InputError, match=r'labels of shape \(2,\)'):
        list(streamed(scans, {0: (np.zeros(2, int), np.zeros(2, int))}, plan))
    with pytest.raises(InputError, match='ascend'):
        schedule(np.array([1, 1]), .1)
    with pytest.raises(InputError, match='latency'):
        schedule(regular_stamps(2), np.array([.1, np.nan]))
    with pytest.raises(InputError, match='allowance'):
        schedule(regular_stamps(2), .1, -1.)
