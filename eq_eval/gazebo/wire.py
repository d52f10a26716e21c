"""Messages of Gazebo 11 as bytes: the few fields that we need, in protobuf's encoding.

Generated code would tie us to one version of protobuf; the encoding itself never changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import struct

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
RANGES = 13     # field of a LaserScan
Double = NDArray[np.float64]


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a message: whole numbers, or bytes.

    Raises:
        InputError: It ends in the middle of a field, or is no message.
    """
    return ((number, value) for number, value, _ in _placed(data))


def _placed(data: bytes) -> Iterator[tuple[int, int | bytes, int]]:
    """As `fields`, with where each begins."""
    place = 0
    while place < len(data):
        begin = place
        key, place = _varint(data, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value, begin
            continue
        if kind == LENGTH:
            size, place = _varint(data, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise InputError(f'there is no wire type {kind}', 'bad_layout')
        if place + size > len(data):
            raise InputError(f'a field of {size} bytes is cut off', 'bad_layout')
        yield key >> 3, data[place:place + size], begin
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise InputError('a number is cut off', 'bad_layout')


def message(**parts: int | float | str | bytes) -> bytes:
    """Encodes fields that are named `_1`, `_2` and so on by their numbers."""
    data = b''
    for name, value in parts.items():
        number = int(name[1:])
        if isinstance(value, float):
            data += _number(number << 3 | FIXED64) + struct.pack('<d', value)
        elif isinstance(value, int):
            data += _number(number << 3 | VARINT) + _number(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            data += _number(number << 3 | LENGTH) + _number(len(raw)) + raw
    return data


def _number(value: int) -> bytes:
    data = b''
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def time_of(data: bytes) -> int:
    """Reads a Time [ns]."""
    parts = {number: value for number, value in fields(data) if isinstance(value, int)}
    return parts.get(1, 0) * 10**9 + parts.get(2, 0)


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan of a `ray` sensor.

    Attributes:
        stamp: [ns].
        ranges: (rows, columns) [m], lowest row first, to the left; infinite where nothing is.
        azimuth: First and last of the columns [rad].
        elevation: First and last of the rows [rad].
    """

    stamp: int
    ranges: Double
    azimuth: tuple[float, float]
    elevation: tuple[float, float]


def read_scan(data: bytes) -> Scan:
    """Reads a LaserScanStamped.

    Raises:
        InputError: It is none.
    """
    outer = dict(fields(data))
    scan, stamp = outer.get(2), outer.get(1)
    if not isinstance(scan, bytes) or not isinstance(stamp, bytes):
        raise InputError('a scan without its time or its rays', 'bad_layout')
    angles: dict[int, float] = {}
    counts: dict[int, int] = {}
    first = len(scan)
    for number, value, begin in _placed(scan):
        if number == RANGES:
            first = begin
            break       # what follows are as many of these as there are rays, then intensities
        if isinstance(value, int):
            counts[number] = value
        elif number in (3, 4, 9, 10):
            angles[number] = struct.unpack('<d', value)[0]
    count = counts.get(8, 0) * counts.get(12, 0)
    rays = np.frombuffer(scan[first:first + 9 * count], np.uint8)
    if len(angles) != 4 or len(rays) != 9 * count or (rays[::9] != RANGES << 3 | FIXED64).any():
        raise InputError(f'a scan of {counts.get(12)} x {counts.get(8)} rays without as many '
                         'ranges', 'bad_layout')
    values = rays.reshape(-1, 9)[:, 1:].copy().view('<f8')
    return Scan(time_of(stamp), values.reshape(counts[12], counts[8]), (angles[3], angles[4]),
                (angles[9], angles[10]))


def read_poses(data: bytes) -> tuple[int, dict[str, tuple[Double, Double]]]:
    """Reads a PosesStamped: its time [ns], and by name positions (3,) and quaternions x y z w."""
    stamp, poses = 0, {}
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            stamp = time_of(value)
        elif isinstance(value, bytes):
            pose = dict(fields(value))
            name, position, turn = (pose.get(key) for key in (1, 3, 4))
            if isinstance(name, bytes) and isinstance(position, bytes) and isinstance(turn, bytes):
                poses[name.decode()] = _doubles(position), _doubles(turn)
    return stamp, poses


def _doubles(data: bytes) -> Double:
    return np.array([struct.unpack('<d', value)[0] for _, value in fields(data)
                     if isinstance(value, bytes) and len(value) == 8])
