"""Writes labelled scans as a rosbag2 (MCAP) with the truth beside it."""

from __future__ import annotations

from collections.abc import Iterable
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_eval.datasets.detection_messages import detection3d_array
from eq_eval.datasets.detection_messages import DETECTIONS
from eq_eval.datasets.detection_messages import register_detections
from eq_eval.datasets.ground_truth import FILE_NAME
from eq_eval.datasets.scan import LabeledScan

TOPIC = '/lidar/points'
START = 1_700_000_000_000_000_000  # time of the recording's stamp zero [ns since 1970]
WORLD = 'odom'
_FLOAT32, _UINT32 = 7, 6  # sensor_msgs/msg/PointField
_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', '<f4'), ('t', '<u4')])


def write_rosbag(scans: Iterable[LabeledScan], path: Path, topic: str = TOPIC,
                 start: int = START, detections: str = '') -> int:
    """Writes a bag folder: clouds, ``/tf`` from odom to the sensor, ``ground_truth.jsonl``.

    Args:
        scans: The scans in the order of their stamps.
        path: The bag's folder; it must not exist.
        topic: Topic of the clouds (x y z intensity float32, t uint32 [ns] after the stamp).
        start: Added to every stamp [ns], because a ROS stamp of zero means unknown.
        detections: Topic of the boxes as ``vision_msgs/Detection3DArray``, for viewers; left out
            if empty.

    Returns:
        Number of scans written.

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
    if detections:
        register_detections(store)
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    count = 0
    with writer, (path / FILE_NAME).open('w', encoding='utf-8') as truth:
        clouds = writer.add_connection(topic, 'sensor_msgs/msg/PointCloud2', typestore=store)
        transforms = writer.add_connection('/tf', 'tf2_msgs/msg/TFMessage', typestore=store)
        found = writer.add_connection(detections, DETECTIONS, typestore=store) if (
            detections) else None
        for scan in scans:
            stamp = scan.points.stamp + start
            header = _header(store.types, scan.points.frame_id, stamp)
            messages = [(transforms, _transform(store.types, scan, stamp)),
                        (clouds, _cloud(store.types, scan, stamp))]
            if found is not None:
                messages.append((found, detection3d_array(store.types, scan, header)))
            for connection, message in messages:
                writer.write(connection, stamp,
                             store.serialize_cdr(message, connection.msgtype))
            truth.write(json.dumps(truth_row(scan, stamp)) + '\n')
            count += 1
    return count


def truth_row(scan: LabeledScan, stamp: int) -> dict[str, Any]:
    """What `ground_truth.read_truth` reads, for one scan."""
    boxes = scan.boxes
    columns: dict[str, Any] = {}
    if boxes is not None:
        scored = ['score'] * bool((boxes.score != 1).any())     # of proposals, for who sorts them
        for name in ('center', 'size', 'yaw', 'label', 'velocity', 'track_id', *scored):
            values = getattr(boxes, name)
            columns[name] = (values if values.dtype == np.int64 else values.round(5)).tolist()
        counts = scan.num_points if scan.num_points is not None else np.full(len(boxes), -1)
        columns['num_points'] = counts.tolist()
    return {'stamp': stamp, 'pose': scan.pose.round(9).tolist(),
            'class_names': list(scan.class_names), 'boxes': columns}


def _header(types: Any, frame_id: str, stamp: int) -> Any:
    time = types['builtin_interfaces/msg/Time'](stamp // 1_000_000_000, stamp % 1_000_000_000)
    return types['std_msgs/msg/Header'](time, frame_id)


def _cloud(types: Any, scan: LabeledScan, stamp: int) -> Any:
    """A dense, unorganised PointCloud2."""
    points = scan.points
    table = np.empty(len(points), _POINT)
    table['x'], table['y'], table['z'] = points.xyz.T
    table['intensity'] = points.intensity
    table['t'] = np.round(points.time_offset.astype(float) * 1e9)
    fields = [types['sensor_msgs/msg/PointField'](
        name, int(_POINT.fields[name][1]), _UINT32 if name == 't' else _FLOAT32, 1)
        for name in _POINT.names or ()] if _POINT.fields else []
    return types['sensor_msgs/msg/PointCloud2'](
        _header(types, points.frame_id, stamp), 1, len(table), fields, False, _POINT.itemsize,
        table.nbytes, table.view(np.uint8), True)


def _transform(types: Any, scan: LabeledScan, stamp: int) -> Any:
    """The sensor's pose as odom -> sensor."""
    geometry = 'geometry_msgs/msg/'
    x, y, z, w = _quaternion(scan.pose[:3, :3])
    transform = types[geometry + 'Transform'](
        types[geometry + 'Vector3'](*(float(v) for v in scan.pose[:3, 3])),
        types[geometry + 'Quaternion'](x, y, z, w))
    stamped = types[geometry + 'TransformStamped'](
        _header(types, WORLD, stamp), scan.points.frame_id, transform)
    return types['tf2_msgs/msg/TFMessage']([stamped])


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """x, y, z, w of a rotation matrix: the eigenvector of Bar-Itzhack, J. Guid. Control 2000."""
    r = rotation
    matrix = np.array([
        [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
        [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
        [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0],
        [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)]])
    vector = np.linalg.eigh(matrix)[1][:, -1]  # of the largest eigenvalue; reads one triangle
    x, y, z, w = (float(v) for v in (vector if vector[3] >= 0 else -vector))
    return x, y, z, w
