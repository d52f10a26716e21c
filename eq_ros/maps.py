"""Strict reading of ``nav_msgs/OccupancyGrid`` and of updates of a part of it.

Works on any objects with the attributes of the messages, so it needs no ROS.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_core.geometry.occupancy import OccupancyMap
from eq_ros.poses import SECOND
from eq_ros.poses import StampedPose

UPRIGHT = 1e-3      # of the vertical axis of a map in its frame, in parts of its length


def decode_map(message: Any) -> OccupancyMap:
    """Reads a whole map.

    Args:
        message: With the attributes of ``nav_msgs/OccupancyGrid``.

    Raises:
        InputError: It is not what it says; the text names the values found and expected.
    """
    info = message.info
    cells = _cells(message.data, int(info.height), int(info.width))
    if not message.header.frame_id:
        raise InputError('the map has no frame_id', 'frame')
    stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
    x, y, yaw = planar_pose(info.origin, 'the origin of the map')
    return OccupancyMap(cells, float(info.resolution), (x, y, yaw), message.header.frame_id, stamp)


def apply_update(world: OccupancyMap, update: Any) -> OccupancyMap:
    """Changes a part of a map; the old one stays as it is.

    Args:
        world: The map.
        update: With the attributes of ``map_msgs/OccupancyGridUpdate``.

    Raises:
        InputError: It is not what it says, or is about another frame or another place.
    """
    if update.header.frame_id != world.frame_id:
        raise InputError(f"the update is in frame '{update.header.frame_id}', the map in "
                         f"'{world.frame_id}'", 'frame')
    part = _cells(update.data, int(update.height), int(update.width))
    top, left = int(update.y), int(update.x)
    bottom, right = top + part.shape[0], left + part.shape[1]
    height, width = world.cells.shape
    if top < 0 or left < 0 or bottom > height or right > width:
        raise InputError(f'the update covers rows {top}..{bottom - 1} and columns {left}..'
                         f'{right - 1} of a map of {height} x {width} cells', 'bad_layout')
    cells = world.cells.copy()
    cells[top:bottom, left:right] = part
    stamp = update.header.stamp.sec * SECOND + update.header.stamp.nanosec
    return replace(world, cells=cells, stamp=stamp)


def planar_pose(pose: Any, name: str) -> tuple[float, float, float]:
    """x, y, yaw of a ``geometry_msgs/Pose`` that stands upright.

    Raises:
        InputError: It is no pose, or it is tilted.
    """
    return planar(pose_matrix(pose, name), name)


def pose_matrix(pose: Any, name: str) -> NDArray[np.float64]:
    """(4, 4) of a ``geometry_msgs/Pose``.

    Raises:
        InputError: It is no pose.
    """
    try:
        return StampedPose.from_message(pose.position, pose.orientation, 0).matrix()
    except TransformError as error:
        raise InputError(f'{name} makes no sense: {error}', 'bad_pose') from error


def planar(matrix: NDArray[np.float64], name: str) -> tuple[float, float, float]:
    """x, y, yaw of a (4, 4) pose that stands upright.

    Raises:
        InputError: It is tilted.
    """
    tilt = float(np.hypot(*matrix[2, :2]))
    if tilt > UPRIGHT:
        raise InputError(f'{name} is tilted by {np.degrees(np.arcsin(min(1., tilt))):.2f} degrees',
                         'bad_pose')
    return (float(matrix[0, 3]), float(matrix[1, 3]),
            float(np.arctan2(matrix[1, 0], matrix[0, 0])))


def _cells(data: Any, height: int, width: int) -> NDArray[np.int8]:
    """(H, W), once the number of values is what it must be."""
    if len(data) != height * width:
        raise InputError(f'{height} x {width} cells need {height * width} values, got '
                         f'{len(data)}', 'bad_layout')
    if not len(data):
        raise InputError('the map has no cells', 'empty_map')
    flat = np.frombuffer(data, np.int8) if hasattr(data, 'typecode') else np.asarray(data)
    if flat.dtype != np.int8:
        if not (np.issubdtype(flat.dtype, np.integer) and -1 <= flat.min() <= flat.max() <= 100):
            raise InputError('cells must be whole numbers in -1..100', 'bad_cells')
        flat = flat.astype(np.int8)
    return flat.reshape(height, width)
