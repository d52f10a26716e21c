"""Strict reading of coloured points out of ``sensor_msgs/PointCloud2``. ROS-free."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_ros.images import BAD
from eq_ros.images import FARTHEST
from eq_ros.images import refuse_black
from eq_ros.point_layout import check_disjoint
from eq_ros.point_layout import CODES
from eq_ros.point_layout import Field
from eq_ros.point_layout import Layout
from eq_ros.point_layout import read_layout
from eq_ros.pointcloud2 import coordinate_fields
from eq_ros.pointcloud2 import read_xyz

COLOR_FIELDS = ('rgb', 'rgba')
SHIFTS = (16, 8, 0)     # of red, green and blue in 0xAARRGGBB, as PCL packs them

Float = NDArray[np.float32]


def decode_colored(message: Any) -> tuple[Float, Float]:
    """Reads places and colours of all points that are finite.

    Args:
        message: With the attributes of ``sensor_msgs/PointCloud2``.

    Returns:
        (N, 3) float32 [m] in the frame of the message, and (N, 3) float32 red, green, blue in
        [0, 1].

    Raises:
        InputError: It is not what it says (`missing_field`, `bad_field`, `bad_layout`), or there
            is nothing to see (`bad_image`).
    """
    layout = read_layout(message)
    if not len(layout):
        raise InputError('the cloud has no points', BAD)
    xyz_fields, color_field = coordinate_fields(layout), _color_field(layout)
    check_disjoint([*xyz_fields, color_field])
    xyz, kept = read_xyz(layout, xyz_fields, None, FARTHEST)
    if not xyz.shape[1]:
        raise InputError(f'no point of the cloud is finite and within {FARTHEST:g} m', BAD)
    packed = np.ascontiguousarray(layout.column(color_field, kept))
    # The bits of a float, never its value
    bits = packed.view(layout.byte_order + 'u4').astype(np.uint32)
    color = np.stack([(bits >> shift) & 255 for shift in SHIFTS], -1).astype(np.float32)
    color /= np.float32(255)
    refuse_black(color, 'the cloud')
    return np.ascontiguousarray(xyz.T), color


def _color_field(layout: Layout) -> Field:
    """The field that packs the colour of a point into four bytes."""
    for name in COLOR_FIELDS:
        field = layout.field(name)
        if field is None:
            continue
        if field.datatype not in (CODES['f4'], CODES['u4'], CODES['i4']):
            raise InputError(f"field '{name}' has datatype {field.datatype}, expected four bytes",
                             'bad_field')
        return field
    raise InputError(f'missing {" or ".join(COLOR_FIELDS)}, found '
                     f'{", ".join(layout.fields) or "no fields"}', 'missing_field')
