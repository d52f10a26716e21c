"""Which detection belongs to which track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import chdtri

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.beliefs import label_likelihood
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.estimation import position_noise
from eq_perception.tracking.filter import mahalanobis
from eq_perception.tracking.lifecycle import is_lost
from eq_perception.tracking.tracks import Tracks

Array = NDArray[np.float64]
NONE = -1


def associate(tracks: Tracks, detections: Boxes3D, config: TrackerConfig) -> NDArray[np.int64]:
    """Gives each detection a track, in four rounds.

    Confirmed tracks take confident detections and then weak ones (ByteTrack's two stages, Zhang
    et al., ECCV 2022). What is left revives lost tracks near by, and last goes to unconfirmed
    ones, so that a ghost never takes the place of what was there before.

    Args:
        tracks: N tracks, predicted to the time of the detections.
        detections: M boxes in the frame of the tracks.
        config: Gates.

    Returns:
        (M,) int64, row in `tracks` of each detection, -1 where none fits.
    """
    found = np.full(len(detections), NONE)
    if not len(tracks) or not len(detections):
        return found
    gain = pair_gains(tracks, detections, config)
    distance = np.linalg.norm(tracks.mean[:, None, :2] - detections.center[:, :2], axis=-1)
    near = np.where(distance <= config.reid_distance, gain, 0.)
    confident = detections.score >= config.high_score
    lost = is_lost(tracks, config)
    seen = tracks.confirmed & ~lost
    anything = np.ones(len(detections), bool)
    for wanted, given, value in ((seen, confident, gain), (seen, ~confident, gain),
                                 (lost, anything, near), (~tracks.confirmed, anything, gain)):
        taken = np.zeros(len(tracks), bool)
        taken[found[found >= 0]] = True
        rows, columns = np.flatnonzero(wanted & ~taken), np.flatnonzero(given & (found == NONE))
        chosen_rows, chosen_columns = assign(value[np.ix_(rows, columns)])
        found[columns[chosen_columns]] = rows[chosen_rows]
    return found


def assign(gain: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs rows and columns for the largest sum of gains; pairs without gain stay apart.

    >>> assign(np.array([[3., 2.], [2., 0.]]))
    (array([0, 1]), array([1, 0]))
    >>> assign(np.array([[3., 0.], [2., 0.]]))
    (array([0]), array([0]))
    """
    rows, columns = linear_sum_assignment(gain, maximize=True)
    kept = gain[rows, columns] > 0
    return rows[kept], columns[kept]


def pair_gains(tracks: Tracks, detections: Boxes3D, config: TrackerConfig) -> Array:
    """Twice the log likelihood ratio of 'the same object' to 'clutter'; 0 where impossible.

    Returns:
        (N, M) float64, not negative.
    """
    noise = position_noise(detections, config)
    squared, log_determinant = mahalanobis(tracks.mean[:, :2], tracks.covariance[:, :2, :2],
                                           detections.center[:, :2], noise)
    ratio = (tracks.shape[:, None, 1:] - np.log(detections.size)) / config.size_gate
    size_squared = np.square(ratio).sum(-1)
    likelihood = label_likelihood(len(config.classes), config.label_confusion)
    label = np.log(tracks.class_probability() @ likelihood[:, detections.label])
    kinds = np.array([one.kind for one in config.classes])
    alike = kinds[tracks.classes.argmax(1)][:, None] == kinds[detections.label]
    possible = alike & (squared < chdtri(2, 1 - config.gate)) & (
        size_squared < chdtri(3, 1 - config.gate))
    evidence = squared + log_determinant + 2 * np.log(2 * np.pi) + size_squared - 2 * label
    return np.where(possible, -2 * np.log(config.clutter) - evidence, 0.).clip(0.)
