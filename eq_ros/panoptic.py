"""A class and an object for every point -> ``sensor_msgs/PointCloud2``. ROS-free."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import OutputError
from eq_core.geometry.points import Points
from eq_ros.pointcloud2 import encode

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
