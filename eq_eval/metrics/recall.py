"""Recall and axis error, for data sets in which not every object is labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.center_matching import match_by_center


@dataclass(frozen=True)
class RecallResult:
    """How much of what is there was found.

    Attributes:
        found: Truths that a detection of their class took.
        num_truths: Truths.
        axis_error: Median angle between the axes of matched pairs [rad], in [0, pi/2]; NaN
            without a match.
        center_error: Median distance of their centres in x and y [m]; NaN without a match.
    """

    found: int
    num_truths: int
    axis_error: float
    center_error: float

    @property
    def recall(self) -> float | None:
        """Share that was found, None without truths."""
        return self.found / self.num_truths if self.num_truths else None


def evaluate_recall(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D], label: int,
                    reach: tuple[float, float] = (0., 50.), limit: float = 2.) -> RecallResult:
    """Counts the truths of one class that have a detection near their centre.

    Args:
        predictions: One entry per scan.
        truths: One entry per scan.
        label: Class of both.
        reach: Truths from this to that distance from the origin count [m].
        limit: Centres this far apart in x and y or farther do not match [m].

    Raises:
        InputError: The numbers of scans differ.
    """
    if len(predictions) != len(truths):
        raise InputError(f'{len(predictions)} scans of predictions, {len(truths)} of truths')
    axis, apart = [np.zeros(0)], [np.zeros(0)]
    count = 0
    for prediction, truth in zip(predictions, truths, strict=True):
        distance = np.hypot(truth.center[:, 0], truth.center[:, 1])
        sought = truth.select((truth.label == label) & (distance >= reach[0])
                              & (distance < reach[1]))
        offered = prediction.select(prediction.label == label)
        taken = match_by_center(offered, sought, limit)
        pair, own = offered.select(taken >= 0), sought.select(taken[taken >= 0])
        axis.append(axis_angle(pair.yaw, own.yaw))
        apart.append(np.linalg.norm(pair.center[:, :2] - own.center[:, :2], axis=1))
        count += len(sought)
    angles, gaps = np.concatenate(axis), np.concatenate(apart)
    return RecallResult(len(angles), count, float(np.median(angles)) if len(angles) else np.nan,
                        float(np.median(gaps)) if len(gaps) else np.nan)


def axis_angle(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between two headings when a half turn does not matter, [0, pi/2]."""
    return np.abs((first - second + np.pi / 2) % np.pi - np.pi / 2)
