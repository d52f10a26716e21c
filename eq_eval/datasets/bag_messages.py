"""Messages of a bag as they lie there: rosbag2 (mcap, sqlite3) and ROS 1.

MCAP is read with the `mcap` package, because it alone checks the checksums of the chunks (where
the writer stored any), everything else with `rosbags`. Both are imported when a bag is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import struct
from typing import Any

from eq_core.errors import InputError
from eq_eval.datasets.bag_metadata import BagMetadata
from eq_eval.datasets.bag_metadata import read_metadata
from eq_eval.datasets.bag_metadata import ros2_name
from eq_eval.datasets.files import require

# What readers raise on damaged bytes besides their own errors.
_FAULTS = (ValueError, LookupError, EOFError, OSError, struct.error, RuntimeError, MemoryError,
           TypeError, AttributeError, ArithmeticError, AssertionError)


@dataclass(frozen=True)
class BagMessage:
    """One serialised message.

    Attributes:
        topic: Where it was published.
        type_name: Its type in ROS 2 form, such as ``'sensor_msgs/msg/PointCloud2'``.
        stamp: Time of recording [ns].
        data: Its bytes.
        is_ros1: Whether they are ROS 1 bytes rather than CDR.
    """

    topic: str
    type_name: str
    stamp: int
    data: bytes
    is_ros1: bool = False


def read_messages(path: Path, topics: Iterable[str] | None = None, salvage: bool = False,
                  lost: list[str] | None = None) -> Iterator[BagMessage]:
    """Reads messages in the order of their recording.

    Args:
        path: rosbag2 folder, ``.mcap``, ``.db3`` or ``.bag`` file.
        topics: Only these; all if None.
        salvage: Reads what is readable and notes the rest in `lost` instead of raising.
        lost: Takes texts of what could not be read.

    Raises:
        InputError: The bag is damaged, or holds fewer messages than its metadata tell.
    """
    wanted = None if topics is None else frozenset(topics)
    metadata = read_metadata(path, salvage)
    counted = 0
    try:
        for message in _stream(path, metadata, wanted, salvage):
            counted += 1
            yield message
    except InputError as error:
        if not salvage:
            raise
        _note(lost, str(error))
    expected = metadata.num_messages(wanted)
    if expected is not None and counted < expected:
        text = f'{path}: {expected - counted} of {expected} messages are lost'
        if not salvage:
            raise InputError(text, 'bad_bag')
        _note(lost, text)


def _note(lost: list[str] | None, text: str) -> None:
    """Keeps a text if somebody wants it."""
    if lost is not None:
        lost.append(text)


def _stream(path: Path, metadata: BagMetadata, topics: frozenset[str] | None,
            salvage: bool) -> Iterator[BagMessage]:
    """Messages of all files of a bag, with every fault as `InputError`."""
    for file in metadata.files:
        reader = _mcap_messages if metadata.is_plain_mcap else _other_messages
        source = reader(file if metadata.is_plain_mcap else path, topics, salvage)
        while True:
            # Only the reading is guarded, not what the caller does with a message.
            try:
                message = next(source)
            except StopIteration:
                break
            except InputError:
                raise
            except Exception as error:
                if not (isinstance(error, _FAULTS) or _is_reader_error(error)):
                    raise
                size = require(file).stat().st_size
                text = f'{file} ({size} bytes) is damaged: {type(error).__name__} {error}'
                raise InputError(text.strip(), 'bad_bag') from error
            yield message
        if not metadata.is_plain_mcap:
            return  # rosbags reads all files of a folder at once


def _is_reader_error(error: Exception) -> bool:
    """Whether a package for bags or compression raised it."""
    package = type(error).__module__.split('.')[0]
    return package in ('mcap', 'rosbags', 'apsw', 'zstandard', 'lz4', '_lz4', 'ruamel')


def _mcap_messages(path: Path, topics: frozenset[str] | None, salvage: bool,
                   ) -> Iterator[BagMessage]:
    """Messages of an MCAP file; in file order up to the first damage when salvaging."""
    from mcap.reader import NonSeekingReader
    from mcap.reader import SeekingReader
    with require(path).open('rb') as stream:
        rows: Any
        if salvage:
            rows = NonSeekingReader(stream, validate_crcs=True).iter_messages(
                topics, log_time_order=False)
        else:
            rows = SeekingReader(stream, validate_crcs=True).iter_messages(topics)
        for schema, channel, message in rows:
            if channel.message_encoding not in ('cdr', 'ros1'):
                raise InputError(f'{path}, {channel.topic}: messages are encoded as '
                                 f'{channel.message_encoding!r}, expected cdr', 'bad_bag')
            yield BagMessage(channel.topic, ros2_name(schema.name if schema else ''),
                             message.log_time, message.data, channel.message_encoding == 'ros1')


def _other_messages(path: Path, topics: frozenset[str] | None, salvage: bool,
                    ) -> Iterator[BagMessage]:
    """Messages of a sqlite3, compressed or ROS 1 bag."""
    from rosbags import rosbag1
    from rosbags import rosbag2
    is_ros1 = path.suffix == '.bag'
    reader: Any = rosbag1.Reader(path) if is_ros1 else rosbag2.Reader(path)
    with reader:
        connections = [connection for connection in reader.connections
                       if topics is None or connection.topic in topics]
        if not connections:
            return
        for connection, stamp, data in reader.messages(connections=connections):
            yield BagMessage(connection.topic, ros2_name(connection.msgtype), stamp,
                             bytes(data), is_ros1)
