"""The other end of `graph_planner` in a replay: gives it what a bag holds, hears its paths."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.srv import GetState
import numpy as np
from numpy.typing import NDArray
from rosgraph_msgs.msg import Clock

from eq_ros import qos
from eq_ros.messages import header
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import OccupancyGridUpdate
from eq_ros.messages import TFMessage
from eq_ros.messages import Time
from eq_ros.poses import StampedPose
from eq_ros.recorder import Recorder
from eq_ros.recorder import serialized
from eq_ros.replay_client import DIAGNOSTICS_TYPE
from eq_ros.replay_client import ReplayClient

PATH_TYPE = 'nav_msgs/msg/Path'


class PlanningClient(ReplayClient):
    """Plays to and records a planner; see `ReplayClient`.

    A topic of the map that is given by name is left to another node.
    """

    def _join(self) -> None:
        name = self.node_name
        self._clock = self._node.create_publisher(Clock, '/clock', qos.result())
        wanted = {'map': (OccupancyGrid, self.input('map'), qos.latched()),
                  'update': (OccupancyGridUpdate, self.input('map_updates'), qos.result()),
                  'goal': (PoseStamped, self.input('goal'), qos.result()),
                  'tf': (TFMessage, '/tf', qos.result(100)),
                  'tf_static': (TFMessage, '/tf_static', qos.latched())}
        self._publishers = {key: self._node.create_publisher(*ends)
                            for key, ends in wanted.items() if ends[0] is not None
                            and not ('map' in self._topics and key in ('map', 'update'))}
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
            self.sent[self._publishers[key].topic_name] += 1

    def tell_place(self, pose: NDArray[np.float64], frame_id: str, stamp: int,
                   parent: str = 'odom') -> None:
        """Publishes where a frame is as a transform, where their message is installed.

        Args:
            pose: (4, 4) rigid transform, `parent` <- `frame_id`.
            frame_id: The frame.
            stamp: Time of the pose [ns].
            parent: The frame that does not move.
        """
        if 'tf' not in self._publishers:
            return
        found = StampedPose.from_matrix(pose, stamp)
        message = TransformStamped(header=header(parent, stamp), child_frame_id=frame_id)
        place, turn = message.transform.translation, message.transform.rotation
        place.x, place.y, place.z = found.position.tolist()
        turn.x, turn.y, turn.z, turn.w = found.quaternion.tolist()
        self.play('tf', serialized(TFMessage(transforms=[message])), stamp)

    def ask(self, xy: NDArray[np.float64], frame_id: str, stamp: int) -> None:
        """Publishes a goal; its heading does not matter.

        Args:
            xy: (2,) its place [m].
            frame_id: Frame of the place.
            stamp: Simulated time [ns].
        """
        goal = PoseStamped(header=header(frame_id, stamp))
        goal.pose.position.x, goal.pose.position.y = xy.tolist()
        goal.pose.orientation.w = 1.
        self.play('goal', serialized(goal), stamp)
