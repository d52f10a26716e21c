"""The byte layout of a PointCloud2: checked once, then read as numpy views without a copy.

Follows the definitions of ``sensor_msgs/PointCloud2`` and ``sensor_msgs/PointField``. Works on
any object with the attributes of the message, so it needs no ROS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_ros.raw_fields import raw_bytes
from eq_ros.raw_fields import whole_number

# sensor_msgs/PointField datatype constants -> numpy type character and width
DATATYPES: dict[int, str] = {
    1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}
CODES: dict[str, int] = {name: code for code, name in DATATYPES.items()}


@dataclass(frozen=True)
class Field:
    """One named column; the attributes are those of ``sensor_msgs/PointField``."""

    name: str
    offset: int
    datatype: int
    count: int = 1


@dataclass(frozen=True)
class Layout:
    """A layout that has been checked against its data.

    Attributes:
        height: Rows of points.
        width: Points in a row.
        point_step: Bytes from one point to the next.
        row_step: Bytes from one row to the next, at least ``width * point_step``.
        byte_order: ``'<'`` or ``'>'``.
        fields: Columns by name; names that occur twice are in `ambiguous` instead.
        ambiguous: Names that more than one field claims.
        data: All bytes, exactly ``height * row_step``, never written to.
    """

    height: int
    width: int
    point_step: int
    row_step: int
    byte_order: str
    fields: dict[str, Field]
    ambiguous: frozenset[str]
    data: memoryview

    def __len__(self) -> int:
        """Number of points."""
        return self.height * self.width

    def field(self, name: str) -> Field | None:
        """The field that holds one number a point under `name`, or None where there is none.

        Raises:
            InputError: The name is claimed twice, or the field is not one number a point
                (`bad_field`).
        """
        if name in self.ambiguous:
            raise InputError(f"field '{name}' occurs more than once", 'bad_field')
        field = self.fields.get(name)
        if field is not None and field.count != 1:
            raise InputError(
                f"field '{name}' has count {field.count}, expected 1", 'bad_field')
        return field

    def column(self, field: Field, index: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Reads one field.

        Args:
            field: One of `fields`.
            index: (M,) positions in row-major order, or None for all points.

        Returns:
            (N,) or (M,) array of the field's own type and byte order; a view where possible.
        """
        dtype = np.dtype(self.byte_order + DATATYPES[field.datatype])
        if self.row_step == self.width * self.point_step or self.height == 1:
            flat: NDArray[Any] = np.ndarray(
                (len(self),), dtype, self.data, field.offset, (self.point_step,))
            return flat if index is None else flat[index]
        rows: NDArray[Any] = np.ndarray(
            (self.height, self.width), dtype, self.data, field.offset,
            (self.row_step, self.point_step))
        return rows.reshape(-1) if index is None else rows[np.divmod(index, self.width)]


def read_layout(message: Any) -> Layout:
    """Checks sizes, fields and data of a message before anything is read from it.

    Args:
        message: ``sensor_msgs/PointCloud2``, or any object with its attributes.

    Returns:
        A layout in which no column can reach past the data.

    Raises:
        InputError: Sizes disagree (`bad_layout`) or a field is not of a known type (`bad_field`).
    """
    height, width = whole_number(message, 'height'), whole_number(message, 'width')
    point_step, row_step = whole_number(message, 'point_step'), whole_number(message, 'row_step')
    data = raw_bytes(message.data)
    if height * width == 0:
        if data.nbytes:
            raise InputError(
                f'{height} x {width} points but {data.nbytes} bytes of data', 'bad_layout')
        return Layout(height, width, point_step, row_step, '<', {}, frozenset(), data)
    if point_step == 0 or row_step < width * point_step:
        raise InputError(
            f'row_step {row_step} is too short for {width} points of {point_step} bytes',
            'bad_layout')
    if data.nbytes != height * row_step:
        raise InputError(
            f'{height} rows of {row_step} bytes need {height * row_step} bytes of data, '
            f'got {data.nbytes}', 'bad_layout')
    fields, ambiguous = _fields(message.fields, point_step)
    order = '>' if message.is_bigendian else '<'
    return Layout(height, width, point_step, row_step, order, fields, ambiguous, data)


def check_disjoint(fields: Iterable[Field]) -> None:
    """Refuses fields that share bytes, since then at least one of them must be wrong.

    Raises:
        InputError: Two of the fields overlap (`bad_layout`).
    """
    ordered = sorted(fields, key=lambda field: field.offset)
    for first, second in pairwise(ordered):
        if first.offset + _width(first) > second.offset:
            raise InputError(
                f"fields '{first.name}' and '{second.name}' overlap", 'bad_layout')


def _width(field: Field) -> int:
    """Bytes of one element."""
    return np.dtype(DATATYPES[field.datatype]).itemsize


def _fields(raw: Iterable[Any], point_step: int) -> tuple[dict[str, Field], frozenset[str]]:
    """Checks every field, used or not: one lie makes the whole description doubtful."""
    fields: dict[str, Field] = {}
    twice: set[str] = set()
    for item in raw:
        field = Field(str(item.name), whole_number(item, 'offset'), whole_number(item, 'datatype'),
                      whole_number(item, 'count'))
        if field.datatype not in DATATYPES:
            raise InputError(
                f"field '{field.name}' has unknown datatype {field.datatype}", 'bad_field')
        if field.offset + field.count * _width(field) > point_step:
            raise InputError(
                f"field '{field.name}' at offset {field.offset} reaches past the point_step "
                f'{point_step}', 'bad_layout')
        if field.name in fields:
            twice.add(field.name)
        fields[field.name] = field
    return fields, frozenset(twice)
