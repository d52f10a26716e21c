"""Splits detections and truths by distance, so that a figure can be told for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D

RANGES = ((0., 20.), (20., 35.), (35., 50.))
SAME_OBJECT = 2.  # [m]


def range_of(prediction: Boxes3D, truth: Boxes3D) -> NDArray[np.float64]:
    """Distance by which a detection is counted.

    A detection near a truth of its class goes where the truth goes, so that a small error across a
    border does not count as a miss on one side and a false alarm on the other.

    Returns:
        (D,) distance from the origin in x and y [m].
    """
    own = np.hypot(prediction.center[:, 0], prediction.center[:, 1])
    if len(truth) == 0 or len(prediction) == 0:
        return own
    apart = np.linalg.norm(prediction.center[:, None, :2] - truth.center[None, :, :2], axis=-1)
    apart[prediction.label[:, None] != truth.label[None]] = np.inf
    nearest = apart.argmin(1)
    there = np.hypot(truth.center[nearest, 0], truth.center[nearest, 1])
    return np.where(apart.min(1) < SAME_OBJECT, there, own)


def in_range(distance: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.bool_]:
    """Mask of the distances from the lower to below the upper limit."""
    return (distance >= limits[0]) & (distance < limits[1])
