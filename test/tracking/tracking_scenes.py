"""Truth, ego motion and detections with faults, from seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.tracker import Tracker

PERIOD = 100_000_000  # [ns]
SIZES = np.array([[4.4, 1.8, 1.6], [8., 2.5, 3.], [.6, .6, 1.7], [1.8, .6, 1.7]])
CONFUSED = np.array([1, 0, 3, 2])  # label that is taken for another


@dataclass
class Step:
    """One scan: truth and detections in the sensor's frame."""

    pose: np.ndarray
    stamp: int
    truth: Boxes3D
    boxes: Boxes3D


def planar_pose(x: float, y: float, angle: float) -> np.ndarray:
    pose = np.eye(4)
    cos, sin = np.cos(angle), np.sin(angle)
    pose[:2, :2], pose[:2, 3] = [[cos, -sin], [sin, cos]], [x, y]
    return pose


def ego_poses(count: int) -> list[np.ndarray]:
    """A drive at 8 m/s through a bend, from somewhere far from the origin of the odometry."""
    poses = [planar_pose(120., -40., .4)]
    for step in range(1, count):
        poses.append(poses[-1] @ planar_pose(.8, 0., .03 * np.sin(step / 15)))
    return poses


def drive(start: np.ndarray, velocity: np.ndarray, label: np.ndarray, count: int,
          poses: list[np.ndarray] | None = None) -> list[Step]:
    """Objects that go straight on; detections are the truth. Starts and velocities in odom."""
    poses = poses or [np.eye(4)] * count
    steps = []
    for number in range(count):
        stamp = number * PERIOD
        world = Boxes3D(
            center=np.column_stack([start + velocity * stamp * 1e-9, np.full(len(start), .8)]),
            size=SIZES[label], yaw=np.arctan2(velocity[:, 1], velocity[:, 0]), label=label,
            score=np.full(len(start), .8), velocity=velocity,
            track_id=np.arange(1, len(start) + 1), frame_id='odom', stamp=stamp)
        truth = world.transformed(np.linalg.inv(poses[number]), 'lidar')
        blind = replace(truth, track_id=None, velocity=None,
                        covariance=np.tile(.04 * np.eye(2), (len(start), 1, 1)))
        steps.append(Step(poses[number], stamp, truth, blind))
    return steps


def spoiled(truth: Boxes3D, rng: np.random.Generator, drop: float = .15, jitter: float = .2,
            alarms: float = 4.) -> Boxes3D:
    """Detections that miss, jitter, flip, mistake classes, and see what is not there."""
    seen = truth.select(rng.random(len(truth)) >= drop)
    count = len(seen)
    label = np.where(rng.random(count) < .03, CONFUSED[seen.label], seen.label)
    copies = replace(
        seen, center=seen.center + rng.normal(0, 1, (count, 3)) * [jitter, jitter, .1],
        size=seen.size * np.exp(rng.normal(0, .06, (count, 3))), label=label,
        yaw=seen.yaw + rng.normal(0, .08, count) + np.pi * (rng.random(count) < .1),
        score=rng.beta(5, 2.5, count), heading_confidence=rng.uniform(.3, 1, count))
    number = rng.poisson(alarms)
    distance, azimuth = 50 * np.sqrt(rng.random(number)), rng.uniform(-np.pi, np.pi, number)
    wrong = rng.integers(0, 4, number)
    ghosts = Boxes3D(
        center=np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth),
                                np.zeros(number)]),
        size=SIZES[wrong], yaw=rng.uniform(-np.pi, np.pi, number), label=wrong,
        score=rng.beta(2, 4, number))
    columns = {name: np.concatenate([getattr(copies, name), getattr(ghosts, name)])
               for name in ('center', 'size', 'yaw', 'label', 'score', 'heading_confidence')}
    covariance = np.tile(jitter**2 * np.eye(2), (count + number, 1, 1))
    return Boxes3D(**columns, covariance=covariance, frame_id=truth.frame_id, stamp=truth.stamp)


def town(seed: int, count: int = 60, objects: int = 25, **faults: float) -> list[Step]:
    """A random scene with ego motion and spoiled detections."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, objects)
    speed = np.array([6., 5., 1.3, 3.])[label] * rng.uniform(.2, 1.5, objects)
    course = rng.uniform(-np.pi, np.pi, objects)
    velocity = speed[:, None] * np.stack([np.cos(course), np.sin(course)], -1)
    poses = ego_poses(count)
    start = poses[count // 2][:2, 3] + rng.uniform(-45, 45, (objects, 2))
    return [with_boxes(step, spoiled(step.truth, rng, **faults))
            for step in drive(start, velocity, label, count, poses)]


def with_boxes(step: Step, boxes: Boxes3D) -> Step:
    return Step(step.pose, step.stamp, step.truth, boxes)


def follow(tracker: Tracker, steps: list[Step], odometry: bool = True,
           measured_velocity: bool = False) -> Iterator[Boxes3D]:
    """Feeds a sequence to a tracker."""
    for step in steps:
        yield tracker.update(step.boxes, step.pose if odometry else None, step.stamp,
                             measured_velocity)


def nearest(boxes: Boxes3D, step: Step, track: int) -> int:
    """Row in `boxes` that lies nearest to the truth of an id."""
    [center] = step.truth.center[step.truth.track_id == track]
    return int(np.linalg.norm(boxes.center[:, :2] - center[:2], axis=1).argmin())
