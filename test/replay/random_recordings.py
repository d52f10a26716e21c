"""Random scans, in memory and as bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_ros.pointcloud2 import encode

TOPIC = '/points'
COUNT = 12
FIRST = 1_500_000_000_000_000_000  # [ns]


def random_scans(frames: tuple[str, ...], num_points: int = 2000) -> list[LabeledScan]:
    """One scan per frame name, 0.1 s apart, each with one labelled car."""
    random = np.random.default_rng(0)
    scans = []
    for index, frame in enumerate(frames):
        xyz = random.uniform(-20, 20, (num_points + index, 3)) * [1, 1, .1]
        points = Points.from_xyz(xyz, random.uniform(size=len(xyz)), frame,
                                 FIRST + index * 100_000_000)
        truth = Boxes3D(np.array([[5., 1, 0]]), np.array([[4., 2, 2]]), np.zeros(1), np.zeros(1))
        scans.append(LabeledScan(points, np.eye(4), truth, index=index, sequence='random'))
    return scans


def write_bag(path: Path, storage: str = 'mcap') -> Path:
    """A bag of clouds of 5000 points."""
    import numpy as np
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    types = get_typestore(Stores.ROS2_KILTED)
    cloud, field, header, time = (types.types[name] for name in (
        'sensor_msgs/msg/PointCloud2', 'sensor_msgs/msg/PointField', 'std_msgs/msg/Header',
        'builtin_interfaces/msg/Time'))
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connection = writer.add_connection(TOPIC, cloud.__msgtype__, typestore=types)
        for scan in random_scans(('lidar',) * COUNT, 5000):
            packed = encode(scan.points)
            message = cloud(
                header=header(time(packed.header.stamp.sec, packed.header.stamp.nanosec),
                              packed.header.frame_id),
                height=packed.height, width=packed.width,
                fields=[field(item.name, item.offset, item.datatype, item.count)
                        for item in packed.fields],
                is_bigendian=False, point_step=packed.point_step, row_step=packed.row_step,
                data=np.frombuffer(packed.data, np.uint8), is_dense=True)
            writer.write(connection, scan.points.stamp,
                         types.serialize_cdr(message, cloud.__msgtype__))
    return path


def write_ros1_bag(path: Path) -> Path:
    """A ROS 1 bag of the same clouds."""
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    types = get_typestore(Stores.ROS1_NOETIC)
    cloud, field, header, time = (types.types[name] for name in (
        'sensor_msgs/msg/PointCloud2', 'sensor_msgs/msg/PointField', 'std_msgs/msg/Header',
        'builtin_interfaces/msg/Time'))
    with Writer(path) as writer:
        connection = writer.add_connection(TOPIC, cloud.__msgtype__, typestore=types)
        for index, scan in enumerate(random_scans(('lidar',) * COUNT, 5000)):
            packed = encode(scan.points)
            stamp = time(packed.header.stamp.sec, packed.header.stamp.nanosec)
            message = cloud(
                header=header(index, stamp, packed.header.frame_id),
                height=packed.height, width=packed.width,
                fields=[field(item.name, item.offset, item.datatype, item.count)
                        for item in packed.fields],
                is_bigendian=False, point_step=packed.point_step, row_step=packed.row_step,
                data=np.frombuffer(packed.data, np.uint8), is_dense=True)
            writer.write(connection, scan.points.stamp,
                         types.serialize_ros1(message, cloud.__msgtype__))
    return path
