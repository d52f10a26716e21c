"""Demonstrations as recordings of ROS 2: a coloured cloud of the table, then pick, then place.

So a robot's own demonstrations become those of a policy: somebody leads the arm, and the poses of
the tool are published when it takes something and when it lets go.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.heightmap import heightmap_of_points
from eq_core.geometry.heightmap import Workspace
from eq_eval.manipulation.demonstrations import Demonstration
from eq_ros.colored_points import decode_colored

POINTS, PICK, PLACE = (f'/demonstration/{name}' for name in ('points', 'pick', 'place'))
CLOUD, POSE = 'sensor_msgs/msg/PointCloud2', 'geometry_msgs/msg/PoseStamped'
FRAME = 'table'
PAUSE = 60.         # a longer one between two actions begins a new episode [s]
SECOND = 10**9
START = 1_700_000_000 * SECOND      # a stamp of zero would mean unknown [ns]
_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<u4')])
_FLOAT32, _UINT32 = 7, 6            # sensor_msgs/msg/PointField

Double = NDArray[np.float64]


def write_demonstration_bag(path: Path, shown: Sequence[Demonstration], frame_id: str = FRAME
                            ) -> None:
    """Writes what `read_demonstration_bag` reads.

    Args:
        path: Folder of the bag.
        shown: In order; a cloud holds a point for each cell that is seen.
        frame_id: Frame of clouds and poses.

    Raises:
        ConfigError: The path exists already.
    """
    from rosbags.rosbag2 import CompressionFormat
    from rosbags.rosbag2 import CompressionMode
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    if path.exists():
        raise ConfigError(f'{path} exists already and is not overwritten; expected a new path')
    store = get_typestore(Stores.ROS2_HUMBLE)
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    stamp, episode = START, shown[0].episode
    with writer:
        topics = {topic: writer.add_connection(topic, kind, typestore=store)
                  for topic, kind in ((POINTS, CLOUD), (PICK, POSE), (PLACE, POSE))}
        for each in shown:
            stamp += 10 * SECOND + (each.episode != episode) * round(2 * PAUSE) * SECOND
            episode = each.episode
            for topic, make, late in ((POINTS, _cloud(store.types, each), 0),
                                      (PICK, _pose(store.types, each.pick), 1),
                                      (PLACE, _pose(store.types, each.place), 2)):
                now = stamp + late * SECOND
                message = make(_header(store.types, frame_id, now))
                writer.write(topics[topic], now, store.serialize_cdr(
                    message, topics[topic].msgtype))


def read_demonstration_bag(path: Path, workspace: Workspace, pause: float = PAUSE,
                           topics: tuple[str, str, str] = (POINTS, PICK, PLACE)
                           ) -> list[Demonstration]:
    """Reads demonstrations; a cloud is the last one before its pick, so that no arm is in it.

    Args:
        path: The recording.
        workspace: What the policy will cover, in the frame of the poses.
        pause: A longer time between two actions begins a new episode [s].
        topics: Of clouds, picks and places, which are all in one frame.

    Raises:
        InputError: The recording is damaged, or does not hold cloud, pick, place, in this order.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.highlevel import AnyReaderError
    from rosbags.rosbag2 import ReaderError
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    shown: list[Demonstration] = []
    last: dict[str, Any] = {}
    episode, ended = 0, None
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
            wanted = [each for each in reader.connections if each.topic in topics]
            for connection, stamp, data in reader.messages(wanted):
                message = reader.deserialize(data, connection.msgtype)
                if connection.topic == topics[0]:
                    last['cloud'] = message
                    continue
                if connection.topic == topics[1]:
                    last |= {'pick': message, 'table': last.get('cloud')}
                    continue
                pick, table = last.pop('pick', None), last.pop('table', None)
                if pick is None or table is None:
                    raise InputError(f'{path}: a place without a pick and a cloud before it',
                                     'bad_recording')
                episode += ended is not None and stamp - ended > pause * SECOND
                ended = stamp
                shown.append(_demonstration(table, pick, message, workspace, episode))
    except (AnyReaderError, ReaderError, OSError) as error:
        raise InputError(f'{path}: {error}', 'bad_recording') from error
    if not shown:
        raise InputError(f'{path} holds no place on {topics[2]}', 'bad_recording')
    return shown


def _demonstration(table: Any, pick: Any, place: Any, workspace: Workspace, episode: int
                   ) -> Demonstration:
    frames = {message.header.frame_id for message in (table, pick, place)}
    if len(frames) != 1:
        raise InputError(f'cloud, pick and place must be of one frame, got {sorted(frames)}',
                         'bad_frame')
    heightmap = heightmap_of_points(*decode_colored(table), workspace, frames.pop())
    return Demonstration(heightmap, _matrix(pick.pose), _matrix(place.pose), episode)


def _matrix(pose: Any) -> Double:
    turn = np.array([getattr(pose.orientation, name) for name in 'xyzw'])
    matrix = np.eye(4)
    matrix[:3, 3] = [getattr(pose.position, name) for name in 'xyz']
    if not np.isfinite(matrix).all() or not abs(np.linalg.norm(turn) - 1) < 1e-3:
        raise InputError(f'a pose must be finite and its quaternion of length 1, got '
                         f'{matrix[:3, 3]} and {turn}', 'bad_pose')
    matrix[:3, :3] = Rotation.from_quat(turn).as_matrix()
    return matrix


def _header(types: Any, frame_id: str, stamp: int) -> Any:
    time = types['builtin_interfaces/msg/Time'](stamp // SECOND, stamp % SECOND)
    return types['std_msgs/msg/Header'](time, frame_id)


def _cloud(types: Any, shown: Demonstration) -> Any:
    """From a header to a cloud of the surface."""
    row, column = np.nonzero(shown.heightmap.seen)
    table = np.empty(len(row), _POINT)
    xyz = shown.heightmap.surface(np.stack([column, row], -1))
    table['x'], table['y'], table['z'] = xyz.T
    color = np.rint(255 * shown.heightmap.color[row, column]).astype(np.uint32)
    table['rgb'] = color @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    fields = [types['sensor_msgs/msg/PointField'](
        name, 4 * place, _UINT32 if name == 'rgb' else _FLOAT32, 1)
        for place, name in enumerate(_POINT.names or ())]
    return lambda header: types[CLOUD](
        header, 1, len(table), fields, False, _POINT.itemsize, table.nbytes,
        table.view(np.uint8), True)


def _pose(types: Any, matrix: Double) -> Any:
    """From a header to a pose."""
    turn = (float(value) for value in Rotation.from_matrix(matrix[:3, :3]).as_quat())
    pose = types['geometry_msgs/msg/Pose'](
        types['geometry_msgs/msg/Point'](*(float(value) for value in matrix[:3, 3])),
        types['geometry_msgs/msg/Quaternion'](*turn))
    return lambda header: types[POSE](header, pose)
