"""What a bag says of itself: its files, topics and number of messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from eq_core.errors import InputError
from eq_eval.datasets.files import read_text
from eq_eval.datasets.files import require

STORAGES = ('.mcap', '.db3', '.bag')


@dataclass(frozen=True)
class BagMetadata:
    """Files of a bag and, where told, what they should hold.

    Attributes:
        files: Storage files in order.
        counts: Topic to its type and number of messages; empty where the bag does not tell.
        compressed: Whether whole files or single messages are compressed.
    """

    files: tuple[Path, ...]
    counts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    compressed: bool = False

    @property
    def is_plain_mcap(self) -> bool:
        """Whether all files are MCAP and not compressed around it."""
        return not self.compressed and all(file.suffix == '.mcap' for file in self.files)

    def num_messages(self, topics: frozenset[str] | None) -> int | None:
        """Messages that the topics should have, None where the bag does not tell."""
        if not self.counts:
            return None
        return sum(count for topic, (_, count) in self.counts.items()
                   if topics is None or topic in topics)


def is_bag(path: Path) -> bool:
    """Whether a path is a storage file or a folder with metadata or a storage file."""
    if path.is_file():
        return path.suffix in STORAGES
    return (path / 'metadata.yaml').exists() or bool(_storage_files(path))


def read_metadata(path: Path, salvage: bool = False) -> BagMetadata:
    """Reads ``metadata.yaml``, or the index of a single file.

    Args:
        path: rosbag2 folder or storage file.
        salvage: Whether a folder without readable metadata is read by its files.

    Raises:
        InputError: Metadata or storage files are missing or damaged.
    """
    if require(path).is_file():
        if path.suffix not in STORAGES:
            raise InputError(f'{path} is no bag, expected one of {STORAGES}', 'bad_bag')
        return BagMetadata((path,), _from_mcap_summary(path) if path.suffix == '.mcap' else {})
    try:
        return _from_yaml(path / 'metadata.yaml')
    except InputError:
        files = _storage_files(path)
        if not salvage or not files:
            raise
        return BagMetadata(tuple(files))


def _storage_files(folder: Path) -> list[Path]:
    """Storage files of rosbag2 right in a folder."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in ('.mcap', '.db3'))


def _from_mcap_summary(path: Path) -> dict[str, tuple[str, int]]:
    """Types and numbers of messages by the summary at the end of a file; empty if it is cut off.

    A damaged summary is no reason to fail here: reading the messages will tell.
    """
    from mcap.reader import SeekingReader
    try:
        with path.open('rb') as stream:
            summary = SeekingReader(stream).get_summary()
            if summary is None or summary.statistics is None:
                return {}
            counts = summary.statistics.channel_message_counts
            return {channel.topic: (ros2_name(summary.schemas[channel.schema_id].name),
                                    counts.get(identity, 0))
                    for identity, channel in summary.channels.items()}
    except Exception:  # noqa: BLE001  (whatever a reader makes of random bytes)
        return {}


def ros2_name(name: str) -> str:
    """``sensor_msgs/PointCloud2`` as ``sensor_msgs/msg/PointCloud2``."""
    parts = name.split('/')
    return f'{parts[0]}/msg/{parts[1]}' if len(parts) == 2 else name


def _from_yaml(path: Path) -> BagMetadata:
    """Reads the file that every rosbag2 folder has."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    if not path.exists():
        raise InputError(f'{path} is missing: the recording was cut off, or this is no bag',
                         'bad_bag')
    try:
        tree: Any = YAML(typ='safe').load(read_text(path))
        info = tree['rosbag2_bagfile_information']
        names = [Path(name).name for name in info['relative_file_paths']]
        counts = {row['topic_metadata']['name']: (row['topic_metadata']['type'],
                                                  int(row['message_count']))
                  for row in info['topics_with_message_count']}
        mode = str(info.get('compression_mode') or '').lower()
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'{path} ({path.stat().st_size} bytes) is damaged: {error}',
                         'bad_bag') from error
    files = tuple(path.parent / name for name in names)
    missing = [str(file) for file in files if not file.exists()]
    if missing or not files:
        raise InputError(f'{path} names files that are not there: {missing}', 'bad_bag')
    return BagMetadata(files, counts, mode not in ('', 'none'))
