"""Boxes and tracks that a model proposes for the scans of a recording."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import CLASS_NAMES
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.track_velocity import with_track_velocities
from eq_eval.evaluation import AnyDetector
from eq_eval.labelling.smoothing import smooth
from eq_eval.labelling.smoothing import Smoothing
from eq_perception.tracking.tracker import Tracker

FRAME_ID = 'lidar'  # of scans that do not tell theirs


@dataclass(frozen=True)
class ProposalOptions:
    """What is proposed.

    Attributes:
        classes: Names of the classes; of a track the label that most of its scores speak for
            counts.
        tracks: Whether boxes of one object get one id over time.
        smoothing: What is done to the tracks.
    """

    classes: tuple[str, ...] = CLASS_NAMES
    tracks: bool = True
    smoothing: Smoothing = field(default_factory=Smoothing)

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A class is not known, or there is none.
        """
        unknown = [name for name in self.classes if name not in CLASS_NAMES]
        if unknown or not self.classes:
            raise ConfigError(f'unknown classes {unknown}, expected some of {list(CLASS_NAMES)}')


@dataclass(frozen=True, eq=False)
class DetectedScan:
    """What is remembered of a scan.

    Attributes:
        sequence: Name of its recording.
        pose: (4, 4) world <- sensor, the identity where unknown.
        boxes: What was found in it.
    """

    sequence: str
    pose: NDArray[np.float64]
    boxes: Boxes3D


def propose(detector: AnyDetector, scans: Iterable[LabeledScan],
            options: ProposalOptions | None = None,
            progress: Callable[[int], None] = lambda done: None) -> list[Boxes3D]:
    """Proposes boxes for all scans.

    Law: turn all scans by an element of the model's group, and the proposals turn with them; ids,
    classes, sizes and scores stay.

    Args:
        detector: The model; its classes are those of `class_map.CLASS_NAMES`.
        scans: The recording, sequence after sequence; labels that it has are not looked at.
        options: What is proposed.
        progress: Told the number of scans done.

    Returns:
        Boxes of each scan, in its frame, `label` indexing `CLASS_NAMES`, with the velocities of
        their tracks where the sensor's motion is known. Their `score` is the
        detector's, and half the lower of their neighbours' where a gap was filled.

    Raises:
        ConfigError: The detector has other classes.
        InputError: A scan cannot be used.
    """
    return proposals_of(detect_each(detector, scans, progress),
                        options if options is not None else ProposalOptions())


def detect_each(detector: AnyDetector, scans: Iterable[LabeledScan],
                progress: Callable[[int], None] = lambda done: None) -> list[DetectedScan]:
    """The first half of `propose`: what the model finds in each scan alone."""
    if tuple(detector.class_names) != CLASS_NAMES:
        raise ConfigError(f'the model has the classes {list(detector.class_names)}, expected '
                          f'{list(CLASS_NAMES)}')
    seen = []
    for scan in scans:
        boxes = detector.detect(scan.points)
        # A single scan shows no velocity, whatever the model says.
        boxes = replace(boxes, velocity=np.zeros((len(boxes), 2)), stamp=scan.points.stamp,
                        frame_id=scan.points.frame_id)
        seen.append(DetectedScan(scan.sequence, scan.pose, boxes))
        progress(len(seen))
    return seen


def proposals_of(seen: Sequence[DetectedScan], options: ProposalOptions) -> list[Boxes3D]:
    """The second half of `propose`: what is proposed of all that was found."""
    labels = [CLASS_NAMES.index(name) for name in options.classes]
    return [boxes.select(np.isin(boxes.label, labels)) for boxes in (
        _tracked(seen, options.smoothing) if options.tracks else [one.boxes for one in seen])]


def with_proposals(scans: Iterable[LabeledScan], proposals: Sequence[Boxes3D]
                   ) -> Iterator[LabeledScan]:
    """Puts proposals in the place of whatever labels the scans have.

    Args:
        scans: The scans that the proposals were made for.
        proposals: Boxes of each.
    """
    for scan, boxes in zip(scans, proposals, strict=True):
        points = replace(scan.points, frame_id=scan.points.frame_id or FRAME_ID)
        yield replace(
            scan, points=points, boxes=boxes, semantic=None, instance=None, field_of_view=None,
            class_names=CLASS_NAMES, num_points=count_points_in_boxes(scan.points.xyz, boxes))


def _sequences(seen: Sequence[DetectedScan]) -> list[list[DetectedScan]]:
    """Runs of scans that follow upon each other; a jump back in time is a new beginning."""
    runs: list[list[DetectedScan]] = []
    for one in seen:
        before = runs[-1][-1] if runs else None
        if before is None or (before.sequence != one.sequence
                              or before.boxes.stamp > one.boxes.stamp):
            runs.append([])
        runs[-1].append(one)
    return runs


def _tracked(seen: Sequence[DetectedScan], smoothing: Smoothing) -> list[Boxes3D]:
    """Gives the boxes ids and smooths them, sequence by sequence."""
    tracker, answer = Tracker(), []
    for sequence in _sequences(seen):
        # What is not known of the sensor's motion is the identity in all scans.
        still = all(np.array_equal(one.pose, np.eye(4)) for one in sequence)
        tracker.reset()
        frames = []
        for one in sequence:
            tracker.update(one.boxes, None if still else one.pose, one.boxes.stamp)
            frames.append(replace(one.boxes, track_id=tracker.assignment))
        poses = [one.pose for one in sequence]
        steady = smooth(frames, poses, smoothing)
        answer += steady if still else with_track_velocities(steady, poses)
    return answer
