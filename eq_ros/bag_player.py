"""Puts recorded scans on live topics, each with the time at which it was recorded."""

from __future__ import annotations

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from eq_core.geometry.points import Points
from eq_ros import qos
from eq_ros.messages import PointCloud2
from eq_ros.messages import pointcloud2
from eq_ros.messages import Time
from eq_ros.pointcloud2 import encode


class BagPlayer:
    """Publishes clouds and `/clock`; time goes first, so that no cloud comes from the future."""

    def __init__(self, node: Node, cloud_topic: str) -> None:
        """Makes the publishers.

        Args:
            node: Node that owns the publishers.
            cloud_topic: Topic on which the detector listens.
        """
        self._clock = node.create_publisher(Clock, '/clock', qos.result())
        self._clouds = node.create_publisher(PointCloud2, cloud_topic, qos.result())
        self.count = 0      # clouds so far

    @property
    def listeners(self) -> int:
        """How many subscriptions the cloud topic has right now."""
        return self._clouds.get_subscription_count()

    def tick(self, stamp: int) -> None:
        """Publishes the simulated time `stamp` [ns]."""
        self._clock.publish(Clock(clock=Time(sec=stamp // 10**9, nanosec=stamp % 10**9)))

    def play(self, cloud: Points | bytes, stamp: int) -> None:
        """Publishes the time of a scan, then the scan.

        Args:
            cloud: The scan, or the serialised PointCloud2 as it stands in a bag, which is passed
                on untouched.
            stamp: Simulated time at which it is played [ns].
        """
        self.tick(stamp)
        self.count += 1
        self._clouds.publish(
            cloud if isinstance(cloud, bytes) else pointcloud2(encode(cloud, with_time=True)))
