"""Which topics a bag has, and which of them holds the scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from eq_core.errors import InputError
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.bag_metadata import read_metadata

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
VELODYNE = 'velodyne_msgs/msg/VelodyneScan'
SCAN_TYPES = (POINT_CLOUD, VELODYNE)

Topics = Mapping[str, tuple[str, int]]


def topics_of(path: Path, salvage: bool = False) -> Topics:
    """Topics of a bag with their type and number of messages.

    Args:
        path: rosbag2 folder, ``.mcap``, ``.db3`` or ``.bag`` file.
        salvage: Whether a damaged bag is counted as far as it can be read.

    Raises:
        InputError: The bag is damaged.
    """
    metadata = read_metadata(path, salvage)
    if metadata.counts:
        return metadata.counts
    counted: Counter[str] = Counter()
    types: dict[str, str] = {}
    for message in read_messages(path, salvage=salvage):
        counted[message.topic] += 1
        types[message.topic] = message.type_name
    return {topic: (types[topic], count) for topic, count in counted.items()}


def scan_topic(topics: Topics, wanted: str | None, path: Path) -> str:
    """Chooses the topic with the scans.

    Args:
        topics: All topics of the bag.
        wanted: Topic asked for; the only one with scans if None.
        path: The bag, for the text of an error.

    Raises:
        InputError: The topic is not there, holds no scans, or several topics do.
    """
    listed = ', '.join(f'{topic} ({kind}, {count})' for topic, (kind, count) in topics.items())
    if wanted is not None:
        if wanted not in topics:
            raise InputError(f'{path} has no topic {wanted}, found {listed or "none"}',
                             'bad_topic')
        if topics[wanted][0] not in SCAN_TYPES:
            raise InputError(f'{path}, {wanted} is {topics[wanted][0]}, expected one of '
                             f'{SCAN_TYPES}', 'bad_topic')
        return wanted
    found = [topic for topic, (kind, count) in topics.items() if kind in SCAN_TYPES and count]
    if len(found) != 1:
        problem = 'no scans' if not found else f'scans on {len(found)} topics, choose one'
        raise InputError(f'{path} has {problem}: {listed or "no messages"}', 'bad_topic')
    return found[0]
