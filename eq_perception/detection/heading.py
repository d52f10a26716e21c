"""Which end of an object is its front: a second look at the points in each box.

The BEV network sees the axis of a car well and its direction badly: that is told by the slope of a
bonnet, which cells of 0.8 m blur. So the points of each box are looked at again, in the frame of
the box. That frame turns with the scene, whatever the angle, and leaves open just one thing, which
of its two directions is the front; the network's answer changes sign when its input takes the
other one. So the direction turns with the scene exactly, by every angle by which the boxes do.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import points_in_boxes
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.manifest import known_settings
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_core.runtime.selection import open_session
from eq_core.runtime.session import Session
from eq_perception.detection.grid import turn
from eq_perception.detection.preprocess import spread_evenly

TASK = 'heading_estimation'
TORCH_MODEL = 'eq_perception.detection.heading_model:build_from_manifest'
POINT_FEATURES = 4      # along and across the box's axis, above its bottom [m], intensity
POINT_VECTORS = ((0, 1),)
STATE_VECTORS = ((0, 1), (2, 3), (4, 5))    # to the sensor, velocity, first guess
STATE_FEATURES = 12     # and size, number of points, distance, whether velocities are known
FAR = 40.               # unit of distances [m]
FAST = 10.              # unit of velocities [m/s]
MANY = 5.               # unit of the logarithm of the number of points

Float = NDArray[np.float32]


@dataclass(frozen=True)
class HeadingConfig:
    """What is looked at, and the widths of the network.

    Attributes:
        class_names: Classes whose direction is told; others keep what they have.
        objects: Objects that are looked at together, rows of the network's input.
        points: Points of each, evenly over their order of arrival; of few, again from the first.
        margin: Growth of each box on every side [m], since boxes are a little off.
        least_score: Boxes below keep what they have: hardly any of them is an object.
        width: Features of a point in the first layers.
    """

    class_names: tuple[str, ...] = ('car', 'truck', 'cyclist')
    objects: int = 16
    points: int = 96
    margin: float = .3
    least_score: float = .05
    width: int = 64

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range.
        """
        for name in ('objects', 'points', 'width'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} must be at least 1, got {getattr(self, name)}')
        if not 0 <= self.margin < 2:
            raise ConfigError(f'margin must be in [0, 2) m, got {self.margin}')

    @property
    def state_features(self) -> int:
        """Numbers that describe an object besides its points."""
        return STATE_FEATURES + len(self.class_names)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the network."""
        return {**asdict(self), 'torch_model': TORCH_MODEL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HeadingConfig:
        """Reads a manifest's configuration.

        Raises:
            ConfigError: A name is unknown.
        """
        return cls(**known_settings(cls, values, 'heading estimator'))


@dataclass(frozen=True, eq=False)
class Looks:
    """What is seen of M objects, each in the frame of its box.

    Law: SO(2): a turn of scan and boxes changes nothing. Taking a box the other way round is the
    half turn of `POINT_VECTORS` and `STATE_VECTORS`.

    Attributes:
        points: (M, points, 4) float32, see `POINT_FEATURES`.
        state: (M, state_features) float32.
        box: (M,) int64, the boxes that are looked at: those that have points, a score worth the
            time, and a class whose direction is told.
    """

    points: Float
    state: Float
    box: NDArray[np.int64]


def look(scan: Points, boxes: Boxes3D, class_names: Sequence[str], config: HeadingConfig,
         moving: bool) -> Looks:
    """Describes the points in each box in the box's own frame.

    Args:
        scan: The newest scan alone, in the frame of the boxes.
        boxes: Detections; their directions are first guesses.
        class_names: Names that their labels index.
        config: What is looked at.
        moving: Whether their velocities come from several scans.
    """
    told = np.array([name in config.class_names for name in class_names], bool)
    candidates = np.flatnonzero(told[boxes.label] & (boxes.score >= config.least_score))
    found = points_in_boxes(scan.xyz, boxes.select(candidates), config.margin)
    count = np.array([len(rows) for rows in found], np.int64)
    box, count = candidates[count > 0], count[count > 0]
    chosen = boxes.select(box)
    if not len(box):
        return Looks(np.zeros((0, config.points, POINT_FEATURES), np.float32),
                     np.zeros((0, config.state_features), np.float32), box)
    point = np.concatenate(found)[spread_evenly(np.cumsum(count) - count, count, config.points)]
    offset = scan.xyz[point].astype(np.float64) - chosen.center[:, None]
    points = np.concatenate([
        turn(offset[..., :2], -chosen.yaw[:, None]),
        offset[..., 2:] + chosen.size[:, None, 2:] / 2, scan.intensity[point][..., None]], -1)
    return Looks(points.astype(np.float32), _state(chosen, count, class_names, config, moving),
                 box)


def _state(boxes: Boxes3D, count: NDArray[np.int64], class_names: Sequence[str],
           config: HeadingConfig, moving: bool) -> Float:
    state = np.zeros((len(boxes), config.state_features), np.float32)
    distance = np.linalg.norm(boxes.center[:, :2], axis=1)
    state[:, 0:2] = turn(-boxes.center[:, :2] / np.maximum(distance, 1e-3)[:, None], -boxes.yaw)
    if moving:
        state[:, 2:4] = turn(boxes.velocity, -boxes.yaw) / FAST
    state[:, 4] = boxes.heading_confidence
    state[:, 6:9] = boxes.size
    state[:, 9] = np.log(np.maximum(count, 1)) / MANY
    state[:, 10] = distance / FAR
    state[:, 11] = moving
    for column, name in enumerate(config.class_names, STATE_FEATURES):
        if name in class_names:
            state[:, column] = boxes.label == list(class_names).index(name)
    return state


def decide(boxes: Boxes3D, box: NDArray[np.int64], log_odds: NDArray[np.floating]) -> Boxes3D:
    """Turns round what is more likely the other way round.

    Args:
        boxes: Detections.
        box: (M,) rows of them that were looked at.
        log_odds: (M,) of their direction being right.
    """
    yaw, confidence = boxes.yaw.copy(), boxes.heading_confidence.copy()
    turned = yaw[box] + np.where(log_odds < 0, np.pi, 0.)
    yaw[box] = (turned + np.pi) % (2 * np.pi) - np.pi
    confidence[box] = np.tanh(np.abs(log_odds.astype(np.float64)) / 2)  # 2 p - 1 of the odds
    return replace(boxes, yaw=yaw, heading_confidence=confidence)


class HeadingEstimator:
    """Tells the direction of detected objects; numpy in, boxes out, no ROS, no torch.

    Law: SO(2), boxes -> boxes: turning scan and boxes turns the answer; and which of the two
    directions a box came with changes nothing but what the network takes as first guess.

    Attributes:
        session: The open inference session.
        config: What is looked at.
    """

    def __init__(self, session: Session, config: HeadingConfig) -> None:
        """Joins an open session with its configuration."""
        self.session, self.config = session, config

    @classmethod
    def from_bundle(cls, path: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, options: SessionOptions = DEFAULT_OPTIONS
                    ) -> HeadingEstimator:
        """Opens a model bundle, after it has passed its acceptance test.

        Args:
            path: Bundle directory.
            backends: Names in order of preference.
            threads: Threads of the inference engine.
            options: What may be done to open a session: build engines, fall back.

        Raises:
            BundleError: The bundle is incomplete or altered.
            BackendError: No backend can run it, or it failed acceptance on all of them.
            ConfigError: The bundle is of something else, or its configuration is wrong.
        """
        bundle = Bundle.load(path)
        if bundle.manifest.task != TASK:
            raise ConfigError(f'{path} must be a model of {TASK}, got {bundle.manifest.task!r}')
        return cls(open_session(bundle, backends, threads, options=options),
                   HeadingConfig.from_dict(bundle.manifest.config))

    def direct(self, scan: Points, boxes: Boxes3D, class_names: Sequence[str],
               moving: bool = False) -> Boxes3D:
        """Tells directions and how sure they are; all else stays as it is.

        Args:
            scan: The newest scan alone, in the frame of the boxes.
            boxes: Detections.
            class_names: Names that their labels index.
            moving: Whether their velocities come from several scans.

        Raises:
            BackendError: Inference failed.
            OutputError: The model answered with NaN or a wrong shape.
        """
        looks = look(scan, boxes, class_names, self.config, moving)
        return decide(boxes, looks.box, self.log_odds(looks)) if len(looks.box) else boxes

    def log_odds(self, looks: Looks) -> NDArray[np.float32]:
        """Returns (M,) log odds that each object points along +x of its frame."""
        rows, answers = self.config.objects, []
        for first in range(0, len(looks.box), rows):
            points, state = looks.points[first:first + rows], looks.state[first:first + rows]
            missing = rows - len(points)
            answer = self.session.run({
                'object_points': np.pad(points, ((0, missing), (0, 0), (0, 0))),
                'object_state': np.pad(state, ((0, missing), (0, 0)))})['direction']
            answers.append(answer[:len(points), 0])
        return np.concatenate(answers)
