"""Which points lie inside which boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D


def points_in_boxes(xyz: NDArray[np.floating], boxes: Boxes3D,
                    margin: float = 0.) -> list[NDArray[np.intp]]:
    """Finds the points inside each box; the faces belong to the box.

    Args:
        xyz: (N, 3) coordinates [m], in the frame of the boxes.
        boxes: M boxes.
        margin: Growth of every box on every side [m].

    Returns:
        M arrays of positions in `xyz`, ascending; one point may lie in several boxes.
    """
    x, y = np.ascontiguousarray(xyz[:, 0]), np.ascontiguousarray(xyz[:, 1])
    found = []
    for center, size, yaw in zip(boxes.center, boxes.size, boxes.yaw, strict=True):
        half = size / 2 + margin
        reach = float(np.hypot(half[0], half[1]))
        # A square around the box throws out nearly all points at the price of four comparisons.
        near = np.flatnonzero((np.abs(x - center[0]) <= reach) & (np.abs(y - center[1]) <= reach))
        found.append(near[_inside(xyz[near], center, half, yaw)])
    return found


def count_points_in_boxes(xyz: NDArray[np.floating], boxes: Boxes3D,
                          margin: float = 0.) -> NDArray[np.int64]:
    """Counts the points inside each box.

    Args:
        xyz: (N, 3) coordinates [m], in the frame of the boxes.
        boxes: M boxes.
        margin: Growth of every box on every side [m].

    Returns:
        (M,) int64.
    """
    return np.array([len(index) for index in points_in_boxes(xyz, boxes, margin)], np.int64)


def _inside(xyz: NDArray[np.floating], center: NDArray[np.float64], half: NDArray[np.float64],
            yaw: float) -> NDArray[np.bool_]:
    """Mask of the points within `half` of `center` along the box's own axes."""
    offset = xyz.astype(np.float64) - center
    cos, sin = np.cos(yaw), np.sin(yaw)
    along = offset[:, 0] * cos + offset[:, 1] * sin
    across = offset[:, 1] * cos - offset[:, 0] * sin
    own = np.stack([along, across, offset[:, 2]], 1)
    inside: NDArray[np.bool_] = (np.abs(own) <= half).all(1)
    return inside
