"""Reads ROS 1 bags record by record, so that a missing index or a damaged chunk costs no more.

The format is "Bags/Format/2.0" of the ROS wiki: records of a header (fields `name=value`) and
data, each after its length; chunks hold connections and messages.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
import mmap
from pathlib import Path
import struct

from eq_eval.replay.bag_files import Damage
from eq_eval.replay.bag_files import RawMessage

_MAGIC = b'#ROSBAG V2.0\n'
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_LARGEST_HEADER = 1 << 20  # [bytes]; a longer one is no header

Fields = dict[str, bytes]


@dataclass(frozen=True)
class Connection:
    """What a bag tells of a topic; the type has its ROS 2 name."""

    topic: str
    type_name: str
    definition: str
    digest: str


def read_ros1_messages(file: Path) -> Iterator[RawMessage | Damage]:
    """Reads a bag to its end, as far as it goes."""
    data = _mapped(file)
    if bytes(data[:len(_MAGIC)]) != _MAGIC:
        yield Damage(f'{file.name} is no ROS 1 bag', fatal=True)
        return
    known: dict[bytes, Connection] = {}
    place = len(_MAGIC)
    while place < len(data):
        fields, body, following = _record(data, place)
        if fields is None:
            yield Damage(f'{file.name} ends too early or is damaged at byte {place}', fatal=True)
            return
        if fields.get('op') == bytes([_CHUNK]):
            try:
                inside = memoryview(_unpacked(fields.get('compression', b'none'), bytes(body)))
            except (OSError, ValueError, EOFError, RuntimeError) as error:
                yield Damage(f'{file.name}: a chunk is damaged: {error}', fatal=False)
                inside = memoryview(b'')
            yield from _messages(inside, known)
        if following > len(data):
            yield Damage(f'{file.name} ends too early', fatal=True)
        place = following


def _mapped(file: Path) -> memoryview:
    """The bytes of a file, read when they are looked at."""
    if file.stat().st_size == 0:
        return memoryview(b'')
    with file.open('rb') as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _messages(chunk: memoryview, known: dict[bytes, Connection]) -> Iterator[RawMessage]:
    """The whole messages of a chunk; `known` keeps what is told of connections."""
    place = 0
    while place < len(chunk):
        fields, body, following = _record(chunk, place)
        if fields is None or following > len(chunk):
            return
        place = following
        number = fields.get('conn', b'')
        if fields.get('op') == bytes([_CONNECTION]):
            told = _fields(body) or {}
            known[number] = Connection(
                _text(fields.get('topic')), _text(told.get('type')).replace('/', '/msg/'),
                _text(told.get('message_definition')), _text(told.get('md5sum')))
        elif fields.get('op') == bytes([_MESSAGE]) and number in known:
            connection = known[number]
            seconds, nanoseconds = struct.unpack('<II', fields['time'])
            yield RawMessage(connection.topic, connection.type_name, connection.definition,
                             seconds * 1_000_000_000 + nanoseconds, bytes(body),
                             connection.digest)


def _text(value: bytes | None) -> str:
    return (value or b'').decode(errors='replace')


def _record(data: memoryview, place: int) -> tuple[Fields | None, memoryview, int]:
    """A record: its header, its data, and where the next begins, which may be beyond the end.

    Returns:
        None as the header where there is no sound one.
    """
    nothing = None, data[:0], len(data)
    if place + 4 > len(data):
        return nothing
    length, = struct.unpack_from('<I', data, place)
    begin = place + 4 + length + 4
    if length > _LARGEST_HEADER or begin > len(data):
        return nothing
    fields = _fields(data[place + 4:place + 4 + length])
    size, = struct.unpack_from('<I', data, begin - 4)
    if fields is None or 'op' not in fields:
        return nothing
    return fields, data[begin:begin + size], begin + size


def _fields(header: memoryview) -> Fields | None:
    """The fields of a header, None where they do not add up."""
    fields: Fields = {}
    place = 0
    while place < len(header):
        if place + 4 > len(header):
            return None
        length, = struct.unpack_from('<I', header, place)
        name, equals, value = bytes(header[place + 4:place + 4 + length]).partition(b'=')
        place += 4 + length
        if not equals or place > len(header):
            return None
        fields[name.decode(errors='replace')] = value
    return fields


def _unpacked(compression: bytes, data: bytes) -> bytes:
    """As much as can be had of a chunk, whose end may be missing."""
    if compression == b'bz2':
        return bz2.BZ2Decompressor().decompress(data)
    if compression == b'lz4':
        return bytes(import_module('lz4.frame').LZ4FrameDecompressor().decompress(data))
    return data
