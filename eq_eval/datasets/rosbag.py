"""Scans of rosbag2 (mcap, sqlite3) and ROS 1 bags: point clouds or raw Velodyne packets."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.bag_messages import BagMessage
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.bag_topics import POINT_CLOUD
from eq_eval.datasets.bag_topics import scan_topic
from eq_eval.datasets.bag_topics import topics_of
from eq_eval.datasets.bag_topics import VELODYNE
from eq_eval.datasets.ground_truth import read_truth
from eq_eval.datasets.ground_truth import ScanTruth
from eq_eval.datasets.ground_truth import truth_file
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.velodyne_packets import decode_packets
from eq_ros.pointcloud2 import decode
from eq_ros.pointcloud2 import DecodeOptions

DEFAULT_OPTIONS = DecodeOptions()

# https://index.ros.org/p/velodyne_msgs: names and types of its two messages
_DEFINITIONS = {'velodyne_msgs/msg/VelodynePacket': '{time} stamp\nuint8[1206] data',
                VELODYNE: 'std_msgs/Header header\nvelodyne_msgs/VelodynePacket[] packets'}


def open_bag(path: Path, topic: str | None = None, salvage: bool = False,
             options: DecodeOptions = DEFAULT_OPTIONS) -> Recording:
    """Opens a bag; ``ground_truth.jsonl`` beside it gives the labels.

    Clouds are decoded exactly as the node does it. Poses come from the truth only.

    Args:
        path: rosbag2 folder, ``.mcap``, ``.db3`` or ``.bag`` file.
        topic: Topic of the scans; may be left out where there is only one.
        salvage: Whether damaged parts are noted in `Recording.lost` and left out.
        options: How clouds are decoded.

    Raises:
        InputError: The bag is damaged, or the topic is not clear.
    """
    topics = topics_of(path, salvage)
    chosen = scan_topic(topics, topic, path)
    labels = truth_file(path)
    truths = read_truth(labels) if labels.exists() else {}
    count = topics[chosen][1]

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        to_points = cloud_decoder(options)
        for index, message in enumerate(read_messages(path, [chosen], salvage, lost)):
            try:
                points = to_points(message)
            except InputError as error:
                text = f'{path}, {chosen}, message {index}: {error}'
                if not salvage:
                    raise InputError(text, error.reason) from error
                lost.append(text)
                continue
            yield _labelled(points, truths.get(points.stamp), path.stem, index)

    return Recording(path.stem, 'rosbag1' if path.suffix == '.bag' else 'rosbag2', count, load,
                     has_boxes=bool(truths), has_velocity=bool(truths), topic=chosen)


def cloud_decoder(options: DecodeOptions = DEFAULT_OPTIONS) -> Callable[[BagMessage], Points]:
    """Makes a function from messages to scans; it raises `InputError` for damaged messages."""
    stores = {is_ros1: _typestore(is_ros1) for is_ros1 in (False, True)}

    def to_points(message: BagMessage) -> Points:
        store = stores[message.is_ros1]
        parse = store.deserialize_ros1 if message.is_ros1 else store.deserialize_cdr
        try:
            value = parse(message.data, message.type_name)
        except Exception as error:
            raise InputError(f'{len(message.data)} bytes are no {message.type_name}: '
                             f'{type(error).__name__} {error}', 'bad_message') from error
        if message.type_name == POINT_CLOUD:
            points = decode(value, options).points
        else:
            points = _from_packets(value)
        # A driver that does not stamp its scans leaves the time of recording.
        return points if points.stamp else _stamped(points, message.stamp)

    return to_points


def _from_packets(scan: Any) -> Points:
    """A scan of raw packets."""
    header = scan.header
    return decode_packets([bytes(packet.data) for packet in scan.packets], header.frame_id,
                          header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)


def _stamped(points: Points, stamp: int) -> Points:
    """The same scan at another time."""
    return Points(points.xyz, points.intensity, points.time_offset, points.frame_id, stamp)


def _labelled(points: Points, truth: ScanTruth | None, name: str, index: int) -> LabeledScan:
    """Joins a scan with its truth."""
    if truth is None:
        return LabeledScan(points, np.eye(4), sequence=name, index=index)
    return LabeledScan(points, truth.pose, truth.boxes, sequence=name, index=index,
                       class_names=truth.class_names, num_points=truth.num_points)


def _typestore(is_ros1: bool) -> Any:
    """Message types of ROS 1 or 2, with those of Velodyne."""
    from rosbags.typesys import get_types_from_msg
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_HUMBLE)
    time = 'time' if is_ros1 else 'builtin_interfaces/Time'
    for name, definition in _DEFINITIONS.items():
        store.register(get_types_from_msg(definition.format(time=time), name))
    return store
