"""The other end of a node under replay: feeds it, hears it, knows its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
import threading
import time
from types import TracebackType
from typing import Self

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.task import Future

from eq_core.errors import EqError
from eq_ros import qos
from eq_ros.bag_player import BagPlayer
from eq_ros.balance import Balance
from eq_ros.balance import find_balance
from eq_ros.messages import header
from eq_ros.poses import StampedPose
from eq_ros.recorder import has_message
from eq_ros.recorder import RecordedMessage
from eq_ros.recorder import Recorder
from eq_ros.spinning_node import SpinningNode

OBJECTS_TYPE = 'vision_msgs/msg/Detection3DArray'
LABELS_TYPE = 'vision_msgs/msg/LabelInfo'
MARKERS_TYPE = 'visualization_msgs/msg/MarkerArray'
POINTS_TYPE = 'sensor_msgs/msg/PointCloud2'
DIAGNOSTICS_TYPE = 'diagnostic_msgs/msg/DiagnosticArray'


class ReplayClient:
    """A node of its own in its own thread that plays to and records one node.

    Use as a context manager: the executor is stopped and joined before rclpy shuts down, because
    a thread that still spins then ends the process.
    """

    def __init__(self, node_name: str, sink: Callable[[RecordedMessage], None],
                 domain_id: int | None = None, labels_points: bool = False,
                 with_poses: bool = False, with_markers: bool = True,
                 topics: Mapping[str, str] | None = None, peer: ReplayClient | None = None,
                 own_name: str = 'eq_replay') -> None:
        """Joins the graph.

        Args:
            node_name: Fully qualified name of the node, such as ``'/lidar_detector'``.
            sink: Called with every message that the node publishes, in order of arrival.
            domain_id: DDS domain; that of the environment if None.
            labels_points: Whether the node answers with labelled points too.
            with_poses: Whether the node listens to odometry.
            with_markers: Whether markers are heard, which a node draws only for who listens;
                they are where objects cannot be recorded.
            topics: Where the node has its inputs, by their private names such as ``'pointcloud'``;
                under its own name where that is missing.
            peer: Another client, as whose part this one joins the graph.
            own_name: What this end is called in the graph.
        """
        self.node_name = '/' + node_name.strip('/')
        self.records_objects = has_message(OBJECTS_TYPE)
        self._labels_points, self._with_poses = labels_points, with_poses
        self._with_markers = with_markers or not self.records_objects
        self._sink = sink
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._balance: Balance | None = None
        self._balance_time = 0
        self._topics = dict(topics or {})
        self.sent: Counter[str] = Counter()     # messages by topic
        self._peer = peer
        if peer is not None:
            self._node: Node = peer.node
            self._join()
            return
        self._end = SpinningNode(own_name, domain_id)
        self._node = self._end.node
        self._join()
        self._end.start()

    def _join(self) -> None:
        # The order matters. A participant announces its ends in the order in which they were
        # made, so whoever has answered our last one (service, diagnostics) knows all the others,
        # and neither the first scan nor the first answer can get lost to discovery.
        self.player = BagPlayer(self._node, self.input('pointcloud'))
        self._odometry = self._node.create_publisher(
            Odometry, self.input('odometry'), qos.result(50)) if self._with_poses else None
        recorder = Recorder(self._node, self._receive)
        if self.records_objects:
            recorder.listen(f'{self.node_name}/output/objects', OBJECTS_TYPE)
            recorder.listen(f'{self.node_name}/output/label_info', LABELS_TYPE, latched=True)
        if self._labels_points:
            recorder.listen(f'{self.node_name}/output/pointcloud', POINTS_TYPE)
        if self._with_markers:
            recorder.listen(f'{self.node_name}/debug/markers', MARKERS_TYPE)
        recorder.listen('/diagnostics', DIAGNOSTICS_TYPE)
        self._state = self._node.create_client(GetState, f'{self.node_name}/get_state')
        self._asked: list[Future[GetState.Response]] = []

    @property
    def node(self) -> Node:
        """What this end is in the graph."""
        return self._node

    def input(self, name: str) -> str:
        """Full name of the topic that is an input of the node."""
        return self._topics.get(name, f'{self.node_name}/input/{name}')

    def _receive(self, message: RecordedMessage) -> None:
        balance = None
        try:
            if message.type_name == DIAGNOSTICS_TYPE:
                balance = find_balance(message.decode(), self.node_name)
            self._sink(message)
        except Exception as error:  # noqa: BLE001 - it would end the thread without a word
            self._failure = error
        with self._changed:
            if balance is not None:
                self._balance, self._balance_time = balance, message.received
            self._changed.notify_all()

    @property
    def answer_types(self) -> tuple[str, ...]:
        """Types of the messages that make up one answer, as far as they can be recorded."""
        points = (POINTS_TYPE,) if self._labels_points else ()
        if self.records_objects:
            return OBJECTS_TYPE, *points
        return points or (MARKERS_TYPE,)

    def tell_pose(self, pose: NDArray[np.float64], frame_id: str, stamp: int) -> None:
        """Publishes where a frame is as ``nav_msgs/Odometry``, to a node that wants to know.

        Args:
            pose: (4, 4) rigid transform, odometry <- `frame_id`.
            frame_id: Frame of the clouds, so that nothing has to be known of a body around it.
            stamp: Time of the pose [ns].
        """
        if self._odometry is None:
            return
        message = Odometry(header=header('odom', stamp), child_frame_id=frame_id)
        found = StampedPose.from_matrix(pose, stamp)
        place, turn = message.pose.pose.position, message.pose.pose.orientation
        place.x, place.y, place.z = found.position.tolist()
        turn.x, turn.y, turn.z, turn.w = found.quaternion.tolist()
        self._odometry.publish(message)
        self.sent[self.input('odometry')] += 1

    def knows_pose(self, stamp: int) -> bool:
        """Whether the node says that it knows poses up to a time [ns], if it is told any."""
        if not self._with_poses:
            return True
        known = self.balance.details.get('odometry_until')
        return bool(known) and float(known or 0) > stamp / 1e9 - 1e-3  # told to the millisecond

    @property
    def odometry_listeners(self) -> int:
        """How many subscriptions the odometry has right now."""
        return 0 if self._odometry is None else int(self._odometry.get_subscription_count())

    def _is_heard(self) -> bool:
        """Whether the node listens to all that it will be told, and has been heard."""
        odometry = self._odometry is None or self._odometry.get_subscription_count() > 0
        return odometry and self.player.listeners > 0 and self._balance is not None

    @property
    def balance(self) -> Balance:
        """The newest balance that the node has published."""
        with self._changed:
            return self._balance or Balance()

    @property
    def balance_time(self) -> int:
        """Steady time at which `balance` came in [ns]; 0 before the first."""
        with self._changed:
            return self._balance_time

    def wait(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Waits until something that came in makes `predicate` true.

        Args:
            predicate: Evaluated after every message; must be quick.
            timeout: Longest wait [s].

        Returns:
            Whether it became true.

        Raises:
            EqError: A message could not be taken.
        """
        with self._changed:
            became = self._changed.wait_for(lambda: bool(self._failure) or predicate(), timeout)
        if self._failure is not None:
            raise EqError(f'a message of the node could not be recorded: {self._failure!r}'
                          ) from self._failure
        return became

    def hear(self, timeout: float) -> None:
        """Waits until the node has said twice how it is, and so has read what came before.

        Args:
            timeout: Longest wait for either [s].

        Raises:
            EqError: A message could not be taken.
        """
        for _ in range(2):
            self._hear_once(timeout)

    def _hear_once(self, timeout: float) -> None:
        since = time.monotonic_ns()
        self.wait(lambda: self._balance_time > since, timeout)

    def wait_until_active(self, timeout: float, check: Callable[[], None]) -> None:
        """Waits until the node is active, listens to us and is heard by us.

        Args:
            timeout: Longest wait [s].
            check: Called again and again; raises if the node can no longer become active.

        Raises:
            EqError: The time is over (the text names the last state seen), or the node says
                that it cannot become active.
        """
        seen = 'not there'
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            check()
            if self.balance.fault:
                raise EqError(f'{self.node_name} cannot work: {self.balance.fault}')
            seen = self._lifecycle_state() or seen
            if seen == 'active':
                if self.wait(self._is_heard, 0.5):
                    return
                seen = 'active, but it does not listen yet'
            time.sleep(0.05)
        raise EqError(f'{self.node_name} was not active after {timeout:g} s (last: {seen})')

    def _lifecycle_state(self) -> str | None:
        # The answer to a first question gets lost where the node has not found us yet, so it is
        # asked again; on a loaded machine the answer to an earlier one may still come.
        if not self._state.wait_for_service(timeout_sec=0.2):
            return None
        done = threading.Event()
        self._asked.append(self._state.call_async(GetState.Request()))
        for future in self._asked:
            future.add_done_callback(lambda _: done.set())
        done.wait(1.)
        answers = [future.result() for future in self._asked if future.done()]
        if not answers or answers[-1] is None:
            return None
        self._asked.clear()
        current = answers[-1].current_state
        return 'active' if current.id == State.PRIMARY_STATE_ACTIVE else str(current.label)

    def close(self) -> None:
        """Leaves the graph, unless that is the peer's to do."""
        if self._peer is None:
            self._end.close()

    def __enter__(self) -> Self:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Leaves the graph."""
        self.close()
