"""Overlap of upright oriented boxes, in the bird's eye view and in 3D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import shapely

from eq_core.geometry.boxes3d import Boxes3D

Array = NDArray[np.float64]
Index = NDArray[np.intp]
_ROUNDING = 1e-6   # far above that of the bound, far below what matters


def iou_bev(first: Boxes3D, second: Boxes3D) -> Array:
    """Intersection over union of the footprints.

    Args:
        first: N boxes.
        second: M boxes in the same frame.

    Returns:
        (N, M) float64 in [0, 1]; 0 for boxes without area.
    """
    overlap = intersection_bev(first, second)
    area = _area(first)[:, None] + _area(second)[None, :]
    return _ratio(overlap, area - overlap)


def iou_3d(first: Boxes3D, second: Boxes3D) -> Array:
    """Intersection over union of the volumes.

    Args:
        first: N boxes.
        second: M boxes in the same frame.

    Returns:
        (N, M) float64 in [0, 1]; 0 for boxes without volume.
    """
    overlap = intersection_bev(first, second) * _overlap_z(first, second)
    volume = (_area(first) * first.size[:, 2])[:, None] + _area(second) * second.size[:, 2]
    return _ratio(overlap, volume - overlap)


def intersection_bev(first: Boxes3D, second: Boxes3D) -> Array:
    """Area that two footprints share.

    Args:
        first: N boxes.
        second: M boxes in the same frame.

    Returns:
        (N, M) float64 [m^2].
    """
    result = np.zeros((len(first), len(second)))
    rows, columns = _near_pairs(first, second)
    if len(rows) == 0:
        return result
    polygons_first = shapely.polygons(first.corners_bev())
    polygons_second = shapely.polygons(second.corners_bev())
    shared = shapely.intersection(polygons_first[rows], polygons_second[columns])
    result[rows, columns] = shapely.area(shared)
    if first is second:
        result[columns, rows] = result[rows, columns]
    return result


def overlapping_pairs(boxes: Boxes3D, least: float) -> tuple[Index, Index]:
    """Pairs of boxes whose footprints overlap by more than `least` (intersection over union).

    The same as ``iou_bev(boxes, boxes) > least`` above the diagonal, but polygons are cut only
    where bounds that cost nothing leave it open.

    Args:
        boxes: N boxes.
        least: Intersection over union, 0 or more.

    Returns:
        (M,) and (M,) positions, the first below the second, in the order of rows, then columns.
    """
    rows, columns = _near_pairs(boxes, boxes)
    rows, columns = rows[rows < columns], columns[rows < columns]
    lower, upper = _iou_bounds(boxes, rows, columns)
    found = lower > least
    unsure = np.flatnonzero(~found & (upper > least))
    if len(unsure):
        one, other = rows[unsure], columns[unsure]
        polygons, area = shapely.polygons(boxes.corners_bev()), _area(boxes)
        overlap = shapely.area(shapely.intersection(polygons[one], polygons[other]))
        found[unsure] = _ratio(overlap, area[one] + area[other] - overlap) > least
    return rows[found], columns[found]


def _iou_bounds(boxes: Boxes3D, rows: Index, columns: Index) -> tuple[Array, Array]:
    """Bounds of the overlap of pairs from below and above, wider than rounding can be wrong.

    In the frame of either box the other one lies within a rectangle along the axes, and a smaller
    one about the same centre lies within it; what the boxes share is bounded by what the first
    shares with these.
    """
    half, area = boxes.size[:, :2] / 2, _area(boxes)
    offset = boxes.center[columns, :2] - boxes.center[rows, :2]
    between = boxes.yaw[columns] - boxes.yaw[rows]
    cos, sin = np.abs(np.cos(between))[:, None], np.abs(np.sin(between))[:, None]
    least, most = np.zeros(len(rows)), np.minimum(area[rows], area[columns])
    for one, other in ((rows, columns), (columns, rows)):
        along, across = np.cos(boxes.yaw[one]), np.sin(boxes.yaw[one])
        place = np.stack([along * offset[:, 0] + across * offset[:, 1],
                          along * offset[:, 1] - across * offset[:, 0]], axis=1)
        outer = cos * half[other] + sin * half[other][:, ::-1]
        inner = half[other] * (half[other] / outer).min(1, keepdims=True)
        shared = [(np.minimum(half[one], place + reach) - np.maximum(-half[one], place - reach)
                   ).clip(0.).prod(1) for reach in (inner, outer)]
        least, most = np.maximum(least, shared[0]), np.minimum(most, shared[1])
        offset = -offset
    both = area[rows] + area[columns]
    return _ratio(least, both - least) - _ROUNDING, _ratio(most, both - most) + _ROUNDING


def _near_pairs(first: Boxes3D, second: Boxes3D) -> tuple[Index, Index]:
    """Pairs whose circumscribed circles touch; the others cannot overlap.

    Of boxes with themselves each pair comes once.
    """
    reach = [np.hypot(boxes.size[:, 0], boxes.size[:, 1]) / 2 for boxes in (first, second)]
    x, y = (np.subtract.outer(first.center[:, axis], second.center[:, axis]) for axis in (0, 1))
    rows, columns = np.nonzero(x * x + y * y < np.add.outer(*reach) ** 2)
    # A footprint without area is not a valid polygon.
    sound = (_area(first)[rows] > 0) & (_area(second)[columns] > 0)
    if first is second:
        sound &= rows <= columns
    return rows[sound], columns[sound]


def _overlap_z(first: Boxes3D, second: Boxes3D) -> Array:
    """(N, M) height [m] that two boxes share."""
    top = np.minimum((first.center[:, 2] + first.size[:, 2] / 2)[:, None],
                     second.center[:, 2] + second.size[:, 2] / 2)
    bottom = np.maximum((first.center[:, 2] - first.size[:, 2] / 2)[:, None],
                        second.center[:, 2] - second.size[:, 2] / 2)
    shared: Array = (top - bottom).clip(0.)
    return shared


def _area(boxes: Boxes3D) -> Array:
    """(N,) area of the footprints [m^2]; 0 where a side is not positive."""
    sides = boxes.size[:, :2].clip(0.)
    return sides.prod(1)


def _ratio(overlap: Array, union: Array) -> Array:
    """Overlap / union, 0 where there is no union, never outside [0, 1] by rounding."""
    ratio = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratio.clip(0., 1.)
