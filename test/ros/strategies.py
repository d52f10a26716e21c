"""Hypothesis strategies for point clouds, and a slow obvious reader to check the fast one."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
import math
import struct
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
import numpy as np

PACK = {1: 'b', 2: 'B', 3: 'h', 4: 'H', 5: 'i', 6: 'I', 7: 'f', 8: 'd'}
WIDTH = {code: struct.calcsize(char) for code, char in PACK.items()}
INTENSITY = ('intensity', 'i', 'reflectivity')
TIME = ('t', 'time', 'timestamp', 'time_stamp', 'offset_time')

_ODD = [math.nan, math.inf, -math.inf, 0., -0., 1e30, -1e30, 5e-324, 1e-42, 999.9, 1000., 1000.5]
_CONTAINERS = {
    'bytes': bytes,
    'array': lambda raw: array('B', raw),
    'bytearray': bytearray,
    'read-only view': lambda raw: memoryview(raw).toreadonly(),
    'numpy': lambda raw: np.frombuffer(raw, np.uint8),
}


@dataclass(frozen=True)
class Malformed:
    """A message that must be refused, and for which of the reasons."""

    message: Any
    reasons: frozenset[str]


def _numbers(code: int) -> st.SearchStrategy[float | int]:
    """Values of one datatype, the awkward ones often."""
    if PACK[code] in 'fd':
        plain = st.floats(-200, 200, width=32 if code == 7 else 64)
        odd = st.sampled_from([value for value in _ODD if code == 8 or value != 5e-324])
        return st.one_of(plain, plain, plain, odd)
    low, high = _integer_range(code)
    return st.one_of(st.integers(max(low, -100), min(high, 100)), st.integers(low, high))


def _integer_range(code: int) -> tuple[int, int]:
    bits = 8 * WIDTH[code]
    return (-2 ** (bits - 1), 2 ** (bits - 1) - 1) if code in (1, 3, 5) else (0, 2 ** bits - 1)


@st.composite
def _fields(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """(name, datatype, count) in any order: x y z, perhaps intensity and time, perhaps others."""
    codes = st.sampled_from([7, 7, 7, 8, 1, 2, 3, 4, 5, 6])
    chosen = [(name, draw(codes), 1) for name in 'xyz']
    if draw(st.booleans()):
        chosen.append((draw(st.sampled_from(INTENSITY)), draw(codes), 1))
    if draw(st.booleans()):
        chosen.append((draw(st.sampled_from(TIME)), draw(codes), 1))
    extra = st.tuples(st.sampled_from(['ring', 'rgb', '_', 'normal']), st.integers(1, 8),
                      st.integers(0, 3))
    return draw(st.permutations(chosen + draw(st.lists(extra, max_size=2))))


@st.composite
def pointcloud2(draw: st.DrawFn, min_size: int = 0) -> Any:
    """A well-formed cloud: any field order and type, gaps, row padding, either byte order."""
    fields, offset = [], 0
    for name, code, count in draw(_fields()):
        offset += draw(st.integers(0, 3))
        fields.append(SimpleNamespace(name=name, offset=offset, datatype=code, count=count))
        offset += count * WIDTH[code]
    point_step = offset + draw(st.integers(0, 5))
    height, width = draw(st.integers(min_size, 3)), draw(st.integers(min_size, 5))
    row_step = width * point_step + draw(st.sampled_from([0, 0, 1, 7]))
    big = draw(st.booleans())
    raw = bytearray(b'\xab' * (height * row_step if height * width else 0))
    for row in range(height):
        for column in range(width):
            for field in fields:
                for index in range(field.count):
                    struct.pack_into(
                        ('>' if big else '<') + PACK[field.datatype], raw,
                        row * row_step + column * point_step + field.offset
                        + index * WIDTH[field.datatype], draw(_numbers(field.datatype)))
    container = _CONTAINERS[draw(st.sampled_from(sorted(_CONTAINERS)))]
    stamp = SimpleNamespace(sec=draw(st.integers(0, 2**31 - 1)),
                            nanosec=draw(st.integers(0, 10**9 - 1)))
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id='lidar'), height=height, width=width,
        fields=fields, is_bigendian=big, point_step=point_step, row_step=row_step,
        data=container(bytes(raw)), is_dense=draw(st.booleans()))


@st.composite
def malformed(draw: st.DrawFn) -> Malformed:
    """A cloud with one lie in it."""
    message = draw(pointcloud2(min_size=1))
    lie = draw(st.sampled_from(sorted(_LIES)))
    return Malformed(message, frozenset(_LIES[lie](draw, message)))


def _used(message: Any) -> list[Any]:
    return [field for field in message.fields if field.name in 'xyz']


def _lie_missing(draw: st.DrawFn, message: Any) -> set[str]:
    message.fields.remove(draw(st.sampled_from(_used(message))))
    return {'missing_field'}


def _lie_twice(draw: st.DrawFn, message: Any) -> set[str]:
    message.fields.append(SimpleNamespace(**vars(draw(st.sampled_from(_used(message))))))
    return {'bad_field'}


def _lie_datatype(draw: st.DrawFn, message: Any) -> set[str]:
    draw(st.sampled_from(message.fields)).datatype = draw(st.sampled_from([0, 9, 255]))
    return {'bad_field', 'bad_layout'}


def _lie_count(draw: st.DrawFn, message: Any) -> set[str]:
    draw(st.sampled_from(_used(message))).count = draw(st.sampled_from([0, 2, 2**32 - 1]))
    return {'bad_field', 'bad_layout'}


def _lie_overlap(draw: st.DrawFn, message: Any) -> set[str]:
    first, second = draw(st.permutations(_used(message)))[:2]
    second.offset, second.datatype = first.offset, first.datatype
    return {'bad_layout'}


def _lie_offset(draw: st.DrawFn, message: Any) -> set[str]:
    field = draw(st.sampled_from(_used(message)))
    field.offset = draw(st.sampled_from([message.point_step, 2**32 - 1]))
    return {'bad_layout'}


def _lie_data(draw: st.DrawFn, message: Any) -> set[str]:
    raw = bytes(message.data)
    message.data = draw(st.sampled_from([raw[:-1], raw + b'\0', b'', raw * 2]))
    return {'bad_layout'}


def _lie_size(draw: st.DrawFn, message: Any) -> set[str]:
    name = draw(st.sampled_from(['width', 'height', 'point_step', 'row_step']))
    huge = draw(st.sampled_from([0, 2**31, 2**32 - 1]))
    setattr(message, name, huge)
    return {'bad_layout'}


_LIES = {'missing': _lie_missing, 'twice': _lie_twice, 'datatype': _lie_datatype,
         'count': _lie_count, 'overlap': _lie_overlap, 'offset': _lie_offset,
         'data': _lie_data, 'size': _lie_size}


def anything() -> st.SearchStrategy[Any]:
    """Any message that could be sent at all, sense or no sense."""
    small = st.one_of(st.integers(0, 40), st.sampled_from([2**31, 2**32 - 1]))
    field = st.builds(
        SimpleNamespace, name=st.sampled_from(['x', 'y', 'z', 'intensity', 't', '']), offset=small,
        datatype=st.integers(0, 10), count=st.one_of(st.just(1), small))
    return st.builds(
        SimpleNamespace,
        header=st.just(SimpleNamespace(stamp=SimpleNamespace(sec=-1, nanosec=2**32 - 1),
                                       frame_id='')),
        height=small, width=small, fields=st.lists(field, max_size=6), is_bigendian=st.booleans(),
        point_step=small, row_step=small, data=st.binary(max_size=200), is_dense=st.booleans())


def read_slowly(message: Any, max_range: float = 1000., intensity_scale: float = 0.,
                ) -> tuple[list[tuple[float, ...]], list[float], list[float]]:
    """Reads a well-formed cloud one number at a time.

    Returns:
        Coordinates as float32, intensities in [0, 1], and times relative to the stamp.
    """
    order, raw = '>' if message.is_bigendian else '<', bytes(message.data)
    by_name = {field.name: field for field in message.fields}
    intensity = next((by_name[name] for name in INTENSITY if name in by_name), None)
    time = next((by_name[name] for name in TIME if name in by_name), None)
    xyz, intensities, times = [], [], []
    for row in range(message.height):
        for column in range(message.width):
            start = row * message.row_step + column * message.point_step

            def read(field: Any, start: int = start) -> Any:
                return struct.unpack_from(
                    order + PACK[field.datatype], raw, start + field.offset)[0]
            point = [read(by_name[name]) for name in 'xyz']
            if not all(math.isfinite(value) and abs(value) <= max_range for value in point):
                continue
            xyz.append(tuple(struct.unpack('f', struct.pack('f', value))[0] for value in point))
            intensities.append(
                0. if intensity is None
                else _unit(read(intensity), intensity.datatype, intensity_scale))
            times.append(0. if time is None else read(time))
    if time is not None and times:
        times = _relative(times, time.datatype, message.header.stamp)
    return xyz, intensities, times


def _unit(value: float, code: int, scale: float) -> float:
    """Intensity between 0 and 1; NaN counts as 0."""
    if scale == 0.:
        scale = 1. if code in (7, 8) else float(_integer_range(code)[1])
    return 0. if math.isnan(value) else min(max(value / scale, 0.), 1.)


def _relative(times: list[float], code: int, stamp: Any) -> list[float]:
    """Times in seconds after the stamp, all zero if one of them makes no sense."""
    if code not in (7, 8):
        times = [value * 1e-9 for value in times]
    elif min(times) > 1e6:
        start = stamp.sec + stamp.nanosec * 1e-9
        times = [value - (start or min(times)) for value in times]
    return times if all(abs(value) <= 1. for value in times) else [0.] * len(times)
