"""The other end of `pick_place_policy` in a replay: shows it what a bag holds, and asks it."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any

from lifecycle_msgs.srv import GetState
import numpy as np
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.serialization import serialize_message
from rclpy.task import Future
from rosgraph_msgs.msg import Clock

from eq_core.errors import ConfigError
from eq_core.errors import EqError
from eq_core.geometry.points import Points
from eq_ros import qos
from eq_ros.messages import CameraInfo
from eq_ros.messages import Image
from eq_ros.messages import PlanPickPlace
from eq_ros.messages import PointCloud2
from eq_ros.messages import pointcloud2
from eq_ros.messages import TFMessage
from eq_ros.messages import Time
from eq_ros.pointcloud2 import encode
from eq_ros.recorder import RecordedMessage
from eq_ros.recorder import Recorder
from eq_ros.replay_client import DIAGNOSTICS_TYPE
from eq_ros.replay_client import ReplayClient
from eq_ros.table_views import POINTS
from eq_ros.table_views import RGBD

INPUTS = {RGBD: {'depth': Image, 'color': Image, 'camera_info': CameraInfo},
          POINTS: {'points': PointCloud2}}
OUTPUTS = {'pick': 'geometry_msgs/msg/PoseStamped', 'place': 'geometry_msgs/msg/PoseStamped',
           'picks': 'geometry_msgs/msg/PoseArray', 'places': 'geometry_msgs/msg/PoseArray'}


class PickPlaceClient(ReplayClient):
    """Plays to, asks and records a policy; see `ReplayClient`."""

    def __init__(self, node_name: str, sink: Callable[[RecordedMessage], None],
                 domain_id: int | None = None, source: str = RGBD,
                 own_name: str = 'eq_replay') -> None:
        """Joins the graph.

        Args:
            node_name: Fully qualified name of the node, such as ``'/pick_place_policy'``.
            sink: Called with every message that the node publishes, in order of arrival.
            domain_id: DDS domain; that of the environment if None.
            source: What the node looks with, ``'rgbd'`` or ``'points'``.
            own_name: What this end is called in the graph.

        Raises:
            ConfigError: The action is not installed.
        """
        if PlanPickPlace is None:
            raise ConfigError('eq_msgs is not installed: no action to plan')
        self._source = source
        super().__init__(node_name, sink, domain_id, own_name=own_name)

    def _join(self) -> None:
        name = self.node_name
        self._clock = self._node.create_publisher(Clock, '/clock', qos.result())
        self._publishers = {key: self._node.create_publisher(
            kind, f'{name}/input/{key}', qos.result()) for key, kind in
            INPUTS[self._source].items()}
        if TFMessage is not None:
            self._publishers['tf'] = self._node.create_publisher(
                TFMessage, '/tf', qos.result(100))
            self._publishers['tf_static'] = self._node.create_publisher(
                TFMessage, '/tf_static', qos.latched())
        recorder = Recorder(self._node, self._receive)
        for topic, kind in OUTPUTS.items():
            recorder.listen(f'{name}/output/{topic}', kind)
        recorder.listen('/diagnostics', DIAGNOSTICS_TYPE)
        self._action = ActionClient(self._node, PlanPickPlace, f'{name}/plan_pick_place')
        self._state = self._node.create_client(GetState, f'{name}/get_state')
        self._asked = []

    def _is_heard(self) -> bool:
        """Whether the node listens to all that it will be told, and has been heard."""
        return (self._balance is not None and self._action.server_is_ready()
                and all(publisher.get_subscription_count()
                        for publisher in self._publishers.values()))

    def play(self, key: str, data: bytes, stamp: int) -> None:
        """Publishes a serialised message, its time first.

        Args:
            key: 'depth', 'color', 'camera_info', 'points', 'tf' or 'tf_static'; left out if the
                node does not listen to it or its type is missing.
            data: CDR bytes.
            stamp: Simulated time at which it is played [ns].
        """
        self._clock.publish(Clock(clock=Time(sec=stamp // 10**9, nanosec=stamp % 10**9)))
        if key in self._publishers:
            self._publishers[key].publish(data)
            self.sent[self._publishers[key].topic_name] += 1

    def show(self, xyz: NDArray[np.floating], color: NDArray[np.floating], frame_id: str,
             stamp: int) -> None:
        """Publishes a coloured cloud, its time first.

        Args:
            xyz: (N, 3) [m].
            color: (N, 3) in [0, 1].
            frame_id: Frame of the points.
            stamp: Simulated time [ns].
        """
        red, green, blue = np.rint(255 * np.asarray(color)).astype(np.uint32).T
        cloud = encode(Points.from_xyz(xyz, frame_id=frame_id, stamp=stamp), {
            'rgb': (red << 16 | green << 8 | blue).view(np.float32)})
        self.play('points', serialize_message(pointcloud2(cloud)), stamp)

    def has_seen(self, stamp: int) -> bool:
        """Whether the newest look that the node tells of is of this time [ns]."""
        return self.balance.details.get('view') == f'{stamp * 1e-9:.3f}'

    def ask(self, patience: float, timeout: float = 0., count: int = 0) -> Any:
        """Asks where to pick and where to place, and waits for the answer.

        Args:
            patience: Longest wait, here [s].
            timeout: Longest time that the node may take [s], 0 for its default.
            count: Most poses of either kind, 0 for the node's default.

        Returns:
            Result of ``eq_msgs/action/PlanPickPlace``; its `error_code` tells why there are no
            poses.

        Raises:
            EqError: The node does not take goals or does not answer in time.
        """
        goal = PlanPickPlace.Goal(timeout=timeout, count=count)
        handle = self._await(self._action.send_goal_async(goal), patience)
        if not handle.accepted:
            raise EqError(f'{self.node_name} takes no goals, it is not active')
        return self._await(handle.get_result_async(), patience).result

    def _await(self, future: Future[Any], patience: float) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(patience):
            raise EqError(f'{self.node_name} has not answered within {patience:g} s')
        return future.result()
