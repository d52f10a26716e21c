"""Sends a large cloud from a process of its own for each line of standard input."""

from __future__ import annotations

import sys

from lifecycle_msgs.srv import GetState
import numpy as np
import rclpy

from eq_core.geometry.points import Points
from eq_ros import messages
from eq_ros import qos
from eq_ros.pointcloud2 import encode
from eq_ros.transport import configure_transport

POINTS = 120_000  # of 16 bytes: 1.92 MB


def main(name: str) -> None:
    """Waits until the node of this name knows us, then sends."""
    configure_transport()
    rclpy.init(args=[])
    node = rclpy.create_node('cloud_publisher')
    publisher = node.create_publisher(messages.PointCloud2, f'{name}/input/pointcloud',
                                      qos.sensor())
    xyz = np.random.default_rng(0).uniform(-40, 40, (POINTS, 3))
    message = messages.pointcloud2(encode(Points.from_xyz(xyz, np.zeros(POINTS), 'lidar')))
    # Made after the publisher: a node that answers it has heard of the publisher too.
    client = node.create_client(GetState, f'{name}/get_state')
    client.wait_for_service()
    answered = False
    while not answered or publisher.get_subscription_count() < 1:
        future = client.call_async(GetState.Request())
        rclpy.spin_until_future_complete(node, future, timeout_sec=5.)
        answered = future.done()
    for number, _ in enumerate(sys.stdin):
        message.header.stamp.sec, message.header.stamp.nanosec = 1, number
        publisher.publish(message)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main(sys.argv[1])
