"""Latency of the detector node's work, from message to message, in one process.

What the node adds to it, DDS and the hand-over between threads, is measured by `eq replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.simulation.config import WORLDS
from eq_perception.detection.detector import Detector
from eq_ros import pointcloud2
from eq_ros.box_checks import check_boxes

STAGES = ('decode', 'preprocess', 'inference', 'postprocess', 'encode')
SENSOR = 'hdl64e'
WARM_UP = 5          # runs that are not counted
REFERENCE_EVERY = 5  # runs between two measurements of the reference
_FILL_NOISE = 0.02   # [m], range noise of the points that fill a scan up
_LARGEST = 50.       # as the node's default: longest side of a box [m]
_MOST = 500          # as the node's default: most boxes of one answer

Encode = Callable[[Boxes3D], Any]


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


def run_once(detector: Detector, message: Any, encode: Encode | None) -> dict[str, float]:
    """Runs the node's work on one message.

    Returns:
        Duration of each stage and of the whole, ``'total'`` [ms].
    """
    start = time.perf_counter()
    points = pointcloud2.decode(message).points
    decoded = time.perf_counter()
    boxes = detector.detect(points)
    detected = time.perf_counter()
    boxes = check_boxes(boxes, len(detector.class_names), _MOST, _LARGEST).boxes
    if encode is not None:
        encode(boxes)
    end = time.perf_counter()
    return {**detector.timing, 'decode': 1e3 * (decoded - start),
            'encode': 1e3 * (end - detected), 'total': 1e3 * (end - start)}


def reference_ms() -> float:
    """Time of a fixed piece of work on one thread [ms], to compare machines by.

    A float32 product of two 384 x 384 matrices, summed by NumPy's own loop and not by a BLAS,
    whose threads nobody counts.
    """
    left, right = _reference_operands()
    start = time.perf_counter()
    np.einsum('ij,kj->ik', left, right, optimize=False)
    return 1e3 * (time.perf_counter() - start)


def measure(detector: Detector, clouds: Sequence[Cloud], ros: Ros, runs: int, budget_s: float,
            progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Runs the clouds in turn and takes percentiles.

    Args:
        detector: The open detector.
        clouds: Messages.
        ros: The two ends of the path.
        runs: Runs to count; fewer if `budget_s` is spent before.
        budget_s: Time limit [s].
        progress: Is told the number of runs done.

    Returns:
        ``p50_ms, p99_ms``, ``stages`` (median of each, None if not measured), ``stages_p99``,
        ``runs``, ``reference_ms`` (median), ``ratio`` of p50 to it, and ``load_average`` of the
        machine, which tells whether it had anything else to do.
    """
    end = time.perf_counter() + budget_s
    rows: list[dict[str, float]] = []
    reference: list[float] = []
    for number in range(-WARM_UP, runs):
        row = run_once(detector, clouds[number % len(clouds)].message, ros.encode)
        if number % REFERENCE_EVERY == 0:
            reference.append(reference_ms())
        if number >= 0:
            rows.append(row)
            progress(len(rows))
        if rows and time.perf_counter() > end:
            break
    total, speed = [row['total'] for row in rows], float(np.median(reference))
    measured = [stage for stage in STAGES if stage != 'encode' or ros.encode is not None]
    return {'p50_ms': float(np.percentile(total, 50)), 'p99_ms': float(np.percentile(total, 99)),
            'stages': dict.fromkeys(STAGES) | _percentiles(rows, measured, 50),
            'stages_p99': dict.fromkeys(STAGES) | _percentiles(rows, measured, 99),
            'runs': len(rows), 'reference_ms': speed,
            'ratio': float(np.percentile(total, 50)) / speed,
            'load_average': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None}


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
