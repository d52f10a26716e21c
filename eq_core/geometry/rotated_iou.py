"""Overlap of upright oriented boxes, in the bird's eye view and in 3D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import shapely

from eq_core.geometry.boxes3d import Boxes3D

Array = NDArray[np.float64]


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


def _near_pairs(first: Boxes3D, second: Boxes3D) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs whose circumscribed circles touch; the others cannot overlap.

    Of boxes with themselves each pair comes once.
    """
    reach = [np.hypot(boxes.size[:, 0], boxes.size[:, 1]) / 2 for boxes in (first, second)]
    apart = np.linalg.norm(first.center[:, None, :2] - second.center[None, :, :2], axis=-1)
    near = apart < reach[0][:, None] + reach[1][None, :]
    # A footprint without area is not a valid polygon.
    near &= (_area(first) > 0)[:, None] & (_area(second) > 0)[None, :]
    rows, columns = np.nonzero(np.triu(near) if first is second else near)
    return rows, columns


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
