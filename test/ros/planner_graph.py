"""The other end of the node `graph_planner`: gives it maps, goals and places, listens to paths."""

from __future__ import annotations

from typing import Any

from graph import _done
from graph import Graph
from graph import PATIENCE
import numpy as np
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from test_transforms import transform

from eq_ros import messages
from eq_ros import qos

NAME = '/graph_planner'
SECOND = 10**9


def house(yaw: float = 0., closed: bool = False) -> Any:
    """Two rooms with a wall between them that has a door of 1 m, cells of 0.1 m."""
    cells = np.zeros((60, 80), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = 100
    cells[:, 40] = 100
    if not closed:
        cells[45:55, 40] = 0
    cells[5:15, [60, 70]] = cells[[5, 15], 60:71] = 100     # a chamber without a door
    return grid(cells, yaw)


def grid(cells: np.ndarray, yaw: float = 0., resolution: float = .1) -> Any:
    """A map as a message."""
    message = messages.OccupancyGrid(header=messages.header('map', 5 * SECOND))
    message.info.resolution = float(np.float32(resolution))     # as it is on the wire
    message.info.height, message.info.width = cells.shape
    message.info.origin.orientation.z = float(np.sin(yaw / 2))
    message.info.origin.orientation.w = float(np.cos(yaw / 2))
    message.data.frombytes(memoryview(np.ascontiguousarray(cells, np.int8)).cast('B'))
    return message


def pose(x: float, y: float, yaw: float = 0., frame_id: str = 'map', stamp: int = SECOND) -> Any:
    """A goal or start as a message."""
    message = messages.PoseStamped(header=messages.header(frame_id, stamp))
    message.pose.position.x, message.pose.position.y = x, y
    message.pose.orientation.z = float(np.sin(yaw / 2))
    message.pose.orientation.w = float(np.cos(yaw / 2))
    return message


def places(path: Any) -> np.ndarray:
    """(L, 2) places of a path."""
    return np.array([(each.pose.position.x, each.pose.position.y) for each in path.poses])


class PlannerGraph:
    """A graph with the planner in it."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.paths = graph, []
        node = graph.node
        node.create_subscription(messages.Path, f'{NAME}/output/path', self.paths.append,
                                 qos.latched())
        self.map = node.create_publisher(messages.OccupancyGrid, f'{NAME}/input/map',
                                         qos.latched())
        self.updates = node.create_publisher(
            messages.OccupancyGridUpdate, f'{NAME}/input/map_updates', qos.result())
        self.goals = node.create_publisher(messages.PoseStamped, f'{NAME}/input/goal',
                                           qos.result())
        self.static = node.create_publisher(messages.TFMessage, '/tf_static', QoSProfile(
            depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.moving = node.create_publisher(messages.TFMessage, '/tf', QoSProfile(depth=100))
        self.client = ActionClient(node, messages.ComputePathToPose, '/compute_path_to_pose')

    def start(self, *arguments: str, script: str = 'eq_navigation.nodes.graph_planner') -> Any:
        """Starts the node and waits until it takes goals and all ends know each other."""
        process = self.graph.start('-p', 'robot_radius:=0.2', *arguments, script=script,
                                   name=NAME)
        graph = self.graph
        graph.wait(lambda: graph.values.get('state') == 'active', 'active')
        for publisher in (self.map, self.updates, self.goals, self.static, self.moving):
            graph.wait(lambda publisher=publisher: publisher.get_subscription_count() > 0,
                       publisher.topic_name)
        graph.wait(lambda: graph.node.count_publishers(f'{NAME}/output/path') > 0, 'path')
        graph.wait(self.client.server_is_ready, 'action')
        graph.state()
        return process

    def give_map(self, message: Any, told: str = 'cells of 0.1') -> None:
        """Publishes a map and waits until the node says that it has one."""
        self.map.publish(message)
        self.graph.wait(lambda: told in self.graph.values.get('map', ''), told)

    def place(self, frame: str, x: float, y: float, parent: str = 'map') -> None:
        """Says for good where a frame is."""
        at = np.eye(4)
        at[:2, 3] = x, y
        self.static.publish(messages.TFMessage(transforms=[transform(parent, frame, at)]))

    def move(self, frame: str, x: float, y: float, stamp: float) -> None:
        """Says where a frame is at a time [s]."""
        at = np.eye(4)
        at[:2, 3] = x, y
        self.moving.publish(messages.TFMessage(transforms=[transform('map', frame, at, stamp)]))

    def go(self, goal: Any) -> Any:
        """Asks for a path by the topic; the path, or None once the request is dropped."""
        graph, seen = self.graph, len(self.paths)
        before, published = graph.count('received'), graph.count('published')
        self.goals.publish(goal)
        graph.wait(lambda: graph.count('received') > before and graph.count('in_flight') == 0,
                   'accounted')
        if graph.count('published') == published:
            return None
        graph.wait(lambda: len(self.paths) > seen, 'path')
        return self.paths[-1]

    def ask(self, goal: Any, start: Any = None, planner_id: str = '') -> Any:
        """Asks for a path by the action; the handle of the goal."""
        request = messages.ComputePathToPose.Goal(goal=goal, planner_id=planner_id)
        if start is not None:
            request.start, request.use_start = start, True
        future = self.client.send_goal_async(request)
        assert _done(future, PATIENCE), self.graph.log()
        return future.result()

    def result(self, handle: Any) -> Any:
        """The status of a goal and its result."""
        future = handle.get_result_async()
        assert _done(future, PATIENCE), self.graph.log()
        return future.result().status, future.result().result
