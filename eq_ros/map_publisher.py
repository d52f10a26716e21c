"""Says a map once to whoever listens, now or later, as map_server does."""

from __future__ import annotations

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException

from eq_core.geometry.occupancy import OccupancyMap
from eq_ros import qos
from eq_ros.messages import header
from eq_ros.messages import OccupancyGrid
from eq_ros.poses import SECOND


def map_message(world: OccupancyMap) -> OccupancyGrid:
    """Makes a message of a map."""
    message = OccupancyGrid(header=header(world.frame_id, world.stamp))
    message.info.resolution = float(world.resolution)
    message.info.height, message.info.width = world.cells.shape
    x, y, yaw = world.origin
    message.info.origin.position.x, message.info.origin.position.y = float(x), float(y)
    message.info.origin.orientation.z = float(np.sin(yaw / 2))
    message.info.origin.orientation.w = float(np.cos(yaw / 2))
    message.info.map_load_time.sec = world.stamp // SECOND
    message.data.frombytes(world.cells.tobytes())
    return message


def publish_map(world: OccupancyMap, topic: str = '/map') -> None:
    """Publishes a map, latched, until the process is told to end."""
    rclpy.init()
    node = rclpy.create_node('map_publisher')
    publisher = node.create_publisher(OccupancyGrid, topic, qos.latched())
    publisher.publish(map_message(world))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    node.destroy_node()
    rclpy.try_shutdown()
