"""Sends large clouds from a process of its own: `cloud_publisher.py TOPIC COUNT RATE`."""

from __future__ import annotations

import sys
import time

import numpy as np
import rclpy

from eq_core.geometry.points import Points
from eq_ros import messages
from eq_ros import qos
from eq_ros.pointcloud2 import encode
from eq_ros.transport import configure_transport

POINTS = 120_000  # of 16 bytes: 1.92 MB


def main(topic: str, count: int, rate: float) -> None:
    """Waits for one subscriber, then sends."""
    configure_transport()
    rclpy.init(args=[])
    node = rclpy.create_node('cloud_publisher')
    publisher = node.create_publisher(messages.PointCloud2, topic, qos.sensor())
    xyz = np.random.default_rng(0).uniform(-40, 40, (POINTS, 3))
    message = messages.pointcloud2(encode(Points.from_xyz(xyz, np.zeros(POINTS), 'lidar')))
    while publisher.get_subscription_count() < 1:
        time.sleep(0.02)
    time.sleep(0.5)  # the other end may know us a little later than we know it
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0., start + number / rate - time.monotonic()))
        message.header.stamp.sec, message.header.stamp.nanosec = 1, number
        publisher.publish(message)
    time.sleep(0.5)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
