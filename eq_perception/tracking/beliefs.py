"""What is believed of an object besides where it is: heading, its sign, and its class.

A heading is kept as an angle of which first only the axis counts (frequency 2), and log odds that
it points forwards along that axis. Only differences of angles enter, so beliefs turn with the
world and know no preferred branch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def join_axes(yaw: Array, weight: Array, measured: Array, measured_weight: float
              ) -> tuple[Array, Array]:
    """Weighted frequency-2 mean of two axes, on the branch of `yaw`.

    The mean is the angle of ``w1 exp(2i yaw) + w2 exp(2i measured)``; its length is the weight,
    so axes that contradict each other leave little.

    Args:
        yaw: (N,) [rad].
        weight: (N,) inverse variance [1/rad^2].
        measured: (N,) [rad]; a half turn does not matter.
        measured_weight: Inverse variance [1/rad^2].

    Returns:
        (N,) yaw within a quarter turn of the one before [rad], and (N,) weights.
    """
    twice = 2 * (measured - yaw)
    along = weight + measured_weight * np.cos(twice)
    across = measured_weight * np.sin(twice)
    return yaw + np.arctan2(across, along) / 2, np.hypot(along, across)


def heading_evidence(yaw: Array, measured: Array, confidence: Array, flip_rate: float) -> Array:
    """Log odds that a measured heading gives to `yaw` pointing forwards.

    Args:
        yaw: (N,) [rad].
        measured: (N,) [rad].
        confidence: (N,) in [0, 1], the detector's; 0 leaves no evidence.
        flip_rate: Share of headings of full confidence that point backwards.

    Returns:
        (N,), positive where both point to the same side.
    """
    return 2 * np.arctanh((1 - 2 * flip_rate) * confidence * np.cos(measured - yaw))


def motion_evidence(yaw: Array, velocity: Array, covariance: Array, least_speed: float,
                    strength: float) -> Array:
    """Log odds that a motion gives to `yaw` pointing forwards.

    Args:
        yaw: (N,) [rad].
        velocity: (N, 2) over ground [m/s].
        covariance: (N, 2, 2) of `velocity`.
        least_speed: Slower motion along the axis says nothing [m/s].
        strength: Log odds of a motion that is above that and above three standard deviations.

    Returns:
        (N,), zero where nothing significant moves.
    """
    axis = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    along = np.einsum('ni,ni->n', axis, velocity)
    deviation = np.sqrt(np.einsum('ni,nij,nj->n', axis, covariance, axis))
    significant = np.abs(along) > np.maximum(least_speed, 3 * deviation)
    return strength * np.sign(along) * significant


def settle_heading(yaw: Array, log_odds: Array, limit: float) -> tuple[Array, Array]:
    """Turns headings that more probably point backwards.

    Returns:
        (N,) yaw in [-pi, pi) [rad] and (N,) log odds in [0, limit].
    """
    turned = np.where(log_odds < 0, yaw + np.pi, yaw)
    return (turned + np.pi) % (2 * np.pi) - np.pi, np.minimum(np.abs(log_odds), limit)


def label_likelihood(count: int, confusion: float) -> Array:
    """(count, count) probability of each label (column) given the true class (row)."""
    if count == 1:
        return np.ones((1, 1))
    likelihood = np.full((count, count), confusion / (count - 1))
    np.fill_diagonal(likelihood, 1 - confusion)
    return likelihood


def join_labels(log_odds: Array, label: NDArray[np.int64], score: Array, likelihood: Array,
                limit: float) -> Array:
    """Bayes' rule for classes; a label counts as much as its score.

    Args:
        log_odds: (N, C) log probability of each class relative to the best one, at most 0.
        label: (N,) measured.
        score: (N,) in [0, 1].
        likelihood: (C, C), see `label_likelihood`.
        limit: Lowest log odds, so that a belief can be revised.

    Returns:
        (N, C), of the same kind as `log_odds`.
    """
    joined = log_odds + score[:, None] * np.log(likelihood[:, label].T)
    return np.maximum(joined - joined.max(1, keepdims=True), -limit)


def class_probability(log_odds: Array) -> Array:
    """(N, C) probabilities from log odds."""
    odds = np.exp(log_odds)
    return odds / odds.sum(1, keepdims=True)
