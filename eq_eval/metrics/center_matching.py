"""Greedy matching of detections to truths by the distance of their centres, as nuScenes does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Matches:
    """Every detection of one class over all scans, best score first.

    Attributes:
        score: (D,) descending.
        matched: (D,) whether the detection took a truth.
        errors: Name of an error to (T,) values of the matched detections, in the same order.
        num_truths: Truths that could have been found.
    """

    score: Array
    matched: NDArray[np.bool_]
    errors: dict[str, Array]
    num_truths: int


def ranked(score: Array) -> NDArray[np.intp]:
    """Positions by descending score; of equal scores the later one first, as nuScenes sorts."""
    return np.lexsort((np.arange(len(score)), score))[::-1]


def match_by_center(prediction: Boxes3D, truth: Boxes3D, limit: float) -> NDArray[np.int64]:
    """Gives each detection, best first, the nearest truth that is still free.

    Args:
        prediction: D boxes of one class.
        truth: G boxes of the same class and scan.
        limit: Centres this far apart in x and y [m] or farther do not match.

    Returns:
        (D,) position of the truth, -1 where there is none.
    """
    taken_by = np.full(len(prediction), -1, np.int64)
    if len(prediction) == 0 or len(truth) == 0:
        return taken_by
    distance = np.linalg.norm(
        prediction.center[:, None, :2] - truth.center[None, :, :2], axis=-1)
    reachable = distance.min(1) < limit
    for index in ranked(prediction.score):
        if not reachable[index]:
            continue
        nearest = int(distance[index].argmin())
        if distance[index, nearest] < limit:
            taken_by[index] = nearest
            distance[:, nearest] = np.inf
    return taken_by


def collect_matches(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D],
                    limit: float) -> Matches:
    """Matches scan by scan and puts the detections of all scans into one ranking.

    Args:
        predictions: Detections of one class, one entry per scan.
        truths: Truths of the same class, one entry per scan.
        limit: Largest distance of the centres [m].
    """
    scores, matched, errors = [], [], []
    for prediction, truth in zip(predictions, truths, strict=True):
        index = match_by_center(prediction, truth, limit)
        hit = index >= 0
        scores.append(prediction.score)
        matched.append(hit)
        row = np.full((len(index), len(ERRORS)), np.nan)
        row[hit] = box_errors(prediction.select(hit), truth.select(index[hit]))
        errors.append(row)
    score = np.concatenate([np.zeros(0), *scores])
    order = ranked(score)
    flags = np.concatenate([np.zeros(0, bool), *matched])[order]
    table = np.concatenate([np.zeros((0, len(ERRORS))), *errors])[order][flags]
    return Matches(score[order], flags, dict(zip(ERRORS, table.T, strict=True)),
                   sum(len(truth) for truth in truths))


ERRORS = ('translation', 'scale', 'orientation', 'velocity')


def box_errors(prediction: Boxes3D, truth: Boxes3D) -> Array:
    """Errors of matched pairs, as nuScenes defines them.

    Returns:
        (N, 4): distance of the centres in x and y [m], 1 - IoU after aligning position and
        heading, smallest difference of the headings [rad], norm of the velocity difference [m/s].
    """
    translation = np.linalg.norm(prediction.center[:, :2] - truth.center[:, :2], axis=1)
    shared = np.minimum(prediction.size, truth.size).prod(1)
    union = prediction.size.prod(1) + truth.size.prod(1) - shared
    turn = np.abs((truth.yaw - prediction.yaw + np.pi) % (2 * np.pi) - np.pi)
    velocity = np.linalg.norm(prediction.velocity - truth.velocity, axis=1)
    return np.stack([translation, 1 - shared / union, turn, velocity], 1)
