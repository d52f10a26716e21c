"""The last look at boxes before they are published. ROS-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eq_core.errors import OutputError
from eq_core.geometry.boxes3d import Boxes3D

_NUMBERS = ('center', 'size', 'yaw', 'score', 'velocity', 'covariance', 'heading_confidence')


@dataclass(frozen=True)
class Checked:
    """Boxes that may be published.

    Attributes:
        boxes: At most `max_objects`, best scores first kept, order as before.
        degenerate: Boxes left out because a side is not within (0, max_size].
        surplus: Boxes left out because there were too many.
    """

    boxes: Boxes3D
    degenerate: int
    surplus: int


def check_boxes(boxes: Boxes3D, class_count: int, max_objects: int, max_size: float) -> Checked:
    """Refuses nonsense as a whole and removes single boxes that cannot be.

    Args:
        boxes: What the model answered.
        class_count: Labels must be below it.
        max_objects: Most boxes to keep.
        max_size: Longest side [m].

    Raises:
        OutputError: A number is not finite or a label has no class: then nothing of the answer
            can be trusted.
    """
    for name in _NUMBERS:
        values = getattr(boxes, name)
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise OutputError(f'{name} of box {row} is not finite: {values[row]}')
    if len(boxes) and (boxes.label.min() < 0 or boxes.label.max() >= class_count):
        raise OutputError(f'labels must be below {class_count}, got {boxes.label.min()} to '
                          f'{boxes.label.max()}')
    possible = np.logical_and(boxes.size > 0, boxes.size <= max_size).all(axis=1)
    degenerate = int(len(boxes) - possible.sum())
    if degenerate:
        boxes = boxes.select(np.flatnonzero(possible))
    surplus = max(0, len(boxes) - max_objects)
    if surplus:
        best = np.argsort(-np.asarray(boxes.score), kind='stable')[:max_objects]
        boxes = boxes.select(np.sort(best))
    return Checked(boxes, degenerate, surplus)
