"""The other end of `semantic_costmap` in a replay: hears its maps, which another node feeds."""

from __future__ import annotations

from lifecycle_msgs.srv import GetState

from eq_ros.recorder import Recorder
from eq_ros.replay_client import DIAGNOSTICS_TYPE
from eq_ros.replay_client import ReplayClient

MAP_TYPE = 'nav_msgs/msg/OccupancyGrid'


class CostmapClient(ReplayClient):
    """Records a costmap; see `ReplayClient`."""

    def _join(self) -> None:
        self._odometry = None
        recorder = Recorder(self._node, self._receive)
        recorder.listen(f'{self.node_name}/output/map', MAP_TYPE, latched=True)
        recorder.listen('/diagnostics', DIAGNOSTICS_TYPE)
        self._state = self._node.create_client(GetState, f'{self.node_name}/get_state')
        self._asked = []

    def _is_heard(self) -> bool:
        """Whether the node has been heard."""
        return self._balance is not None
