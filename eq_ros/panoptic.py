"""A class and an object for every point <-> ``sensor_msgs/PointCloud2``. ROS-free."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.geometry.points import Points
from eq_ros.point_layout import check_disjoint
from eq_ros.point_layout import read_layout
from eq_ros.pointcloud2 import coordinate_fields
from eq_ros.pointcloud2 import encode
from eq_ros.pointcloud2 import read_xyz

COLUMNS: dict[str, Any] = {'semantic': np.uint16, 'instance': np.uint32, 'probability': np.float32}


def encode_panoptic(points: Points, semantic: NDArray[np.integer], instance: NDArray[np.integer],
                    probability: NDArray[np.floating]) -> SimpleNamespace:
    """Writes x, y, z, intensity, semantic (uint16), instance (uint32) and probability (float32).

    Args:
        points: The scan; N points.
        semantic: (N,) ids of classes, below 2^16.
        instance: (N,) ids of objects, 0 for none, below 2^32.
        probability: (N,) of the class, in [0, 1].

    Returns:
        An object with the attributes of the message, see `eq_ros.pointcloud2.encode`.

    Raises:
        OutputError: A column has the wrong length, or a number that its field cannot hold.
    """
    given = dict(zip(COLUMNS, (semantic, instance, probability), strict=True))
    for name, column in given.items():
        if column.shape != (len(points),):
            raise OutputError(f'{name} must have shape ({len(points)},), got {column.shape}')
        largest = 1 if name == 'probability' else np.iinfo(COLUMNS[name]).max
        # Written so that NaN is refused as well
        if len(points) and not (column.min() >= 0 and column.max() <= largest):
            raise OutputError(f'{name} must lie in [0, {largest}], got {column.min()} to '
                              f'{column.max()}')
    return encode(points, {name: column.astype(COLUMNS[name], copy=False)
                           for name, column in given.items()})


def decode_classes(message: Any, max_range: float
                   ) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Reads where points are and what they are, from any cloud with a field `semantic`.

    Args:
        message: ``sensor_msgs/PointCloud2``, or any object with its attributes.
        max_range: Points with a coordinate beyond it or that is not finite are removed [m].

    Returns:
        (N, 3) places in the frame of the message [m] and (N,) ids of classes.

    Raises:
        InputError: With the reason `missing_field`, `bad_field` or `bad_layout`.
    """
    layout = read_layout(message)
    if not len(layout):
        return np.zeros((0, 3), np.float32), np.zeros(0, np.uint16)
    places, field = coordinate_fields(layout), layout.field('semantic')
    if field is None:
        raise InputError(f"missing semantic, found {', '.join(layout.fields)}", 'missing_field')
    check_disjoint([*places, field])
    xyz, kept = read_xyz(layout, places, None, max_range)
    classes = layout.column(field, kept)
    if classes.dtype.kind not in 'iu':
        raise InputError(f"field 'semantic' must hold whole numbers, got {classes.dtype}",
                         'bad_field')
    return np.ascontiguousarray(xyz.T), classes
