"""Labelled scans of simulated sequences."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.simulation.config import SequenceSpec
from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.hall import hall
from eq_eval.simulation.materials import CLASS_NAMES
from eq_eval.simulation.scanner import Scanner
from eq_eval.simulation.square import square
from eq_eval.simulation.street import street
from eq_eval.simulation.world import World

WORLD_BUILDERS: dict[str, Callable[..., World]] = {'street': street, 'square': square,
                                                   'hall': hall}
BOX_RANGE = 75.  # objects are labelled up to here [m]
FRAME = 'lidar'


def build_world(spec: SequenceSpec) -> World:
    """The world of a sequence."""
    turns = (spec.num_scans - 1) * spec.stride + 1
    return WORLD_BUILDERS[spec.world.kind](spec.world, spec.split, spec.rng(0), .1 * turns)


def simulate(spec: SequenceSpec) -> Iterator[LabeledScan]:
    """Yields the scans of a sequence; equal specs give equal bytes.

    Every object within 75 m is labelled, also one that no ray hit; `num_points` tells.
    `semantic` holds SemanticKITTI raw ids and `instance` the track id of the object.
    """
    scanner = Scanner(build_world(spec), spec)
    for index in range(spec.num_scans):
        yield labelled(scanner, spec, index)


def labelled(scanner: Scanner, spec: SequenceSpec, index: int) -> LabeledScan:
    """Scan `index` of a sequence, with all its labels."""
    frame = index * spec.stride
    cloud = scanner.scan(frame)
    stamp = round(frame * scanner.sensor.period * 1e9)
    boxes = _boxes(scanner, frame, stamp)
    counts = np.bincount(cloud.instance, minlength=len(scanner.world.actors) + 1)
    return LabeledScan(
        points=Points(cloud.xyz, cloud.intensity, cloud.time_offset, FRAME, stamp),
        pose=scanner.pose(frame * scanner.sensor.period), boxes=boxes, semantic=cloud.semantic,
        instance=cloud.instance, sequence=spec.name, index=index, class_names=CLASS_NAMES,
        num_points=counts[boxes.track_id].astype(np.int64))


def _boxes(scanner: Scanner, frame: int, stamp: int) -> Boxes3D:
    """Boxes in the sensor's frame at the start of a turn."""
    time = frame * scanner.sensor.period
    actors, poses = scanner.objects(time, BOX_RANGE)
    if not actors:
        return Boxes3D.empty(FRAME, stamp)
    size = np.stack([a.size for a in actors])
    speed = np.array([a.speed for a in actors])
    bottom = scanner.world.ground.height(poses[:, 0], poses[:, 1])
    center = np.column_stack([poses[:, :2], bottom + size[:, 2] / 2])
    velocity = speed[:, None] * np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], -1)
    world = Boxes3D(center, size, poses[:, 2], np.array([a.label for a in actors]),
                    velocity=velocity, track_id=np.array([a.track_id for a in actors]),
                    frame_id='odom', stamp=stamp)
    return world.transformed(np.linalg.inv(scanner.pose(time)), FRAME)


def simulate_sequence(world: str | WorldConfig, sensor: str, seed: int, num_scans: int,
                      split: str = 'train', stride: int = 1, columns: int | None = None,
                      motion_distortion: bool = False) -> Iterator[LabeledScan]:
    """Yields the scans of one sequence.

    Args:
        world: A world, or its kind: 'street', 'square', 'hall'.
        sensor: Name in `sensors.SENSORS`, such as 'hdl64e'.
        seed: Number within the split.
        num_scans: Number of scans.
        split: 'train', 'validation' or 'test'.
        stride: Sensor turns from one scan to the next.
        columns: Firings per turn; None for the sensor's own.
        motion_distortion: See `SequenceSpec`.

    Raises:
        ConfigError: A value is unknown or out of range.
    """
    config = WorldConfig(kind=world) if isinstance(world, str) else world
    spec = SequenceSpec(config, sensor, seed, split, num_scans, stride, columns, motion_distortion)
    return simulate(spec)
