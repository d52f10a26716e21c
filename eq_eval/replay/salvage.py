"""Damaged recordings: found before they are played, and saved as far as they can be read.

Readers of bags differ in what they notice. What is checked here: every CRC that the writer
stored, the end of every file, and the number of messages that `metadata.yaml` promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eq_core.errors import InputError
from eq_eval.replay.bag_files import Damage
from eq_eval.replay.bag_files import promised_counts
from eq_eval.replay.bag_files import RawMessage
from eq_eval.replay.bag_files import read_messages
from eq_eval.replay.bag_files import storage_files
from eq_eval.replay.ros1_files import read_ros1_messages


@dataclass(frozen=True)
class Salvage:
    """What was saved of a recording.

    Attributes:
        path: The new recording.
        saved: Topic to messages in it.
        promised: Topic to messages that the old one should hold, as far as it tells.
        damages: What is wrong with the old one.
    """

    path: Path
    saved: Mapping[str, int]
    promised: Mapping[str, int]
    damages: tuple[str, ...]

    def lost(self, topic: str) -> int:
        """Messages of a topic that are gone; where no number is known, one for each damage."""
        if topic in self.promised:
            return max(self.promised[topic] - self.saved.get(topic, 0), 0)
        return len(self.damages)


def check_bag(path: Path) -> None:
    """Reads a rosbag2 recording through; other formats are left to their readers.

    Raises:
        InputError: It is damaged; the text says where and what `--salvage` would do.
    """
    counts: Counter[str] = Counter()
    files = storage_files(path)
    for file in files:
        for item in read_messages(file):
            if isinstance(item, Damage):
                raise InputError(f'{path} is damaged: {item.text} (--salvage plays what is left)',
                                 'corrupt_bag')
            counts[item.topic] += 1
    promised = promised_counts(path) if path.is_dir() and files else {}
    if path.is_dir() and counts and not promised:
        raise InputError(f'{path} is damaged: metadata.yaml is missing or unreadable (--salvage '
                         'plays what is left)', 'corrupt_bag')
    for topic, count in promised.items():
        if counts[topic] < count:
            raise InputError(
                f'{path} is damaged: metadata.yaml promises {count} messages on {topic}, found '
                f'{counts[topic]} (--salvage plays what is left)', 'corrupt_bag')


def salvage_bag(path: Path, target: Path) -> Salvage:
    """Copies what can be read of a recording into a new one of its kind.

    Args:
        path: rosbag2 folder, storage file, or ROS 1 bag.
        target: Folder to be made.

    Raises:
        InputError: There is no storage file, or nothing in it can be read.
    """
    if path.suffix == '.bag':
        return _copied(path, target / path.name, read_ros1_messages(path))
    files = storage_files(path)
    if not files:
        raise InputError(f'{path}: only MCAP, sqlite3 and ROS 1 recordings can be salvaged',
                         'corrupt_bag')
    return _copied(path, target, (item for file in files for item in read_messages(file)))


def _copied(path: Path, target: Path, items: Iterable[RawMessage | Damage]) -> Salvage:
    """Writes all messages to a new recording."""
    saved: Counter[str] = Counter()
    damages: list[str] = []
    connections: dict[str, Any] = {}
    with _writer(target) as writer:
        for item in items:
            if isinstance(item, Damage):
                damages.append(item.text)
                continue
            if item.topic not in connections:
                connections[item.topic] = _connection(writer, item)
            writer.write(connections[item.topic], item.stamp, item.data)
            saved[item.topic] += 1
    if not saved:
        raise InputError(f"{path}: nothing can be salvaged: {'; '.join(damages) or 'it is empty'}",
                         'corrupt_bag')
    return Salvage(target, dict(saved), promised_counts(path), tuple(damages))


def _writer(target: Path) -> Any:
    from rosbags import rosbag1
    from rosbags import rosbag2

    if target.suffix == '.bag':
        target.parent.mkdir(parents=True, exist_ok=True)
        return rosbag1.Writer(target)
    return rosbag2.Writer(target, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP)


def _connection(writer: Any, message: RawMessage) -> Any:
    """Opens a topic in the new recording."""
    from rosbags.typesys import get_types_from_msg
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    if message.digest:
        return writer.add_connection(message.topic, message.type_name,
                                     msgdef=message.definition, md5sum=message.digest)
    types = get_typestore(Stores.ROS2_KILTED)
    if message.type_name not in types.fielddefs:
        # sqlite3 bags of old versions carry no definitions; whoever reads such a type knows it.
        types.register(get_types_from_msg(message.definition or 'uint8 unknown',
                                          message.type_name))
    return writer.add_connection(message.topic, message.type_name, typestore=types)
