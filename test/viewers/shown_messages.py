"""Messages of every kind that is shown, as objects with their attributes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from eq_core.geometry.points import Points
from eq_ros.pointcloud2 import encode

STAMP = 12 * 10**9 + 34
HEAT = np.array([[0., .25, 0.], [.5, 0., .125]], np.float32)
GRID = np.array([[-1, 0, 100], [50, 0, 0]], np.int8)


def message(frame_id: str = 'odom', **attributes: Any) -> Any:
    """With a header."""
    return SimpleNamespace(header=SimpleNamespace(
        frame_id=frame_id, stamp=SimpleNamespace(sec=12, nanosec=34)), **attributes)


def vector(x: float, y: float, z: float, **more: float) -> Any:
    """Three numbers, or four."""
    return SimpleNamespace(x=x, y=y, z=z, **more)


def pose(x: float, y: float = 0., yaw: float = 0.) -> Any:
    """An upright pose."""
    return SimpleNamespace(position=vector(x, y, 0.),
                           orientation=vector(0., 0., np.sin(yaw / 2), w=np.cos(yaw / 2)))


def cloud() -> Any:
    """Three points with the fields of the segmenter."""
    return encode(Points.from_xyz(np.array([[1., 2, 3], [4, 5, 6], [7, 8, 9]]),
                                  np.array([0., .5, 1.]), 'lidar', STAMP),
                  {'semantic': np.array([10, 40, 10], np.uint16),
                   'instance': np.array([7, 0, 8], np.uint32)})


def detections(*sizes: float) -> Any:
    """Boxes of some lengths."""
    return message(detections=[SimpleNamespace(
        id=str(number) if number else '',
        bbox=SimpleNamespace(size=vector(size, size / 2, size / 4), center=pose(number, 1., .5)),
        results=[SimpleNamespace(hypothesis=SimpleNamespace(class_id=name, score=score))
                 for name, score in (('truck', .25), ('car', .75))])
        for number, size in enumerate(sizes)])


def image() -> Any:
    """A heatmap."""
    return message('table', height=2, width=3, step=12, encoding='32FC1', is_bigendian=0,
                   data=HEAT.tobytes())


def world() -> Any:
    """A map of two rows and three columns."""
    return message('map', data=GRID.ravel(), info=SimpleNamespace(
        height=2, width=3, resolution=.5, origin=pose(1., 2., np.pi / 2)))


def status(**values: str) -> Any:
    """What a node says."""
    return message('', status=[SimpleNamespace(
        name='lidar_detector: pipeline', level=b'\x01', message='slow',
        hardware_id='/lidar_detector', values=[
            SimpleNamespace(key=key, value=value) for key, value in values.items()])])


def transforms() -> Any:
    """Where the sensor is on the robot."""
    return SimpleNamespace(transforms=[message(
        'base_link', child_frame_id='lidar', transform=SimpleNamespace(
            translation=vector(0., 0., 1.5), rotation=vector(0., 0., 0., w=1.)))])


ALL = {'sensor_msgs/msg/PointCloud2': cloud(), 'nav_msgs/msg/OccupancyGrid': world(),
       'vision_msgs/msg/Detection3DArray': detections(4., 2.), 'sensor_msgs/msg/Image': image(),
       'nav_msgs/msg/Path': message('map', poses=[message(pose=pose(0.)), message(pose=pose(2.))]),
       'nav_msgs/msg/Odometry': message(pose=SimpleNamespace(pose=pose(3.))),
       'geometry_msgs/msg/PoseStamped': message(pose=pose(1., 2.)),
       'geometry_msgs/msg/PoseArray': message(poses=[pose(1.), pose(2., yaw=1.)]),
       'diagnostic_msgs/msg/DiagnosticArray': status(
           latency_p50_ms='12.5', received='3', state='active', model='7'),
       'tf2_msgs/msg/TFMessage': transforms()}
