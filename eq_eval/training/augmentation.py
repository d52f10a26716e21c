"""Training-time augmentation of a stacked scan and its boxes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points

BEAM_SPACING = .4   # between the beams of a sensor with 64 [deg]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random changes.

    Attributes:
        yaw_degrees: The scene turns by up to this either way.
        flip: Whether the scene may be mirrored.
        scale: Sizes change by up to this fraction.
        height: The sensor is raised or lowered by up to this [m].
        dropout: Up to this fraction of points is lost.
        intensity: Reflectances are scaled by up to this fraction.
        beams: Chance that every other beam is lost, as of a sensor with half as many.
        shift: The sensor is moved by up to this along x and y [m].
    """

    yaw_degrees: float = 45.
    flip: bool = True
    scale: float = .05
    height: float = .3
    dropout: float = .5
    intensity: float = .5
    beams: float = 0.
    shift: float = 0.


@dataclass(frozen=True, eq=False)
class Augmented:
    """A scan and its boxes after a random change.

    Attributes:
        points: Those that were not lost.
        boxes: All boxes.
        kept: (N,) mask of the points that were not lost.
        linear: (2, 2) by which x and y were multiplied: a turn, a mirror and a scale.
        origin: (3,) where that put the sensor [m].
        yaw: By which the scene was turned [rad], after any mirror.
    """

    points: Points
    boxes: Boxes3D
    kept: NDArray[np.bool_]
    linear: NDArray[np.float64]
    origin: NDArray[np.float64]
    yaw: float


def augment(points: Points, boxes: Boxes3D, augmentation: Augmentation,
            rng: np.random.Generator) -> Augmented:
    """Draws one random change and applies it to points and boxes alike.

    From generators in the same state two scans are turned, mirrored, scaled and moved alike.
    """
    angle = np.deg2rad(rng.uniform(-1, 1) * augmentation.yaw_degrees)
    scale = 1 + rng.uniform(-1, 1) * augmentation.scale
    mirror = bool(augmentation.flip and rng.random() < .5)
    linear = _linear(angle, mirror)
    origin = np.array([0, 0, rng.uniform(-1, 1) * augmentation.height])
    if augmentation.shift:
        origin[:2] = rng.uniform(-1, 1, 2) * augmentation.shift
    xyz = (scale * linear @ points.xyz.T.astype(np.float64)).T + origin
    gain = 1 + rng.uniform(-1, 1) * augmentation.intensity
    changed = dataclasses.replace(points, xyz=xyz.astype(np.float32),
                                  intensity=np.minimum(points.intensity * np.float32(gain), 1))
    kept = rng.random(len(points)) >= max(0., rng.uniform(-1, 1)) * augmentation.dropout
    if augmentation.beams and rng.random() < augmentation.beams:
        kept &= _every_other_beam(points, rng)
    return Augmented(changed.select(kept), _turn_boxes(boxes, linear, scale, origin), kept,
                     scale * linear[:2, :2], origin, float(angle))


def _linear(angle: float, mirror: bool) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return turn @ np.diag([1., -1., 1.]) if mirror else turn


def _every_other_beam(points: Points, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Points in every other band of elevation; few recordings tell beams apart."""
    x, y, z = points.xyz.T
    band = np.floor(np.degrees(np.arctan2(z, np.hypot(x, y))) / BEAM_SPACING + rng.random())
    return np.asarray(band % 2 == 0)


def _turn_boxes(boxes: Boxes3D, linear: NDArray[np.float64], scale: float,
                origin: NDArray[np.float64]) -> Boxes3D:
    heading = linear[:2, :2] @ np.stack([np.cos(boxes.yaw), np.sin(boxes.yaw)])
    return dataclasses.replace(
        boxes, center=scale * boxes.center @ linear.T + origin, size=scale * boxes.size,
        yaw=np.arctan2(heading[1], heading[0]),
        velocity=scale * boxes.velocity @ linear[:2, :2].T)
