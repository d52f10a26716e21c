"""Strict conversion between ``sensor_msgs/PointCloud2`` and `Points`.

Works on any object with the attributes of the message, so it needs no ROS. Strictness costs
nothing because everything is read column by column.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_ros.point_layout import check_disjoint
from eq_ros.point_layout import CODES
from eq_ros.point_layout import Field
from eq_ros.point_layout import Layout
from eq_ros.point_layout import read_layout

INTENSITY_FIELDS = ('intensity', 'i', 'reflectivity')
TIME_FIELDS = ('t', 'time', 'timestamp', 'time_stamp', 'offset_time')
MAX_TIME_OFFSET = 1.0  # [s]; a scan is shorter, so anything beyond is in another unit
EPOCH = 1e6            # [s]; a time beyond eleven days is a clock reading, not an offset


@dataclass(frozen=True)
class DecodeOptions:
    """How a cloud is read.

    Attributes:
        max_points: Larger clouds are thinned evenly to this many points.
        max_range: Points with a coordinate beyond it are removed [m].
        intensity_scale: Raw intensity that counts as 1; 0 takes 1 for floats and the largest
            value for integers.
        require_intensity: Whether a cloud without intensity is refused.
    """

    max_points: int = 1_000_000
    max_range: float = 1000.
    intensity_scale: float = 0.
    require_intensity: bool = False

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: A value is out of range.
        """
        if self.max_points < 1 or not self.max_range > 0 or not self.intensity_scale >= 0:
            raise ConfigError('expected max_points >= 1, max_range > 0 and intensity_scale >= 0, '
                              f'got {self}')


@dataclass(frozen=True)
class Decoded:
    """A scan and what had to be done to get it.

    Attributes:
        points: Only finite points within range.
        total: Points the message holds.
        thinned: Points left out because of `max_points`.
        removed: Points left out because they are NaN, infinite or out of range.
        notes: What a user should know, by a stable key: `no_intensity`, `intensity_clipped`,
            `bad_time`, `thinned`, `mostly_invalid`.
    """

    points: Points
    total: int
    thinned: int
    removed: int
    notes: Mapping[str, str]


def decode(message: Any, options: DecodeOptions = DecodeOptions()) -> Decoded:
    """Reads a PointCloud2, whatever the order, type, padding or byte order of its fields.

    Args:
        message: ``sensor_msgs/PointCloud2``, or any object with its attributes; never changed.
        options: Limits and units.

    Returns:
        The scan in the frame and at the time of the message; an empty cloud gives empty points.

    Raises:
        InputError: With the reason `missing_field`, `bad_field` or `bad_layout`.
    """
    layout = read_layout(message)
    stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
    frame_id = str(message.header.frame_id)
    if len(layout) == 0:
        empty = Points.from_xyz(np.zeros((0, 3), np.float32), None, frame_id, stamp)
        return Decoded(empty, 0, 0, 0, {})
    xyz_fields, intensity_field, time_field = _choose(layout, options)
    index = _even_subset(len(layout), options.max_points)
    xyz, kept = read_xyz(layout, xyz_fields, index, options.max_range)
    count = len(layout) if index is None else len(index)
    if kept is not None:
        index = kept if index is None else index[kept]
    notes: dict[str, str] = {}
    intensity = _read_intensity(layout, intensity_field, index, xyz.shape[1], options, notes)
    time_offset = _read_time(layout, time_field, index, xyz.shape[1], stamp, notes)
    thinned, removed = len(layout) - count, count - xyz.shape[1]
    if thinned:
        notes['thinned'] = f'{len(layout)} points thinned to {options.max_points}'
    if removed * 2 > count:
        notes['mostly_invalid'] = (
            f'{removed} of {count} points are not finite or beyond {options.max_range:g} m')
    points = Points(xyz.T, intensity, time_offset, frame_id, stamp)
    return Decoded(points, len(layout), thinned, removed, notes)


def _choose(layout: Layout, options: DecodeOptions,
            ) -> tuple[list[Field], Field | None, Field | None]:
    """Finds the fields to read and refuses what cannot be meant."""
    found = coordinate_fields(layout)
    intensity, time = _first(layout, INTENSITY_FIELDS), _first(layout, TIME_FIELDS)
    if intensity is None and options.require_intensity:
        raise InputError(
            f"missing intensity, found {', '.join(layout.fields)}", 'missing_field')
    check_disjoint([field for field in (*found, intensity, time) if field is not None])
    return found, intensity, time


def coordinate_fields(layout: Layout) -> list[Field]:
    """The fields x, y and z.

    Raises:
        InputError: One is missing (`missing_field`), or is not one number a point (`bad_field`).
    """
    xyz = [layout.field(name) for name in 'xyz']
    found = [field for field in xyz if field is not None]
    if len(found) < 3:
        missing = ' '.join(name for name, field in zip('xyz', xyz, strict=True) if field is None)
        raise InputError(
            f"missing {missing}, found {', '.join(layout.fields) or 'no fields'}",
            'missing_field')
    return found


def _first(layout: Layout, names: tuple[str, ...]) -> Field | None:
    """The first of `names` that the cloud has."""
    return next((field for field in map(layout.field, names) if field is not None), None)


def _even_subset(total: int, limit: int) -> NDArray[np.int64] | None:
    """Row-major positions of an even subset, the same for every cloud of that size."""
    return None if total <= limit else np.arange(limit, dtype=np.int64) * total // limit


def read_xyz(layout: Layout, fields: list[Field], index: NDArray[np.int64] | None,
             max_range: float) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Reads the coordinates and removes what is not finite or out of range.

    The range is tested before the cast to float32, in which 1e300 would overflow. Minimum and
    maximum are NaN as soon as one value is, so six reductions prove a clean cloud clean.

    Args:
        layout: Of the cloud, which has a point.
        fields: Of the coordinates.
        index: (N,) positions in row-major order, or None for all points.
        max_range: Largest coordinate [m].

    Returns:
        (3, M) float32 [m] and the (M,) kept positions, None if all were kept.
    """
    count = len(layout) if index is None else len(index)
    single = all(field.datatype == CODES['f4'] for field in fields)
    columns = np.empty((3, count), np.float32 if single else np.float64)
    for row, field in zip(columns, fields, strict=True):
        row[:] = layout.column(field, index)
    if all(row.min() >= -max_range and row.max() <= max_range for row in columns):
        return columns.astype(np.float32, copy=False), None
    with np.errstate(invalid='ignore'):
        good = np.logical_and.reduce([np.abs(row) <= max_range for row in columns])
    kept = np.flatnonzero(good)
    return columns[:, kept].astype(np.float32, copy=False), kept


def _read_intensity(layout: Layout, field: Field | None, index: NDArray[np.int64] | None,
                    count: int, options: DecodeOptions, notes: dict[str, str],
                    ) -> NDArray[np.float32]:
    """Reads the intensity into [0, 1]; a NaN becomes 0, for its point is still a point."""
    if field is None:
        notes['no_intensity'] = 'the cloud has no intensity field, 0 is used'
        return np.zeros(count, np.float32)
    raw = layout.column(field, index)
    scale = options.intensity_scale
    if scale == 0.:
        scale = 1. if raw.dtype.kind == 'f' else float(np.iinfo(raw.dtype).max)
    with np.errstate(over='ignore', invalid='ignore', under='ignore'):
        values = raw.astype(np.float32)
        if scale != 1.:
            values /= np.float32(scale)
        if count and not (values.min() >= 0. and values.max() <= 1.):
            _note_clipped(values, scale, notes)
            values = np.fmin(np.fmax(values, np.float32(0.)), np.float32(1.))
    return values


def _note_clipped(values: NDArray[np.float32], scale: float, notes: dict[str, str]) -> None:
    """Says so when intensities are in another unit (0..255 is common) than assumed."""
    largest = float(np.fmax.reduce(values)) * scale
    if largest > 1.01 * scale:
        notes['intensity_clipped'] = (
            f'intensity reaches {largest:g} where {scale:g} was expected: set intensity_scale')


def _read_time(layout: Layout, field: Field | None, index: NDArray[np.int64] | None, count: int,
               stamp: int, notes: dict[str, str]) -> NDArray[np.float32]:
    """Reads the time of each point relative to the stamp [s]; zeros where it is unusable.

    Integers are nanoseconds (Ouster, Livox), floats are seconds (Velodyne offsets, Hesai and
    RoboSense clock readings), except that Livox sends float64 clock readings in nanoseconds.
    """
    zeros = np.zeros(count, np.float32)
    if field is None or count == 0:
        return zeros
    raw = layout.column(field, index)
    with np.errstate(over='ignore', invalid='ignore', under='ignore'):
        time = raw.astype(np.float64)
        if raw.dtype.kind != 'f' or np.abs(time).max() > 1e17:
            time *= 1e-9
        if raw.dtype.kind == 'f' and time.min() > EPOCH:
            time -= stamp * 1e-9 if stamp else time.min()
        if time.min() >= -MAX_TIME_OFFSET and time.max() <= MAX_TIME_OFFSET:
            return time.astype(np.float32)
    notes['bad_time'] = (
        f"field '{field.name}' is not within {MAX_TIME_OFFSET:g} s of the stamp, 0 is used")
    return zeros


def encode(points: Points, extra: Mapping[str, NDArray[Any]] | None = None,
           with_time: bool = False) -> SimpleNamespace:
    """Writes a scan as x, y, z, intensity (16 bytes a point), then time and `extra` columns.

    Args:
        points: The scan; N points.
        extra: Names to (N,) columns of a type that PointField knows, such as uint16 labels.
        with_time: Whether a float32 column `time` [s] is added.

    Returns:
        An object with the attributes of ``sensor_msgs/PointCloud2`` whose `data` is an
        ``array('B')``, the only type that rclpy takes without walking through every byte.

    Raises:
        InputError: A column has the wrong length or type (`bad_field`).
    """
    columns: dict[str, NDArray[Any]] = dict(zip('xyz', points.xyz.T, strict=True))
    columns['intensity'] = points.intensity
    if with_time:
        columns['time'] = points.time_offset
    columns.update(extra or {})
    for name, column in columns.items():
        if column.shape != (len(points),) or column.dtype.str[1:] not in CODES:
            raise InputError(
                f"column '{name}' must be ({len(points)},) of a PointField type, "
                f'got {column.shape} {column.dtype}', 'bad_field')
    record = np.dtype({'names': list(columns),
                       'formats': ['<' + column.dtype.str[1:] for column in columns.values()]})
    table = np.empty(len(points), record)
    for name, column in columns.items():
        table[name] = column
    data = array('B')
    data.frombytes(table.view(np.uint8).data)
    fields = [Field(name, record.fields[name][1], CODES[column.dtype.str[1:]])
              for name, column in columns.items()] if record.fields else []
    stamp = SimpleNamespace(sec=points.stamp // 10**9, nanosec=points.stamp % 10**9)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id=points.frame_id), height=1,
        width=len(points), fields=fields, is_bigendian=False, point_step=record.itemsize,
        row_step=record.itemsize * len(points), data=data, is_dense=True)
