"""Reads bag files record by record, so that damage in one place costs only that place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
import os
from pathlib import Path
import shutil
import sqlite3
import struct
from tempfile import TemporaryDirectory
from typing import Any

from eq_core.errors import InputError

_PATIENCE = 1000  # rows that may fail one after the other before a file is given up
_RECORD_HEADER = 9                   # opcode and length of an MCAP record [bytes]
_CHUNK_HEADER = _RECORD_HEADER + 28  # and two times, size and CRC of a chunk [bytes]


@dataclass(frozen=True)
class RawMessage:
    """One message as it lies in a bag.

    Attributes:
        topic: Full name.
        type_name: Such as ``'sensor_msgs/msg/PointCloud2'``.
        definition: Text of the message definition, empty where the file has none.
        stamp: Time of recording [ns].
        data: CDR bytes, or ROS 1 bytes from a ROS 1 bag.
        digest: MD5 sum of the definition in a ROS 1 bag, empty elsewhere.
    """

    topic: str
    type_name: str
    definition: str
    stamp: int
    data: bytes
    digest: str = ''


@dataclass(frozen=True)
class Damage:
    """A place that could not be read: what is wrong, and whether the file goes on behind it."""

    text: str
    fatal: bool


def storage_files(path: Path) -> list[Path]:
    """The MCAP and sqlite3 files of a rosbag2 recording, given as folder or file; maybe none."""
    if path.is_file():
        return [path] if path.suffix in ('.mcap', '.db3') else []
    return sorted([*path.glob('*.mcap'), *path.glob('*.db3')])


def promised_counts(path: Path) -> dict[str, int]:
    """Topic to number of messages as `metadata.yaml` has it; empty where that is unreadable."""
    import yaml

    file = (path if path.is_dir() else path.parent) / 'metadata.yaml'
    try:
        content = yaml.safe_load(file.read_text())['rosbag2_bagfile_information']
        return {entry['topic_metadata']['name']: int(entry['message_count'])
                for entry in content['topics_with_message_count']}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def read_messages(file: Path) -> Iterator[RawMessage | Damage]:
    """Reads one storage file to its end, as far as it goes.

    Raises:
        InputError: It is of another kind.
    """
    if file.suffix == '.mcap':
        return _read_mcap(file)
    if file.suffix == '.db3':
        return _read_sqlite(file)
    raise InputError(f'{file}: expected a .mcap or .db3 file')


def _read_mcap(file: Path) -> Iterator[RawMessage | Damage]:
    from mcap.records import Chunk
    from mcap.records import Footer
    from mcap.stream_reader import breakup_chunk
    from mcap.stream_reader import StreamReader

    known: dict[int, Any] = {}
    record: Any = None
    with file.open('rb') as stream:
        records = StreamReader(stream, emit_chunks=True, record_size_limit=2**31).records
        while not isinstance(record, Footer):
            start = stream.tell()
            try:
                record = next(records)
            except Exception as error:  # noqa: BLE001 - a damaged file may fail in any way
                stream.seek(start)
                yield from _mcap_messages(_whole_records(stream.read()), known)
                yield Damage(f'{file.name} ends too early: {_words(error)}', fatal=True)
                return
            try:
                parts = breakup_chunk(record, True) if isinstance(record, Chunk) else [record]
            except Exception as error:  # noqa: BLE001 - as above
                yield Damage(f'{file.name}: a chunk is damaged: {_words(error)}', fatal=False)
                continue
            yield from _mcap_messages(parts, known)


def _whole_records(data: bytes) -> list[Any]:
    """The records at the beginning of a chunk whose end is missing (MCAP 0, section Chunk)."""
    from mcap.opcode import Opcode
    from mcap.records import Chunk
    from mcap.stream_reader import breakup_chunk

    try:
        if data[0] != Opcode.CHUNK:
            return []
        name_length, = struct.unpack_from('<I', data, _CHUNK_HEADER)
        begin = _CHUNK_HEADER + 4 + name_length
        body = _unpacked(data[begin - name_length:begin].decode(), data[begin + 8:])
        end = 0
        while end + _RECORD_HEADER <= len(body):
            following = end + _RECORD_HEADER + struct.unpack_from('<Q', body, end + 1)[0]
            if following > len(body):
                break
            end = following
        return breakup_chunk(Chunk('', body[:end], 0, 0, 0, end))
    except Exception:  # noqa: BLE001 - what cannot be read is lost, and is reported as lost
        return []


def _unpacked(compression: str, data: bytes) -> bytes:
    """As much as can be had of compressed bytes whose end is missing."""
    if compression == 'zstd':
        import zstandard
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if compression == 'lz4':
        return bytes(import_module('lz4.frame').LZ4FrameDecompressor().decompress(data))
    return data


def _mcap_messages(records: list[Any], known: dict[int, Any]) -> Iterator[RawMessage]:
    """The messages among some records; `known` keeps schemas (by -id) and channels (by id)."""
    from mcap.records import Channel
    from mcap.records import Message
    from mcap.records import Schema

    for record in records:
        if isinstance(record, Schema):
            known[-record.id] = record
        elif isinstance(record, Channel):
            known[record.id] = record
        elif isinstance(record, Message) and record.channel_id in known:
            channel = known[record.channel_id]
            schema = known.get(-channel.schema_id)
            if schema is not None:
                yield RawMessage(channel.topic, schema.name,
                                 schema.data.decode(errors='replace'), record.log_time,
                                 bytes(record.data))


def _read_sqlite(file: Path) -> Iterator[RawMessage | Damage]:
    with TemporaryDirectory() as folder:
        whole = _whole_pages(file, Path(folder))
        if whole != file:
            yield Damage(f'{file.name} ends too early', fatal=False)
        connection = sqlite3.connect(f'{whole.resolve().as_uri()}?mode=ro&immutable=1', uri=True)
        try:
            yield from _sqlite_messages(connection, file.name)
        except sqlite3.Error as error:
            yield Damage(f'{file.name}: {error}', fatal=True)
        finally:
            connection.close()


def _whole_pages(file: Path, folder: Path) -> Path:
    """The file, or a copy filled with zeros to the length that its header tells.

    sqlite reads nothing at all from a file that is too short.
    """
    with file.open('rb') as stream:
        header = stream.read(100)
    page = int.from_bytes(header[16:18], 'big')  # SQLite file format, 1.3: the database header
    length = (65536 if page == 1 else page) * int.from_bytes(header[28:32], 'big')
    if not header.startswith(b'SQLite format 3') or file.stat().st_size >= length:
        return file
    copy = folder / file.name
    shutil.copyfile(file, copy)
    os.truncate(copy, length)
    return copy


def _sqlite_messages(connection: sqlite3.Connection, name: str,
                     ) -> Iterator[RawMessage | Damage]:
    """Rows one by one: a damaged page then costs its own rows and not all behind it."""
    topics: dict[int, tuple[str, str]] = {
        row[0]: row[1:] for row in connection.execute('SELECT id, name, type FROM topics')}
    number = failed = 0
    last = _last_row(connection)
    while failed < _PATIENCE and (last is None or number < last):
        number += 1
        try:
            rows = connection.execute('SELECT topic_id, timestamp, data FROM messages '
                                      'WHERE id = ?', (number,)).fetchall()
        except sqlite3.Error as error:
            failed += 1
            if failed == 1:
                yield Damage(f'{name}: message {number}: {error}', fatal=False)
            continue
        failed = 0 if rows else failed + (last is None)
        for topic_id, stamp, data in rows:
            if topic_id in topics:
                topic, type_name = topics[topic_id]
                yield RawMessage(topic, type_name, '', stamp, bytes(data))


def _last_row(connection: sqlite3.Connection) -> int | None:
    try:
        return int(connection.execute('SELECT max(id) FROM messages').fetchone()[0] or 0)
    except sqlite3.Error:
        return None


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0]
