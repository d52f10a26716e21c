"""Whether a detector knows how sure it is: scores, headings and covariances against what came.

Reliability as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.center_matching import box_errors
from eq_eval.metrics.center_matching import ERRORS
from eq_eval.metrics.center_matching import match_by_center

LIMIT = 2.          # a detection is right if its centre is that near to a truth [m]
REACH = 40.         # headings are told up to that distance [m]
SURE = .8           # confidence from which on a heading is relied on
BINS = 10
POINTS = (1, 10, 30, 100, 300, 1000)    # from which on headings are told together
# Squared distances, in standard deviations, inside which 50 and 90 % of a plane Gaussian lie.
ELLIPSES = {'50': 1.386, '90': 4.605}

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """How often what is said with some probability comes true.

    Attributes:
        said: Mean probability of each bin that is not empty.
        came: Share that came true.
        count: Cases of the bin.
    """

    said: tuple[float, ...]
    came: tuple[float, ...]
    count: tuple[int, ...]

    @classmethod
    def of(cls, probability: Float, true: NDArray[np.bool_]) -> Reliability:
        """Sorts cases (N,) into bins of equal width."""
        place = np.minimum((probability * BINS).astype(int), BINS - 1)
        count = np.bincount(place, minlength=BINS)
        kept = np.flatnonzero(count)
        said, came = (np.bincount(place, values, BINS)[kept] / count[kept]
                      for values in (probability, true.astype(float)))
        return cls(tuple(said.tolist()), tuple(came.tolist()), tuple(count[kept].tolist()))

    @property
    def error(self) -> float | None:
        """Expected calibration error: mean gap by the counts; None where there is no case."""
        if not self.count:
            return None
        gap = np.abs(np.array(self.said) - np.array(self.came))
        return float(gap @ np.array(self.count) / sum(self.count))

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return {'said': list(self.said), 'came': list(self.came), 'count': list(self.count),
                'error': self.error}


@dataclass(frozen=True, eq=False)
class Compared:
    """Detections of one class in one scan beside its truths.

    Attributes:
        score: (N,) what is said of each.
        right: (N,) bool, whether it takes a truth within 2 m.
        found: The M detections that are right.
        sought: (M,) their truths.
        row: (M,) int64, where these stand among the truths of the scan.
    """

    score: Float
    right: NDArray[np.bool_]
    found: Boxes3D
    sought: Boxes3D
    row: NDArray[np.int64]


def compare(prediction: Boxes3D, truth: Boxes3D, label: int) -> Compared:
    """Tells which detections of a class are right: best score first, each takes a free truth."""
    offered = prediction.select(prediction.label == label)
    wanted = np.flatnonzero(truth.label == label)
    taken = match_by_center(offered, truth.select(wanted), LIMIT)
    right, row = taken >= 0, wanted[taken[taken >= 0]]
    return Compared(offered.score, right, offered.select(right), truth.select(row), row)


def evaluate_calibration(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D], label: int,
                         num_points: Sequence[NDArray[np.int64]] | None = None) -> dict[str, Any]:
    """Compares what is said of its own sureness with what is true.

    Args:
        predictions: One entry per scan.
        truths: One entry per scan.
        label: Class of both.
        num_points: LiDAR points in each truth, one entry per scan.

    Returns:
        ``score``, a `Reliability` of being within 2 m of a truth. Of the matches within 40 m
        ``heading``, one of pointing forwards, ``heading_flip_rate`` (error above 90 degrees) of
        all, ``heading_flip_rate_sure`` of those whose confidence is 0.8 or more,
        ``heading_sure`` the share of these, and ``headings`` how many there are, with
        ``heading_flips_by_points`` where the points are told. ``inside_50`` and
        ``inside_90``, the share of centres in the ellipses that should hold 50 and 90 %. None
        where there is nothing to tell from.
    """
    compared = [compare(*scan, label) for scan in zip(predictions, truths, strict=True)]
    score = np.concatenate([np.zeros(0), *(scan.score for scan in compared)])
    right = np.concatenate([np.zeros(0, bool), *(scan.right for scan in compared)])
    pairs = [(scan.found, scan.sought) for scan in compared]
    turn = np.concatenate([np.zeros(0), *(
        box_errors(one, other)[:, ERRORS.index('orientation')] for one, other in pairs)])
    near = np.concatenate([np.zeros(0, bool), *(
        np.linalg.norm(other.center[:, :2], axis=1) < REACH for _, other in pairs)])
    confidence = np.concatenate([np.zeros(0), *(one.heading_confidence for one, _ in pairs)])
    squared = np.concatenate([np.zeros(0), *(mahalanobis(*pair) for pair in pairs)])
    flipped, sure = turn > np.pi / 2, confidence >= SURE
    points = {} if num_points is None else {'heading_flips_by_points': by_points(
        flipped[near], np.concatenate([np.zeros(0, np.int64), *(
            scan.take(one.row) for scan, one in zip(num_points, compared, strict=True))])[near])}
    return {
        'score': Reliability.of(score, right).as_dict(),
        # The confidence is the expected cosine of a heading that is right or backwards.
        'heading': Reliability.of((1 + confidence[near]) / 2, ~flipped[near]).as_dict(),
        'headings': int(near.sum()), 'heading_sure': _mean(sure[near]),
        'heading_flip_rate': _mean(flipped[near]),
        'heading_flip_rate_sure': _mean(flipped[near & sure]),
        **{f'inside_{name}': _mean(squared <= limit) for name, limit in ELLIPSES.items()},
        **points}


def by_points(flipped: NDArray[np.bool_], num_points: NDArray[np.int64]
              ) -> dict[str, dict[str, float | int | None]]:
    """Share of headings (N,) that are backwards, by the number of points on the object."""
    table: dict[str, dict[str, float | int | None]] = {}
    for least, most in zip(POINTS, (*POINTS[1:], None), strict=True):
        chosen = num_points >= least
        chosen &= num_points < most if most is not None else True
        table[f'{least}-{most - 1}' if most else f'{least}-'] = {
            'headings': int(chosen.sum()), 'flip_rate': _mean(flipped[chosen])}
    return table


def mahalanobis(found: Boxes3D, sought: Boxes3D) -> Float:
    """(N,) squared distance of centres in standard deviations; infinite without a covariance."""
    miss = sought.center[:, :2] - found.center[:, :2]
    squared = np.full(len(miss), np.inf)
    told = np.linalg.det(found.covariance) > 0
    squared[told] = np.einsum('ni,nij,nj->n', miss[told], np.linalg.inv(found.covariance[told]),
                              miss[told])
    return squared


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
