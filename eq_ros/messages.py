"""The one place that decides which message types this machine has.

``vision_msgs``, ``tf2_msgs``, ``map_msgs`` and actions to plan are not everywhere; where they are
missing their names here are None, and what needs them is not published or taken. All else is part
of every ROS 2.
"""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Duration
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Point
from geometry_msgs.msg import Pose
from geometry_msgs.msg import PoseArray
from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import TransformStamped
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from sensor_msgs.msg import PointCloud2
from sensor_msgs.msg import PointField
from std_msgs.msg import ColorRGBA
from std_msgs.msg import Header
from visualization_msgs.msg import Marker
from visualization_msgs.msg import MarkerArray

try:
    import vision_msgs.msg as vision_msgs
except ImportError:
    vision_msgs = None

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

try:
    from map_msgs.msg import OccupancyGridUpdate
except ImportError:
    OccupancyGridUpdate = None

try:
    from nav2_msgs.action import ComputePathToPose
except ImportError:
    try:
        from eq_msgs.action import ComputePathToPose
    except ImportError:
        ComputePathToPose = None

try:
    from eq_msgs.action import PlanPickPlace
except ImportError:
    PlanPickPlace = None

__all__ = ['CameraInfo', 'ColorRGBA', 'ComputePathToPose', 'DiagnosticArray', 'DiagnosticStatus',
           'Duration', 'Header', 'Image', 'KeyValue', 'Marker', 'MarkerArray', 'OccupancyGrid',
           'OccupancyGridUpdate', 'Odometry', 'Path', 'PlanPickPlace', 'Point', 'PointCloud2',
           'PointField', 'Pose', 'PoseArray', 'PoseStamped', 'TFMessage', 'Time',
           'TransformStamped', 'Twist', 'duration', 'header', 'missing', 'pointcloud2',
           'vision_msgs']


def missing() -> dict[str, str]:
    """Message packages that this machine lacks, and what is not published for it."""
    lacking = {}
    if vision_msgs is None:
        lacking['vision_msgs'] = 'Detection3DArray and LabelInfo (MarkerArray still goes out)'
    if TFMessage is None:
        lacking['tf2_msgs'] = 'transforms'
    if OccupancyGridUpdate is None:
        lacking['map_msgs'] = 'updates of maps (whole maps are taken)'
    if None in (ComputePathToPose, PlanPickPlace):
        lacking['eq_msgs'] = 'action to plan (what comes by topics is answered)'
    return lacking


def header(frame_id: str, stamp: int) -> Header:
    """Makes a header.

    Args:
        frame_id: Name of the frame.
        stamp: Time [ns].
    """
    return Header(frame_id=frame_id, stamp=Time(sec=stamp // 10**9, nanosec=stamp % 10**9))


def duration(seconds: float) -> Duration:
    """Makes a duration [s]."""
    whole = int(seconds)
    return Duration(sec=whole, nanosec=int((seconds - whole) * 1e9))


def pointcloud2(cloud: Any) -> PointCloud2:
    """Makes a message of what `eq_ros.pointcloud2.encode` returns.

    Args:
        cloud: An object with the attributes of the message; `data` must be an ``array('B')``,
            anything else is copied byte by byte.
    """
    return PointCloud2(
        header=Header(frame_id=cloud.header.frame_id, stamp=Time(
            sec=cloud.header.stamp.sec, nanosec=cloud.header.stamp.nanosec)),
        height=cloud.height, width=cloud.width, is_bigendian=cloud.is_bigendian,
        fields=[PointField(name=field.name, offset=field.offset, datatype=field.datatype,
                           count=field.count) for field in cloud.fields],
        point_step=cloud.point_step, row_step=cloud.row_step, data=cloud.data,
        is_dense=cloud.is_dense)
