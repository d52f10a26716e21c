"""From the network's fields to boxes: peaks, vectors, rotated-IoU suppression."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.rotated_iou import overlapping_pairs
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.grid import turn

INVARIANT = ('height', 'log_size', 'log_variance')
FREQUENCY = {'offset': 1, 'velocity': 1, 'heading': 1, 'axis': 2, 'deviator': 2}
MAX_EXPONENT = 3.           # bound of log-size and of the covariance's exponent
SIZE_RANGE = (.1, 30.)      # [m]; beyond it a box is degenerate and is removed
MAX_SPEED = 60.             # [m/s]

Float = NDArray[np.float32]


def decode(fields: Mapping[str, Float], ground: NDArray[np.float64], config: DetectorConfig
           ) -> Boxes3D:
    """Turns fields into boxes.

    Args:
        fields: Name -> (1, C, h, w) float32, see `BevDetector`; other names are left alone.
        ground: (3,) plane that heights refer to.
        config: Grid, thresholds.

    Returns:
        At most `max_objects` boxes, best score first, in the frame of the scan.
    """
    label, cell, score = find_peaks(fields['heatmap'][0], config)
    at = {name: fields[name][0].reshape(fields[name].shape[1], -1)[:, cell].T.astype(np.float64)
          for name in (*INVARIANT, *FREQUENCY)}
    grid = config.head_grid
    for name, frequency in FREQUENCY.items():        # from the cell's own axes to the scan's
        at[name] = turn(at[name], frequency * grid.azimuth(cell))
    centre = grid.centre(cell) + at['offset']
    height = at['height'][:, 0] + centre @ ground[:2] + ground[2]
    yaw, confidence = heading(at['axis'], at['heading'])
    velocity = at['velocity']
    boxes = Boxes3D(
        np.column_stack([centre, height]),
        np.exp(np.clip(at['log_size'], -MAX_EXPONENT, MAX_EXPONENT + .5)), yaw, label, score,
        velocity * np.minimum(1, MAX_SPEED / np.maximum(_length(velocity), 1e-9))[:, None],
        covariance(at['log_variance'][:, 0], at['deviator']), confidence)
    sound = np.all((boxes.size > SIZE_RANGE[0]) & (boxes.size < SIZE_RANGE[1]), axis=1)
    return suppress(boxes.select(sound), config.nms_iou).select(slice(config.max_objects))


def find_peaks(logits: Float, config: DetectorConfig
               ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Finds cells that are the largest of their 3x3 neighbourhood.

    Args:
        logits: (classes, h, w) float32.
        config: Threshold and number of objects.

    Returns:
        (M,) labels, (M,) flat cells, (M,) scores, best first.
    """
    threshold = np.log(max(config.score_threshold, 1e-6) / (1 - config.score_threshold))
    classes, height, width = logits.shape
    label, iy, ix = np.nonzero(logits >= threshold)
    value = logits[label, iy, ix]
    padded = np.full((classes, height + 2, width + 2), -np.inf, np.float32)
    padded[:, 1:-1, 1:-1] = logits
    if config.head_grid.circular:
        padded[:, [0, -1]] = padded[:, [-2, 1]]
    corner = (label * (height + 2) + iy) * (width + 2) + ix
    largest = np.ones(len(value), bool)
    for step_y, step_x in np.ndindex(3, 3):
        largest &= value >= padded.ravel()[corner + step_y * (width + 2) + step_x]
    label, cell, value = label[largest], (iy * width + ix)[largest], value[largest]
    best = np.argsort(-value.astype(np.float64), kind='stable')[:2 * config.max_objects]
    return label[best], cell[best], 1 / (1 + np.exp(-value[best].astype(np.float64)))


def heading(axis: NDArray[np.float64], sign: NDArray[np.float64]
            ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joins the axis (frequency 2) with the direction along it (frequency 1).

    Args:
        axis: (N, 2), cos and sin of twice the angle.
        sign: (N, 2), cos and sin of the angle.

    Returns:
        (N,) yaw [rad] and (N,) confidence in [0, 1] of the direction along the axis.
    """
    along = np.arctan2(axis[:, 1], axis[:, 0]) / 2
    agreement = sign[:, 0] * np.cos(along) + sign[:, 1] * np.sin(along)
    yaw = np.where(agreement < 0, along + np.pi, along)
    return (yaw + np.pi) % (2 * np.pi) - np.pi, np.minimum(np.abs(agreement), 1.)


def covariance(log_variance: NDArray[np.float64], deviator: NDArray[np.float64]
               ) -> NDArray[np.float64]:
    """Returns (N, 2, 2) ``exp(a I + [[p, q], [q, -p]])`` [m^2]; see `losses.gaussian_nll`."""
    size = np.maximum(_length(deviator), 1e-9)
    p, q = (deviator / size[:, None]).T
    bounded = np.minimum(size, MAX_EXPONENT)
    scale = np.exp(np.clip(log_variance, -8., 4.))
    direction = np.stack([np.stack([p, q], -1), np.stack([q, -p], -1)], -2)
    return np.asarray(scale[:, None, None] * (
        np.cosh(bounded)[:, None, None] * np.eye(2)
        + np.sinh(bounded)[:, None, None] * direction))


def suppress(boxes: Boxes3D, nms_iou: float) -> Boxes3D:
    """Drops boxes that overlap a better one of any class by more than `nms_iou` (BEV, rotated).

    Args:
        boxes: Best score first.
        nms_iou: Intersection over union in bird's-eye view.
    """
    kept = np.ones(len(boxes), bool)
    for better, worse in zip(*(rows.tolist() for rows in overlapping_pairs(boxes, nms_iou)),
                             strict=True):
        if kept[better]:
            kept[worse] = False
    return boxes.select(kept)


def _length(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(vector, axis=-1))
