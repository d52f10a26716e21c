"""A simulated robot in the live graph: what it sees and where it is out, velocities in.

Where `ros_gz_bridge` cannot be had, as with Gazebo 11, this stands in its place: the topics are
those of `config/gz_bridge.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosgraph_msgs.msg import Clock

from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.points import Points
from eq_ros import qos
from eq_ros.map_publisher import map_message
from eq_ros.messages import header
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import Odometry
from eq_ros.messages import PointCloud2
from eq_ros.messages import pointcloud2
from eq_ros.messages import PoseStamped
from eq_ros.messages import TFMessage
from eq_ros.messages import Twist
from eq_ros.messages import vision_msgs
from eq_ros.pointcloud2 import encode
from eq_ros.poses import SECOND
from eq_ros.spinning_node import SpinningNode
from eq_ros.tf_buffer import transform_message

Double = NDArray[np.float64]


class GazeboAdapter:
    """The ends of a simulated robot."""

    def __init__(self, domain_id: int, frames: Mapping[tuple[str, str], Double],
                 world: OccupancyMap) -> None:
        """Joins the graph and says what does not change.

        Args:
            domain_id: DDS domain.
            frames: (4, 4) poses that do not change, parent <- child, by both names.
            world: The map.
        """
        self.command = (0., 0.)     # newest speed [m/s] and turn rate [rad/s]
        self.objects: list[tuple[int, list[tuple[str, float, Double]]]] = []
        self._end = SpinningNode('gazebo', domain_id)
        node = self._end.node
        self._clock = node.create_publisher(Clock, '/clock', qos.result())
        self._points = node.create_publisher(PointCloud2, '/points', qos.result(2))
        self._odometry = node.create_publisher(Odometry, '/odometry', qos.result())
        self._tf = node.create_publisher(TFMessage, '/tf', qos.result(100))
        self._goal = node.create_publisher(PoseStamped, '/goal_pose', qos.result())
        self._static = node.create_publisher(TFMessage, '/tf_static', qos.latched())
        self._static.publish(TFMessage(transforms=[
            transform_message(parent, child, pose, 0)
            for (parent, child), pose in frames.items()]))
        self._map = node.create_publisher(OccupancyGrid, '/map', qos.latched())
        self._map.publish(map_message(world))
        node.create_subscription(Twist, '/cmd_vel', self._on_command, qos.result())
        if vision_msgs is not None:
            node.create_subscription(vision_msgs.Detection3DArray, '/objects', self._on_objects,
                                     qos.result())
        self._end.start()

    def tell_place(self, pose: Double, stamp: int) -> None:
        """Says what time it is, and where the robot is.

        Args:
            pose: (4, 4) odom <- base_link.
            stamp: Simulated time [ns].
        """
        self._clock.publish(Clock(clock=header('', stamp).stamp))
        moved = transform_message('odom', 'base_link', pose, stamp)
        message = Odometry(header=moved.header, child_frame_id='base_link')
        place, at = message.pose.pose.position, moved.transform.translation
        place.x, place.y, place.z = at.x, at.y, at.z
        message.pose.pose.orientation = moved.transform.rotation
        self._tf.publish(TFMessage(transforms=[moved]))
        self._odometry.publish(message)

    def tell_cloud(self, points: Points) -> None:
        """Says what the LiDAR sees."""
        self._points.publish(pointcloud2(encode(points)))

    def tell_goal(self, x: float, y: float) -> None:
        """Says where on the map to drive [m]."""
        message = PoseStamped(header=header('map', 0))
        message.pose.position.x, message.pose.position.y = x, y
        message.pose.orientation.w = 1.
        self._goal.publish(message)

    def close(self) -> None:
        """Leaves the graph."""
        self._end.close()

    def _on_command(self, message: Twist) -> None:
        self.command = (message.linear.x, message.angular.z)

    def _on_objects(self, message: Any) -> None:
        stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        self.objects.append((stamp, [
            (each.results[0].hypothesis.class_id, each.results[0].hypothesis.score,
             np.array([each.bbox.center.position.x, each.bbox.center.position.y,
                       each.bbox.center.position.z])) for each in message.detections]))
