"""Small data sets and bags, written by the tests themselves."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path

import numpy as np
import pytest

CALIBRATION = '\n'.join([
    'P2: 700 0 600 0 0 700 180 0 0 0 1 0', 'R0_rect: 1 0 0 0 1 0 0 0 1',
    'Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0'])
# A car 20 m ahead, 5 m to the left, heading left (towards +y): ry = pi in the camera.
LABEL = 'Car 0.00 0 -1.57 100 100 200 200 1.6 1.8 4.2 -5.0 1.5 20.0 3.14159265\n'
DONT_CARE = 'DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n'


def cloud(count: int = 50, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(-20, 20, (count, 3)), rng.random((count, 1))],
                          1).astype('<f4')


@pytest.fixture
def kitti_folder(tmp_path: Path) -> Path:
    root = tmp_path / 'kitti'
    for name in ('velodyne', 'label_2', 'calib'):
        (root / name).mkdir(parents=True)
    for index in range(3):
        cloud(50, index).tofile(root / f'velodyne/{index:06d}.bin')
        (root / f'label_2/{index:06d}.txt').write_text(LABEL + DONT_CARE)
        (root / f'calib/{index:06d}.txt').write_text(CALIBRATION)
    return root


@pytest.fixture
def sequence_folder(tmp_path: Path) -> Path:
    root = tmp_path / '00'
    for name in ('velodyne', 'labels'):
        (root / name).mkdir(parents=True)
    for index in range(3):
        cloud(50, index).tofile(root / f'velodyne/{index:06d}.bin')
        ids = np.arange(50, dtype='<u4') % 3 * 10 + (np.arange(50, dtype='<u4') % 5 << 16)
        ids.tofile(root / f'labels/{index:06d}.label')
    (root / 'calib.txt').write_text('P2: 1 0 0 0 0 1 0 0 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 .3')
    poses = [f'1 0 0 0 0 1 0 0 0 0 1 {2 * index}' for index in range(3)]  # forward is camera z
    (root / 'poses.txt').write_text('\n'.join(poses))
    return root


@pytest.fixture
def write_bag(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bag of small clouds: form 'mcap', 'sqlite3', 'ros1' or 'mcap_crc'."""
    pytest.importorskip('rosbags', reason='rosbags missing')
    return lambda form, count=5, truth=False: _write_bag(tmp_path / form, form, count, truth)


def _write_bag(path: Path, form: str, count: int, truth: bool) -> Path:
    writer = {'ros1': _write_ros1, 'mcap_crc': _write_with_checksums}.get(form, _write_ros2)
    path = writer(path, form, count)
    if truth:
        lines = [json.dumps({
            'stamp': stamp(index), 'pose': np.eye(4).tolist(), 'class_names': ['car', 'tram'],
            'boxes': {'center': [[5., index, 0]], 'size': [[4, 2, 1.5]], 'yaw': [.1],
                      'label': [1], 'velocity': [[3., 0]], 'track_id': [index],
                      'num_points': [7]}}) for index in range(count)]
        (path / 'ground_truth.jsonl').write_text('\n'.join(lines))
    return path


def stamp(index: int) -> int:
    return 1_700_000_000_000_000_000 + index * 100_000_000


def message(store, index: int, is_ros1: bool = False):
    types = store.types
    field = types['sensor_msgs/msg/PointField']
    seconds, rest = divmod(stamp(index), 10**9)
    header = types['std_msgs/msg/Header'](
        **({'seq': index} if is_ros1 else {}),
        stamp=types['builtin_interfaces/msg/Time'](seconds, rest), frame_id='lidar')
    data = cloud(40, index)
    return types['sensor_msgs/msg/PointCloud2'](
        header=header, height=1, width=len(data),
        fields=[field(name, 4 * place, 7, 1) for place, name
                in enumerate(('x', 'y', 'z', 'intensity'))],
        is_bigendian=False, point_step=16, row_step=16 * len(data),
        data=data.reshape(-1).view(np.uint8), is_dense=True)


def _write_ros2(path: Path, form: str, count: int) -> Path:
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    store = get_typestore(Stores.ROS2_HUMBLE)
    plugin = StoragePlugin.MCAP if form == 'mcap' else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        clouds = writer.add_connection('/points', 'sensor_msgs/msg/PointCloud2', typestore=store)
        texts = writer.add_connection('/text', 'std_msgs/msg/String', typestore=store)
        for index in range(count):
            value = message(store, index)
            writer.write(clouds, stamp(index), store.serialize_cdr(value, value.__msgtype__))
            text = store.types['std_msgs/msg/String']('hello')
            writer.write(texts, stamp(index), store.serialize_cdr(text, text.__msgtype__))
    return path


def _write_ros1(path: Path, form: str, count: int) -> Path:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    store = get_typestore(Stores.ROS1_NOETIC)
    path.mkdir()
    with Writer(path / 'drive.bag') as writer:
        clouds = writer.add_connection('/points', 'sensor_msgs/msg/PointCloud2', typestore=store)
        for index in range(count):
            value = message(store, index, is_ros1=True)
            writer.write(clouds, stamp(index), store.serialize_ros1(value, value.__msgtype__))
    return path


def _write_with_checksums(path: Path, form: str, count: int) -> Path:
    """An uncompressed MCAP file of several chunks, with checksums as ROS 2 writes them."""
    from mcap.writer import CompressionType
    from mcap.writer import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    store = get_typestore(Stores.ROS2_HUMBLE)
    path.mkdir()
    with (path / 'drive.mcap').open('wb') as stream:
        writer = Writer(stream, chunk_size=1000, compression=CompressionType.NONE)
        writer.start(profile='ros2')
        schema = writer.register_schema('sensor_msgs/msg/PointCloud2', 'ros2msg', b'')
        channel = writer.register_channel('/points', 'cdr', schema)
        for index in range(count):
            value = message(store, index)
            data = bytes(store.serialize_cdr(value, value.__msgtype__))
            writer.add_message(channel, stamp(index), data, stamp(index))
        writer.finish()
    return path / 'drive.mcap'
