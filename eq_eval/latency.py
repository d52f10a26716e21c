"""Latency of a node's work, from message to message, in one process.

What the node adds to it, DDS and the hand-over between threads, is measured by `eq replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import itertools
import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.simulation.config import WORLDS
from eq_perception.detection.detector import Detector
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.segmenter import Segmenter
from eq_ros import pointcloud2
from eq_ros.box_checks import check_boxes
from eq_ros.panoptic import encode_panoptic

DETECTOR_STAGES = ('decode', 'preprocess', 'inference', 'postprocess', 'encode')
SEGMENTER_STAGES = ('decode', 'preprocess', 'inference', 'postprocess', 'tracking', 'encode')
SCAN_PERIOD = 100_000_000   # [ns]
SENSOR = 'hdl64e'
WARM_UP = 5          # runs that are not counted
REFERENCE_EVERY = 5  # runs between two measurements of the reference
_FILL_NOISE = 0.02   # [m], range noise of the points that fill a scan up
_LARGEST = 50.       # as the node's default: longest side of a box [m]
_MOST = 500          # as the node's default: most boxes of one answer

Encode = Callable[[Boxes3D], Any]
Run = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class Cloud:
    """One message to run.

    Attributes:
        message: A ``sensor_msgs/PointCloud2``, or an object like it where there is no ROS.
        origin: Where its points come from.
    """

    message: Any
    origin: str


@dataclass(frozen=True)
class Ros:
    """What the machine has for the two ends of the path.

    Attributes:
        make_message: Makes the input message of what `pointcloud2.encode` returns.
        encode: Makes the output message; None where the machine cannot.
        notes: What is missing and what was done instead.
    """

    make_message: Callable[[Any], Any]
    encode: Encode | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What a node does for one message.

    Attributes:
        stages: Its parts in order.
        run: From a message to the duration of each stage and of the whole, ``'total'`` [ms].
    """

    stages: tuple[str, ...]
    run: Run


def find_ros(class_names: Sequence[str]) -> Ros:
    """Uses real messages where they can be imported and says where not."""
    try:
        from eq_ros import messages
    except ImportError as error:
        return Ros(lambda cloud: cloud, None, (
            f'no ROS 2 here ({error}): the input is a plain object, encode is not measured',))
    from eq_ros.detections import detection3d_array
    from eq_ros.markers import marker_array
    make = marker_array if messages.vision_msgs is None else detection3d_array
    notes = () if messages.vision_msgs is not None else (
        'vision_msgs is not installed: encode makes a MarkerArray',)

    def encode(boxes: Boxes3D) -> Any:
        return make(boxes, class_names, messages.header(boxes.frame_id, boxes.stamp))
    return Ros(messages.pointcloud2, encode, notes)


def make_clouds(count: int, num_points: int, seed: int, ros: Ros) -> Iterator[Cloud]:
    """Yields messages of exactly `num_points` points, from worlds of every kind in turn."""
    for number in range(count):
        points, origin = _scan(WORLDS[number % len(WORLDS)], num_points,
                               seed + number // len(WORLDS))
        points, filled = resize(points, num_points, seed)
        ring = (np.arange(num_points) % 64).astype(np.uint16)
        message = pointcloud2.encode(points, {'ring': ring}, with_time=True)
        yield Cloud(ros.make_message(message), f'{origin}, {filled} of {num_points} filled up')


def resize(points: Points, num_points: int, seed: int) -> tuple[Points, int]:
    """Thins a scan evenly or fills it up with slightly moved copies of its own points.

    Returns:
        A scan of `num_points` points, and how many of them were filled up.
    """
    if len(points) >= num_points:
        return points.select(np.arange(num_points) * len(points) // num_points), 0
    random = np.random.default_rng(seed)
    missing = num_points - len(points)
    index = np.concatenate([np.arange(len(points)), random.integers(len(points), size=missing)])
    noise = np.zeros((num_points, 3), np.float32)
    noise[len(points):] = random.normal(0., _FILL_NOISE, (missing, 3))
    chosen = points.select(index)
    return Points(chosen.xyz + noise, chosen.intensity, chosen.time_offset, chosen.frame_id,
                  chosen.stamp), missing


def ring_cloud(num_points: int, seed: int) -> Points:
    """A level floor and walls seen by 64 beams, for machines without the simulation."""
    random = np.random.default_rng(seed)
    azimuth = np.linspace(-np.pi, np.pi, num_points, endpoint=False)
    elevation = np.radians(np.resize(np.linspace(2., -24.3, 64), num_points))
    walls = 15. + 25. * np.abs(np.sin(3. * azimuth)) + random.normal(0., .02, num_points)
    height = 1.73
    floor = height / np.maximum(-np.sin(elevation), 1e-3)
    reach = np.minimum(floor, walls / np.cos(elevation))
    direction = np.stack([np.cos(elevation) * np.cos(azimuth),
                          np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=1)
    return Points.from_xyz(reach[:, None] * direction, random.uniform(size=num_points), 'lidar')


def detector_work(detector: Detector, ros: Ros) -> Work:
    """The work of `lidar_detector`."""
    def run(message: Any) -> dict[str, float]:
        start = time.perf_counter()
        points = pointcloud2.decode(message).points
        decoded = time.perf_counter()
        boxes = detector.detect(points)
        detected = time.perf_counter()
        boxes = check_boxes(boxes, len(detector.class_names), _MOST, _LARGEST).boxes
        if ros.encode is not None:
            ros.encode(boxes)
        end = time.perf_counter()
        return {**detector.timing, 'decode': 1e3 * (decoded - start),
                'encode': 1e3 * (end - detected), 'total': 1e3 * (end - start)}
    return _without_encode(Work(DETECTOR_STAGES, run), ros)


def segmenter_work(segmenter: Segmenter, ros: Ros) -> Work:
    """The work of `panoptic_segmenter`; each message is taken as the next scan of a drive."""
    stamps = itertools.count(0, SCAN_PERIOD)

    def run(message: Any) -> dict[str, float]:
        start = time.perf_counter()
        points = replace(pointcloud2.decode(message).points, stamp=next(stamps))
        decoded = time.perf_counter()
        answer = segmenter.segment(points, np.eye(4))
        segmented = time.perf_counter()
        ros.make_message(encode_panoptic(points, RAW_OF_TRAIN[answer.semantic], answer.instance,
                                         answer.probability))
        if ros.encode is not None:
            ros.encode(answer.objects)
        end = time.perf_counter()
        return {**segmenter.timing, 'decode': 1e3 * (decoded - start),
                'encode': 1e3 * (end - segmented), 'total': 1e3 * (end - start)}
    return _without_encode(Work(SEGMENTER_STAGES, run), ros)


def _without_encode(work: Work, ros: Ros) -> Work:
    """Leaves out a stage that was not really measured."""
    def run(message: Any) -> dict[str, float]:
        return {stage: duration for stage, duration in work.run(message).items()
                if stage != 'encode'}
    return work if ros.encode is not None else Work(work.stages, run)


def reference_ms() -> float:
    """Time of a fixed piece of work on one thread [ms], to compare machines by.

    A float32 product of two 384 x 384 matrices, summed by NumPy's own loop and not by a BLAS,
    whose threads nobody counts.
    """
    left, right = _reference_operands()
    start = time.perf_counter()
    np.einsum('ij,kj->ik', left, right, optimize=False)
    return 1e3 * (time.perf_counter() - start)


def measure(work: Work, clouds: Sequence[Cloud], runs: int, budget_s: float,
            progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Runs the clouds in turn and takes percentiles.

    Args:
        work: What is done for a message.
        clouds: Messages.
        runs: Runs to count; fewer if `budget_s` is spent before.
        budget_s: Time limit [s].
        progress: Is told the number of runs done.

    Returns:
        ``p50_ms, p99_ms``, ``stages`` (median of each, None if not measured), ``stages_p99``,
        ``network_share``, the part of the measured stages that is inference (median of the runs),
        ``runs``, ``reference_ms`` (median), ``ratio`` of p50 to it, and ``load_average`` of the
        machine, which tells whether it had anything else to do.
    """
    end = time.perf_counter() + budget_s
    rows: list[dict[str, float]] = []
    reference: list[float] = []
    for number in range(-WARM_UP, runs):
        row = work.run(clouds[number % len(clouds)].message)
        if number % REFERENCE_EVERY == 0:
            reference.append(reference_ms())
        if number >= 0:
            rows.append(row)
            progress(len(rows))
        if rows and time.perf_counter() > end:
            break
    total, speed = [row['total'] for row in rows], float(np.median(reference))
    measured = [stage for stage in work.stages if stage in rows[0]]
    return {'p50_ms': float(np.percentile(total, 50)), 'p99_ms': float(np.percentile(total, 99)),
            'stages': dict.fromkeys(work.stages) | _percentiles(rows, measured, 50),
            'stages_p99': dict.fromkeys(work.stages) | _percentiles(rows, measured, 99),
            'network_share': network_share(rows, measured),
            'runs': len(rows), 'reference_ms': speed,
            'ratio': float(np.percentile(total, 50)) / speed,
            'load_average': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None}


def network_share(rows: Sequence[dict[str, float]], stages: Sequence[str]) -> float:
    """Part of the time of the stages that is spent in the network, median of the runs.

    Args:
        rows: Duration of each stage, by run.
        stages: The stages that make up the whole, ``'inference'`` among them.
    """
    return float(np.median([row['inference'] / sum(row[stage] for stage in stages)
                            for row in rows]))


def _percentiles(rows: Sequence[dict[str, float]], stages: Sequence[str],
                 percent: float) -> dict[str, float]:
    return {stage: float(np.percentile([row[stage] for row in rows], percent))
            for stage in stages}


def _reference_operands() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 384, 384)).astype(np.float32)
    return left, right


def _scan(world: str, num_points: int, seed: int) -> tuple[Points, str]:
    try:
        import open3d  # noqa: F401 - the simulation needs it
    except (ImportError, OSError):
        return ring_cloud(num_points, seed), 'floor and walls of 64 beams (open3d is missing)'
    from eq_eval.simulation import simulate_sequence
    scan = next(iter(simulate_sequence(world, SENSOR, seed, 1, 'test')))
    return scan.points, f'simulated {world}, {SENSOR}, seed {seed}'
