"""A steady load for the whole stack: clouds, goals on a map, and looks at a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
import threading
import time
from types import TracebackType
from typing import Self
from typing import TYPE_CHECKING

import numpy as np

from eq_core.errors import EqError
from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.points import Points
from eq_eval.replay.raw_clouds import header_stamp
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import PLANNER
from eq_ros.node_kinds import POLICY
from eq_ros.node_kinds import SEGMENTER
from eq_ros.node_kinds import STACK

if TYPE_CHECKING:
    from eq_ros.recorder import RecordedMessage
    from eq_ros.stack_client import StackClient

GOALS = ((7., 1.5), (7., 4.5), (1., 5.))    # [m]
SLOW_PERIOD = 1.                            # of goals and looks [s]
EDGE = .003                                 # of the table's points [m]


class StackLoad:
    """Plays to the stack from a thread until it is left, and notes what was sent and answered.

    All stamps are the time of sending on the clock of the system, so none is used twice.

    Attributes:
        sent: Stamps of the inputs of each node [ns].
        answers: Stamp and time of arrival of each answer, by the name of the node [ns].
    """

    def __init__(self, connect: Callable[[Callable[[RecordedMessage], None]], StackClient],
                 clouds: Sequence[Points], rate: float = 10.) -> None:
        """Joins the graph; nothing is sent yet.

        Args:
            connect: Makes the client, given its sink.
            clouds: Played forwards and backwards without end.
            rate: Clouds per second.
        """
        self.sent: dict[NodeKind, list[int]] = {kind: [] for kind in STACK}
        self.answers: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.client = connect(self._hear)
        self._clouds, self._rate = [*clouds, *clouds[-2:0:-1]], rate
        self._xyz, self._color = table()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play, name='load', daemon=True)

    def _hear(self, message: RecordedMessage) -> None:
        name = message.topic.rsplit('/output/', 1)[0]
        self.answers[name].append((header_stamp(message.data), time.time_ns()))

    def start(self, timeout: float) -> None:
        """Tells the map and begins to play once every node listens.

        Raises:
            EqError: One does not, after a time [s].
        """
        self.client.tell_map(house(), robot())
        for kind in STACK:
            if not self.client.wait(partial(self.client.listeners, kind), timeout):
                raise EqError(f'{kind.name} does not listen after {timeout:g} s')
        self.client.wait(self._has_map, timeout)
        self._thread.start()

    def _has_map(self) -> bool:
        balance = self.client.balance(PLANNER)
        return balance is not None and balance.details.get('map', 'none') != 'none'

    def answered(self, kind: NodeKind, since: int = 0) -> list[int]:
        """Stamps of the answers of a node that have come after a time [ns]."""
        return [stamp for stamp, heard in list(self.answers[self.client.names[kind]])
                if heard > since]

    def stop(self) -> None:
        """Plays no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _play(self) -> None:
        start = time.monotonic()
        slow = max(round(SLOW_PERIOD * self._rate), 1)
        index = 0
        while not self._over.wait(max(start + index / self._rate - time.monotonic(), 0.)):
            stamp = time.time_ns()
            self.client.play(self._clouds[index % len(self._clouds)], stamp)
            self.sent[DETECTOR].append(stamp)
            self.sent[SEGMENTER].append(stamp)
            if index % slow == 0:
                self.client.ask(*GOALS[index // slow % len(GOALS)], stamp)
                self.sent[PLANNER].append(stamp)
            if index % slow == slow // 2:
                self.client.show(self._xyz, self._color, stamp)
                self.sent[POLICY].append(stamp)
            index += 1

    def __enter__(self) -> Self:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Plays no more and leaves the graph."""
        self.stop()
        self.client.close()


def house() -> OccupancyMap:
    """Two rooms, 8 by 6 m, with a wall between them that has a door of 1 m."""
    cells = np.zeros((60, 80), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = cells[:, 40] = 100
    cells[45:55, 40] = 0
    return OccupancyMap(cells, .1)


def robot() -> np.ndarray:
    """(4, 4) map <- robot, in a corner of the first room."""
    pose = np.eye(4)
    pose[:2, 3] = 1., 1.
    return pose


def table() -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points [m] and (N, 3) colours of a table with two blocks, in the robot's frame."""
    x, y = np.meshgrid(np.arange(.251, .749, EDGE), np.arange(-.499, .499, EDGE))
    z = np.full(x.shape, .001)
    color = np.full((*x.shape, 3), 120, np.uint8)
    for left, low, wide, paint in ((.42, -.2, .04, (220, 60, 60)), (.55, .15, .1, (60, 200, 60))):
        block = (x > left) & (x < left + wide) & (y > low) & (y < low + wide)
        z[block], color[block] = .04, paint
    return (np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32), color.reshape(-1, 3))
