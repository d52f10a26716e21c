"""The other end of `graph_planner` in a replay: gives it what a bag holds, hears its paths."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import GetState
from rosgraph_msgs.msg import Clock

from eq_ros import qos
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import OccupancyGridUpdate
from eq_ros.messages import TFMessage
from eq_ros.messages import Time
from eq_ros.recorder import Recorder
from eq_ros.replay_client import DIAGNOSTICS_TYPE
from eq_ros.replay_client import ReplayClient

PATH_TYPE = 'nav_msgs/msg/Path'


class PlanningClient(ReplayClient):
    """Plays to and records a planner; see `ReplayClient`."""

    def _join(self) -> None:
        name = self.node_name
        self._clock = self._node.create_publisher(Clock, '/clock', qos.result())
        wanted = {'map': (OccupancyGrid, f'{name}/input/map', qos.latched()),
                  'update': (OccupancyGridUpdate, f'{name}/input/map_updates', qos.result()),
                  'goal': (PoseStamped, f'{name}/input/goal', qos.result()),
                  'tf': (TFMessage, '/tf', qos.result(100)),
                  'tf_static': (TFMessage, '/tf_static', qos.latched())}
        self._publishers = {key: self._node.create_publisher(*ends)
                            for key, ends in wanted.items() if ends[0] is not None}
        recorder = Recorder(self._node, self._receive)
        recorder.listen(f'{name}/output/path', PATH_TYPE)
        recorder.listen('/diagnostics', DIAGNOSTICS_TYPE)
        self._state = self._node.create_client(GetState, f'{name}/get_state')
        self._asked = []

    def _is_heard(self) -> bool:
        """Whether the node listens to all that it will be told, and has been heard."""
        return self._balance is not None and all(
            publisher.get_subscription_count() for publisher in self._publishers.values())

    def play(self, key: str, data: bytes, stamp: int) -> None:
        """Publishes a serialised message, its time first.

        Args:
            key: 'map', 'update', 'goal', 'tf' or 'tf_static'; left out if its type is missing.
            data: CDR bytes.
            stamp: Simulated time at which it is played [ns].
        """
        self._clock.publish(Clock(clock=Time(sec=stamp // 10**9, nanosec=stamp % 10**9)))
        if key in self._publishers:
            self._publishers[key].publish(data)
