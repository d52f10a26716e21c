"""The other end of the whole stack: gives every node what it works on, and hears them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import time
from types import TracebackType
from typing import Any
from typing import Self

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.points import Points
from eq_ros import qos
from eq_ros.balance import Balance
from eq_ros.colored_points import SHIFTS
from eq_ros.map_publisher import map_message
from eq_ros.messages import header
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import PointCloud2
from eq_ros.messages import pointcloud2
from eq_ros.messages import PoseStamped
from eq_ros.messages import TFMessage
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import PLANNER
from eq_ros.node_kinds import POLICY
from eq_ros.node_kinds import SEGMENTER
from eq_ros.node_kinds import STACK
from eq_ros.pointcloud2 import encode
from eq_ros.recorder import RecordedMessage
from eq_ros.recorder import Recorder
from eq_ros.spinning_node import SpinningNode
from eq_ros.tf_buffer import transform_message

# One output of each node that says by its stamp which input it answers.
ANSWERS = {DETECTOR: ('objects', 'vision_msgs/msg/Detection3DArray'),
           SEGMENTER: ('pointcloud', 'sensor_msgs/msg/PointCloud2'),
           PLANNER: ('path', 'nav_msgs/msg/Path'),
           POLICY: ('pick', 'geometry_msgs/msg/PoseStamped')}
ROBOT, MAP = 'base_link', 'map'
LOOK = .02      # [s]


class StackClient:
    """A node of its own in its own thread; topics are those of `eq up stack`.

    The policy is shown coloured points in the frame of the robot. Use as a context manager.
    """

    def __init__(self, sink: Callable[[RecordedMessage], None], domain_id: int | None = None,
                 namespace: str = '') -> None:
        """Joins the graph.

        Args:
            sink: Called with every answer of a node, in order of arrival.
            domain_id: DDS domain; that of the environment if None.
            namespace: That of the stack.
        """
        self.namespace = f'/{namespace.strip("/")}'.rstrip('/')
        self.names = {kind: f'{self.namespace}/{kind.name}' for kind in STACK}
        self._balances: dict[str, tuple[Balance, int]] = {}
        self._end = SpinningNode('eq_stack_client', domain_id)
        node = self._end.node
        make, space = node.create_publisher, self.namespace
        self._clouds = make(PointCloud2, f'{space}/points', qos.result())
        self._map = make(OccupancyGrid, f'{space}/map', qos.latched())
        self._goals = make(PoseStamped, f'{space}/goal_pose', qos.result())
        self._looks = make(PointCloud2, f'{self.names[POLICY]}/input/points', qos.result())
        self._static = make(TFMessage, '/tf_static', qos.latched())
        recorder = Recorder(node, sink)
        for kind, (topic, type_name) in ANSWERS.items():
            recorder.listen(f'{self.names[kind]}/output/{topic}', type_name)
        node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.result(50))
        self._end.start()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        # Two stacks share the topic; only the hardware id carries the namespace.
        for status in message.status:
            if status.hardware_id in self.names.values():
                self._balances[status.hardware_id] = (
                    Balance.from_status(status), time.monotonic_ns())

    def balance(self, kind: NodeKind, since: int = 0) -> Balance | None:
        """What a node has said last of its inputs.

        Args:
            kind: The node.
            since: Only what has come later than this steady time counts [ns].
        """
        balance, received = self._balances.get(self.names[kind], (None, 0))
        return balance if received > since else None

    def listeners(self, kind: NodeKind) -> int:
        """How many nodes take the input of a node right now."""
        ends = {PLANNER: self._goals, POLICY: self._looks}
        return int(ends.get(kind, self._clouds).get_subscription_count())

    def wait(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Waits until something is so; whether it became so within a time [s]."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(LOOK)
        return True

    def settled(self, kind: NodeKind, timeout: float) -> Balance:
        """The balance of a node once nothing is in flight and it has been heard anew.

        Args:
            kind: The node.
            timeout: Longest wait; then the newest balance is given as it is [s].
        """
        since = time.monotonic_ns()

        def done() -> bool:
            balance = self.balance(kind, since)
            return balance is not None and not balance.in_flight
        self.wait(done, timeout)
        return self.balance(kind) or Balance()

    def tell_map(self, world: OccupancyMap, robot: NDArray[np.float64]) -> None:
        """Says once for all where obstacles are and where the robot is.

        Args:
            world: In the frame `map`.
            robot: (4, 4) map <- robot.
        """
        self._map.publish(map_message(world))
        self._static.publish(TFMessage(transforms=[transform_message(MAP, ROBOT, robot, 0)]))

    def play(self, points: Points, stamp: int) -> None:
        """Publishes a cloud for detector and segmenter, stamped anew [ns]."""
        self._clouds.publish(pointcloud2(encode(replace(
            points, stamp=stamp, frame_id=points.frame_id or 'lidar'))))

    def ask(self, x: float, y: float, stamp: int) -> None:
        """Publishes a goal on the map [m]; `stamp` [ns]."""
        goal = PoseStamped(header=header(MAP, stamp))
        goal.pose.position.x, goal.pose.position.y = x, y
        goal.pose.orientation.w = 1.
        self._goals.publish(goal)

    def show(self, xyz: NDArray[np.float32], color: NDArray[np.uint8], stamp: int) -> None:
        """Publishes a look at the table.

        Args:
            xyz: (N, 3) in the frame of the robot [m].
            color: (N, 3) red, green, blue.
            stamp: Its time [ns].
        """
        packed = (color.astype(np.uint32) << np.array(SHIFTS, np.uint32)).sum(-1, np.uint32)
        cloud = encode(Points.from_xyz(xyz, frame_id=ROBOT, stamp=stamp),
                       {'rgb': packed.view(np.float32)})
        self._looks.publish(pointcloud2(cloud))

    def close(self) -> None:
        """Leaves the graph."""
        self._end.close()

    def __enter__(self) -> Self:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Leaves the graph."""
        self.close()
