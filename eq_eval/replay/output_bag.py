"""Writes what a node said as a rosbag2 recording (MCAP)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from eq_core.errors import InputError


class OutputBag:
    """A bag that takes serialised messages of any installed type.

    Use as a context manager: only a closed bag is complete.
    """

    def __init__(self, path: Path) -> None:
        """Opens a new bag.

        Args:
            path: Folder to be made; must not exist.

        Raises:
            InputError: It exists.
        """
        from rosbags.rosbag2 import StoragePlugin
        from rosbags.rosbag2 import Writer
        from rosbags.typesys import get_typestore
        from rosbags.typesys import Stores

        if path.exists():
            raise InputError(f'{path} exists; a bag is written to a new folder')
        self._types = get_typestore(Stores.ROS2_KILTED)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        self._writer.open()

    def write(self, topic: str, type_name: str, stamp: int, data: bytes) -> None:
        """Appends one message.

        Args:
            topic: Full name of the topic.
            type_name: Such as ``'vision_msgs/msg/Detection3DArray'``.
            stamp: Time at which it counts as recorded [ns].
            data: CDR bytes.
        """
        if topic not in self._connections:
            self._learn(type_name)
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._types)
        self._writer.write(self._connections[topic], stamp, data)
        self.counts[topic] = self.counts.get(topic, 0) + 1

    def _learn(self, type_name: str) -> None:
        from rosbags.typesys import get_types_from_msg

        pending = [type_name]
        while pending:
            name = pending.pop()
            if name in self._types.fielddefs:
                continue
            fresh = get_types_from_msg(_definition(name), name)
            self._types.register(fresh)
            pending += [part for part in _parts(fresh) if part not in self._types.fielddefs]

    def close(self) -> None:
        """Completes the bag."""
        self._writer.close()

    def __enter__(self) -> OutputBag:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Completes the bag."""
        self.close()


def _definition(type_name: str) -> str:
    """The text of an installed message definition."""
    package, _, name = type_name.replace('/msg/', '/').partition('/')
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        file = Path(prefix) / 'share' / package / 'msg' / f'{name}.msg'
        if prefix and file.is_file():
            return file.read_text()
    raise InputError(f'no definition of {type_name} in AMENT_PREFIX_PATH')


def _parts(types: Mapping[str, Any]) -> Iterator[str]:
    """Names of the message types of which others are made."""
    def named(field: Any) -> Iterator[str]:
        if isinstance(field, str):
            if '/' in field:
                yield field
        elif isinstance(field, tuple | list):
            for item in field:
                yield from named(item)

    for _, fields in types.values():
        for _, field in fields:
            yield from named(field)
