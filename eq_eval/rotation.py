"""Turning whole scans, exactly where a turn can be exact."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.points import Points
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.scan import LabeledScan

_QUARTER = np.array([[0., -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def yaw_pose(degrees: float) -> NDArray[np.float64]:
    """A turn about z.

    Multiples of 90 degrees give matrices of whole numbers, and turns that differ by 90 degrees
    differ by just such a matrix; cos(pi/2) = 6e-17 would break both.

    Args:
        degrees: Angle, counter-clockwise seen from above.

    Returns:
        (4, 4) matrix.

    >>> yaw_pose(90)[:2, :2].tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    quarters = math.floor(degrees / 90)
    rest = math.radians(degrees - 90 * quarters)
    turn = np.eye(4)
    turn[:2, :2] = [[math.cos(rest), -math.sin(rest)], [math.sin(rest), math.cos(rest)]]
    for _ in range(quarters % 4):
        turn = _QUARTER @ turn
    return turn + 0.  # no negative zeros


def turned(scan: LabeledScan, degrees: float) -> LabeledScan:
    """The scan as the sensor would see it if the world were turned about it.

    Args:
        scan: A scan with whatever labels it has.
        degrees: Angle, counter-clockwise seen from above.
    """
    if degrees == 0:
        return scan
    turn = yaw_pose(degrees)
    back = turn.T
    view, angle = scan.field_of_view, math.radians(degrees)
    moved = dataclasses.replace(
        scan, points=_turned_points(scan.points, degrees), pose=scan.pose @ back,
        boxes=None if scan.boxes is None else scan.boxes.transformed(turn),
        field_of_view=None if view is None else (view[0] + angle, view[1] + angle))
    if not isinstance(moved, KittiScan) or moved.image is None:
        return moved
    mount = moved.image.calibration
    return dataclasses.replace(moved, image=dataclasses.replace(
        moved.image, calibration=dataclasses.replace(
            mount, camera_from_velodyne=mount.camera_from_velodyne @ back)))


def _turned_points(points: Points, degrees: float) -> Points:
    """Turns points; quarter turns are exact to the sign of zero.

    A product of matrices loses that sign, and with it on which side of an axis a point of
    quantised data is counted.
    """
    turn = yaw_pose(degrees)
    if degrees % 90:
        return points.transformed(turn)
    column = np.abs(turn[:3, :3]).argmax(1)
    sign = turn[np.arange(3), column].astype(np.float32)
    return dataclasses.replace(points, xyz=np.ascontiguousarray(points.xyz[:, column] * sign))


def within(azimuth: NDArray[np.float64], limits: tuple[float, float] | None,
           ) -> NDArray[np.bool_]:
    """Whether azimuths lie in a field of view, which may reach over +-180 degrees.

    Args:
        azimuth: (N,) [rad].
        limits: Lowest and highest azimuth [rad]; None for a full circle.
    """
    if limits is None:
        return np.ones(azimuth.shape, bool)
    return np.asarray((azimuth - limits[0]) % (2 * math.pi) <= limits[1] - limits[0])
