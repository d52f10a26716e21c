"""What a tracker refuses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_core.geometry.boxes3d import Boxes3D

_ROTATION_TOLERANCE = 1e-3
_COLUMNS = ('center', 'size', 'yaw', 'score', 'velocity', 'covariance', 'heading_confidence')


def check_boxes(boxes: Boxes3D, class_count: int) -> None:
    """Checks that boxes can be tracked.

    Raises:
        InputError: A number is not finite or out of range, or a label is unknown.
    """
    if not len(boxes):
        return
    for name in _COLUMNS:
        wrong = ~np.isfinite(getattr(boxes, name)).reshape(len(boxes), -1).all(1)
        if wrong.any():
            raise InputError(f'{name} of box {int(wrong.argmax())} is not finite', 'not_finite')
    for name, low, high in (('size', 1e-3, 1e3), ('score', 0, 1), ('heading_confidence', 0, 1),
                            ('label', 0, class_count - 1)):
        value = getattr(boxes, name)
        if np.any((value < low) | (value > high)):
            raise InputError(f'{name} must lie in [{low}, {high}], got [{value.min()}, '
                             f'{value.max()}]', 'bad_box')
    xx, xy, yy = boxes.covariance[:, 0, 0], boxes.covariance[:, 0, 1], boxes.covariance[:, 1, 1]
    indefinite = (xx < 0) | (yy < 0) | (xy**2 > xx * yy * (1 + 1e-6) + 1e-12)
    if np.any(indefinite | (np.abs(xy - boxes.covariance[:, 1, 0]) > 1e-6 * (xx + yy))):
        raise InputError('covariance must be symmetric and not negative', 'bad_box')


def check_pose(pose: NDArray[np.floating]) -> None:
    """Checks that a pose is a rigid transform that keeps z up.

    Raises:
        TransformError: It is not; the text says what was found.
    """
    if pose.shape != (4, 4):
        raise TransformError(f'pose must have shape (4, 4), got {pose.shape}')
    if not np.isfinite(pose).all():
        raise TransformError('pose is not finite')
    rotation = pose[:3, :3]
    error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise TransformError(f'pose is no rotation, R R^T differs from 1 by {error:.1e}')
    if rotation[2, 2] < .5:
        raise TransformError('pose tilts the sensor by more than 60 degrees')
