"""Which rays can meet moving objects at all, so that the others need not be cast at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.sensors import Sensor

MARGIN = np.deg2rad(.3)  # beyond the mount's tilt


def window(sensor: Sensor, tilt: float, middles: NDArray[np.float64],
           sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the rays whose direction touches the upright cylinders around objects.

    Args:
        sensor: The sensor; see `beam_directions` for the order of its rays.
        tilt: Angle by which the mount turns the beams at most [rad].
        middles: (A, 3) centres of the objects in the sensor's upright frame [m].
        sizes: (A, 3) their length, width and height [m].
    """
    hit = np.zeros((sensor.columns, sensor.rings), bool)
    range_ = np.hypot(middles[:, 0], middles[:, 1])
    radius = np.hypot(sizes[:, 0], sizes[:, 1]) / 2
    near, far = np.maximum(range_ - radius, .05), range_ + radius
    margin = tilt + MARGIN
    half = np.where(range_ > radius, np.arcsin(np.minimum(radius / range_.clip(.01), 1.)), np.pi)
    azimuth = np.arctan2(middles[:, 1], middles[:, 0])
    column = (np.pi - np.stack([azimuth + half, azimuth - half])) / (2 * np.pi) * sensor.columns
    spare = margin / (2 * np.pi) * sensor.columns + 1
    first = np.floor(column[0] - spare).astype(int)
    last = np.minimum(np.ceil(column[1] + spare).astype(int), first + sensor.columns)
    edges = []
    for sign in (1, -1):  # from the top down
        height = middles[:, 2] + sign * sizes[:, 2] / 2
        up = np.arctan2(height, np.where(sign * height > 0, near, far)) + sign * margin
        edges.append(np.searchsorted(-np.deg2rad(sensor.elevations), -up))
    for a, b, top, bottom in zip(first, last, edges[0], edges[1], strict=True):
        hit[np.arange(a, b) % sensor.columns, top:bottom] = True
    return np.flatnonzero(hit)
