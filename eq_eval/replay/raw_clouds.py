"""Clouds of a bag as the very bytes that lie in it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
import struct

from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.bag_topics import POINT_CLOUD
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

RawCloud = Callable[[LabeledScan], bytes | None]


def raw_clouds(path: Path, recording: Recording, salvage: bool = False) -> RawCloud | None:
    """Makes a function that finds the serialised message of a scan.

    Args:
        path: The bag.
        recording: The same bag, opened.
        salvage: Whether damage is passed over.

    Returns:
        A function to be asked for scans in their order; it answers None where the bytes cannot
        be passed on. None for recordings that hold no ROS 2 point clouds.
    """
    if recording.kind != 'rosbag2' or not recording.topic:
        return None
    messages: Iterator[tuple[int, bytes, bool]] = (
        (index, message.data, message.type_name == POINT_CLOUD and not message.is_ros1)
        for index, message in enumerate(read_messages(path, [recording.topic], salvage)))

    def find(scan: LabeledScan) -> bytes | None:
        for index, data, usable in messages:
            if index == scan.index:
                # A driver that does not stamp its scans leaves that to whoever reads them.
                return data if usable and header_stamp(data) == scan.points.stamp else None
        return None

    return find


def header_stamp(data: bytes) -> int:
    """Stamp [ns] of a CDR message that begins with a header (DDS-XTYPES, 7.4: plain CDR)."""
    seconds, nanoseconds = struct.unpack_from('<iI' if data[1] & 1 else '>iI', data, 4)
    return int(seconds * 1_000_000_000 + nanoseconds)


def with_stamp(data: bytes, stamp: int) -> bytes:
    """The same CDR message, begun with a header, with another stamp [ns]."""
    changed = bytearray(data)
    struct.pack_into('<iI' if data[1] & 1 else '>iI', changed, 4, *divmod(stamp, 1_000_000_000))
    return bytes(changed)
