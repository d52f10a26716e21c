"""What is published is heard as it is offered: early and late, reliable or not, wanted or not."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
from graph import cloud
from graph import Graph

from eq_ros import messages
from eq_ros import qos
from eq_ros.topic_watcher import watch

PATIENCE = 60.      # [s]
KINDS = ('sensor_msgs/msg/PointCloud2', 'nav_msgs/msg/OccupancyGrid', 'no_such_msgs/msg/Thing')


def heard(domain_id: int, enough: int, publish: Any, under: str = '/') -> dict[str, str]:
    """Types by topics that have been heard when there are enough of them."""
    found: dict[str, str] = {}
    began = time.monotonic()

    def going_on() -> bool:
        publish()
        return len(found) < enough and time.monotonic() - began < PATIENCE
    watch(KINDS, lambda topic, kind, message: found.setdefault(topic, kind), going_on, under,
          domain_id)
    return found


def test_topics_are_heard_whatever_their_quality_of_service(
        graph: Graph, domain_id: int) -> None:
    node = graph.node
    latched = node.create_publisher(messages.OccupancyGrid, '/robot/map', qos.latched())
    latched.publish(messages.OccupancyGrid())     # before anybody listens, and never again
    sensor = node.create_publisher(messages.PointCloud2, '/robot/points', qos.sensor())
    other = node.create_publisher(messages.Twist, '/robot/cmd_vel', qos.result())
    late: list[Any] = []
    began = time.monotonic()

    def publish() -> None:
        sensor.publish(cloud())
        other.publish(messages.Twist())
        if time.monotonic() - began > 2.:   # after the watcher has looked for the first time
            if not late:
                late.append(node.create_publisher(messages.PointCloud2, '/robot/late',
                                                  qos.result()))
            late[0].publish(cloud())
    assert heard(domain_id, 3, publish) == {
        '/robot/map': KINDS[1], '/robot/points': KINDS[0], '/robot/late': KINDS[0]}


def test_a_namespace_bounds_what_is_heard(
        graph: Graph, domain_id: int) -> None:
    publishers = [graph.node.create_publisher(messages.PointCloud2, name, qos.result())
                  for name in ('/other/points', '/robot/points')]

    def publish() -> None:
        for publisher in publishers:
            publisher.publish(cloud())
    assert set(heard(domain_id, 1, publish, '/robot/')) == {'/robot/points'}
