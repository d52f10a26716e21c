"""Runs a detector over labelled scans and scores it, also on turned scans."""

from __future__ import annotations

from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.metrics.judged import Judged
from eq_eval.rotation import turned
from eq_eval.scores import curve_scores
from eq_eval.scores import full_scores


class AnyDetector(Protocol):
    """What can be evaluated."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that the labels of the boxes index."""

    def detect(self, points: Points, *past: Points,
               poses: Sequence[NDArray[np.float64]] | None = None) -> Boxes3D:
        """Detects objects in a scan, with past scans if the detector takes them."""


@dataclass(frozen=True)
class Protocols:
    """What is asked of the scans.

    Attributes:
        rotations: Angles by which each scan is turned [degrees]; the first one gives the scores.
        curve_scans: Scans that are also turned by the others; all if None.
        sweeps: Scans that the detector sees at once, the newest and those before it.
        every: Every so-manieth scan of a sequence is scored, the others only serve as past.
        with_velocity: Whether the truth knows velocities.
        complete: Whether every object is labelled; if not, recall takes the place of precision.
    """

    rotations: tuple[float, ...] = (0.,)
    curve_scans: int | None = None
    sweeps: int = 1
    every: int = 1
    with_velocity: bool = True
    complete: bool = True


def evaluate_detector(detector: AnyDetector, scans: Iterable[LabeledScan],
                      protocols: Protocols | None = None,
                      progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Scores a detector.

    Args:
        detector: Anything that finds boxes in points.
        scans: Scans with boxes; those without are left out.
        protocols: What is asked of them.
        progress: Told the number of scans done.

    Returns:
        `mAP`, `NDS`, `AP` by class, distance and range, `kitti` and more, as plain numbers (see
        `scores.full_scores`); with several rotations also `rotation_curve`,
        `rotation_spread_90` (highest minus lowest mAP over the multiples of 90 degrees) and
        `rotation_spread_any` (the same over all angles).

    Raises:
        InputError: No scan has boxes.
    """
    asked = protocols if protocols is not None else Protocols()
    names = tuple(detector.class_names)
    judged: dict[float, list[Judged]] = defaultdict(list)
    done = 0
    for window in _windows(scans, asked):
        if window[0].boxes is None:
            continue
        wanted = asked.curve_scans is None or done < asked.curve_scans
        for angle in asked.rotations if wanted else asked.rotations[:1]:
            judged[angle].append(_detect(detector, window, angle, names))
        done += 1
        progress(done)
    if not done:
        raise InputError('no scan has boxes to compare with', 'no_labels')
    first = judged[asked.rotations[0]]
    result = full_scores(first, names, asked.with_velocity, asked.complete)
    if len(asked.rotations) > 1:
        compared = {angle: rows[:len(judged[asked.rotations[-1]])]
                    for angle, rows in judged.items()}
        result |= curve_scores(compared, names)
    return result


def _windows(scans: Iterable[LabeledScan], asked: Protocols) -> Iterable[list[LabeledScan]]:
    """Scans that are scored, each followed by those before it in its sequence."""
    before: deque[LabeledScan] = deque(maxlen=asked.sweeps)
    since = 0
    for scan in scans:
        if before and before[0].sequence != scan.sequence:
            before.clear()
            since = 0
        before.appendleft(scan)
        since += 1
        if since % asked.every == 0:
            yield list(before)


def _detect(detector: AnyDetector, window: list[LabeledScan], angle: float,
            class_names: tuple[str, ...]) -> Judged:
    """Detects in the turned scans and compares with the turned truth."""
    newest, *past = (turned(scan, angle) for scan in window)
    if past:
        boxes = detector.detect(newest.points, *(scan.points for scan in past),
                                poses=[scan.pose for scan in (newest, *past)])
    else:
        boxes = detector.detect(newest.points)
    return judge(boxes, newest, class_names)
