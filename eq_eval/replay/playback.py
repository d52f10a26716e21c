"""Plays scans through a node and finds out what became of each."""

from __future__ import annotations

from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import time

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import EqError
from eq_core.geometry.points import Points
from eq_eval.replay.outcome import PUBLISHED
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.outcome import UNANSWERED
from eq_eval.replay.raw_clouds import header_stamp
from eq_ros.balance import Balance
from eq_ros.detected_boxes import boxes_of
from eq_ros.detected_boxes import stamp_of
from eq_ros.recorder import RecordedMessage
from eq_ros.replay_client import MARKERS_TYPE
from eq_ros.replay_client import OBJECTS_TYPE
from eq_ros.replay_client import POINTS_TYPE
from eq_ros.replay_client import ReplayClient

_FIRST_PAUSE = 0.1     # [s]
_POSE_TIMEOUT = 5.     # [s]; longest wait until the node knows the first pose
_CLOCK_PERIOD = 0.01   # [s] of simulated time between two ticks while playing by the clock


@dataclass(frozen=True, eq=False)
class Played:
    """A scan on its way out.

    Attributes:
        index: Position in the recording.
        stamp: Header stamp [ns].
        num_points: Points in it.
        cloud: The scan, or its serialised PointCloud2.
        frame_id: Its frame.
        pose: (4, 4) odometry <- sensor, None where the node is not told.
    """

    index: int
    stamp: int
    num_points: int
    cloud: Points | bytes
    frame_id: str = 'lidar'
    pose: NDArray[np.float64] | None = None


@dataclass(eq=False)
class _Ticket:
    """What is known of one scan so far."""

    index: int
    stamp: int
    num_points: int
    sent: int
    status: str = ''


class Answers:
    """Sorts what the node says by the stamp of the scan that it answers.

    Attributes:
        parts: Types of the messages that make up one answer.
        last_time: Steady time at which the last part of an answer came in [ns].
    """

    def __init__(self, forward: Callable[[RecordedMessage], None], keeps_content: bool = True,
                 ) -> None:
        """Starts empty.

        Args:
            forward: Called with every message, such as the writer of a bag.
            keeps_content: Whether objects are remembered, and not only that they came; without
                end they fill the memory.
        """
        self.parts: tuple[str, ...] = (OBJECTS_TYPE,)
        self._forward, self._keeps_content = forward, keeps_content
        self._waiting: dict[tuple[int, str], deque[RecordedMessage]] = defaultdict(deque)
        self.last_time = 0

    def receive(self, message: RecordedMessage) -> None:
        """Takes one message; called from the executor's thread."""
        self._forward(message)
        if message.type_name not in self.parts:
            return
        stamp = _stamp(message)
        if stamp is not None:
            # Points are millions of bytes, which are in the bag.
            if message.type_name == POINTS_TYPE or not self._keeps_content:
                message = replace(message, data=b'')
            self._waiting[stamp, message.type_name].append(message)
            self.last_time = message.received

    def count(self, stamp: int) -> int:
        """How many complete answers to scans of this stamp wait to be taken."""
        return min(len(self._waiting.get((stamp, part), ())) for part in self.parts)

    def take(self, stamp: int) -> dict[str, RecordedMessage] | None:
        """Takes the oldest answer to a scan of this stamp: its parts by their types."""
        if not self.count(stamp):
            return None
        return {part: self._waiting[stamp, part].popleft() for part in self.parts}


def _stamp(message: RecordedMessage) -> int | None:
    """Stamp of the scan that a part of an answer is about [ns]."""
    if message.type_name == POINTS_TYPE:
        return header_stamp(message.data)
    decoded = message.decode()
    if message.type_name == MARKERS_TYPE:
        decoded = decoded.markers[0] if decoded.markers else None
    return None if decoded is None else stamp_of(decoded.header)


class Playback:
    """Plays scans one after the other, in lock-step or by the clock."""

    def __init__(self, client: ReplayClient, answers: Answers, check: Callable[[], None],
                 scan_timeout: float = 20., beside: Sequence[Playback] = ()) -> None:
        """Keeps its parts.

        Args:
            client: The other end of the node.
            answers: The sink of `client`.
            check: Raises if the node has died.
            scan_timeout: Longest wait for the answer to one scan [s].
            beside: Of other nodes that listen to the same clouds.
        """
        self._client, self._answers, self._check = client, answers, check
        self._scan_timeout = scan_timeout
        self._all = (self, *beside)
        self._tickets: list[_Ticket] = []

    @property
    def num_played(self) -> int:
        """Scans sent so far."""
        return len(self._tickets)

    def lock_step(self, scans: Iterable[Played]) -> Iterator[Played]:
        """Sends each scan when the one before was answered or dropped.

        Yields:
            Each scan once its fate is known.
        """
        for scan in scans:
            if not self._tickets:
                self._introduce(scan)
            known = [each._client.balance for each in self._all]
            tickets = self._send(scan)
            for each, ticket, before in zip(self._all, tickets, known, strict=True):
                ticket.status = each._await(ticket, before)
            yield scan

    def by_the_clock(self, scans: Iterable[Played], rate: float) -> Iterator[Played]:
        """Sends each scan at its recorded time, `rate` times as fast, answered or not.

        Yields:
            Each scan once it is sent.
        """
        first: int | None = None
        start = 0.
        for scan in scans:
            if first is None:
                self._introduce(scan)
                first, start = scan.stamp, time.monotonic()
            self._tick_until(scan.stamp, first, start, rate)
            self._check()
            self._send(scan)
            yield scan

    def _tick_until(self, stamp: int, first: int, start: float, rate: float) -> None:
        while True:
            elapsed = (time.monotonic() - start) * rate
            remaining = (stamp - first) / 1e9 - elapsed
            if remaining <= 0:
                return
            self._client.player.tick(first + round(elapsed * 1e9))
            time.sleep(min(remaining, _CLOCK_PERIOD) / rate)

    def _introduce(self, scan: Played) -> None:
        """Tells the time and place of the first scan before that is sent."""
        # The node shall not meet the jump of time to the recording in its first scan.
        self._client.player.tick(scan.stamp)
        time.sleep(_FIRST_PAUSE)
        if scan.pose is None:
            return
        # No node waits for odometry before the first of it was there. One that does not take it
        # answers in single-scan mode and says so.
        deadline = time.monotonic() + _POSE_TIMEOUT
        while time.monotonic() < deadline:
            self._tell_pose(scan)
            if all(each._knows_pose(scan.stamp) for each in self._all):
                return
            self._check()

    def _knows_pose(self, stamp: int) -> bool:
        return self._client.wait(lambda: self._client.knows_pose(stamp), 0.5)

    def _tell_pose(self, scan: Played) -> None:
        for each in self._all:
            if scan.pose is not None:
                each._client.tell_pose(scan.pose, scan.frame_id, scan.stamp)

    def _send(self, scan: Played) -> list[_Ticket]:
        sent = time.monotonic_ns()
        tickets = [_Ticket(scan.index, scan.stamp, scan.num_points, sent) for _ in self._all]
        for each, ticket in zip(self._all, tickets, strict=True):
            each._tickets.append(ticket)
        self._tell_pose(scan)
        self._client.player.play(scan.cloud, scan.stamp)
        return tickets

    def _await(self, ticket: _Ticket, known: Balance) -> str:
        def decided() -> bool:
            return (self._answers.count(ticket.stamp) > 0
                    or self._client.balance.num_dropped > known.num_dropped)

        deadline = time.monotonic() + self._scan_timeout
        while not self._client.wait(decided, 0.5):
            self._check()
            if time.monotonic() > deadline:
                return UNANSWERED
        if self._answers.count(ticket.stamp):
            return ''  # settled with its answer at the end
        now = self._client.balance.dropped
        reasons = [reason for reason, count in now.items() if count > known.dropped.get(reason, 0)]
        return f'dropped:{reasons[0]}'

    def settle(self, timeout: float = 5.) -> Balance:
        """Waits until the node's balance covers everything that was sent.

        Args:
            timeout: Time without news after which the rest counts as lost on the way [s].

        Returns:
            The last balance heard.
        """
        known: object = None

        def settled() -> bool:
            balance = self._client.balance
            return (self._client.balance_time > self._answers.last_time
                    and balance.in_flight == 0 and balance.received >= len(self._tickets))

        while not self._client.wait(settled, timeout):
            self._check()
            now = _counts(self._client.balance), self._answers.last_time
            if now == known:
                break
            known = now
        return self._client.balance

    def outcomes(self, class_names: tuple[str, ...], balance: Balance) -> list[ScanOutcome]:
        """What became of every scan; each answer goes to the oldest scan of its stamp.

        Args:
            class_names: Names that the labels of the boxes index.
            balance: The node's last balance, which tells why scans without an answer have none.

        Raises:
            EqError: The node answered with a stamp or class that nobody asked for.
        """
        answers = [self._answers.take(ticket.stamp) for ticket in self._tickets]
        silent = _fate_of_silent(balance, sum(answer is None for answer in answers))
        result = []
        for ticket, answer in zip(self._tickets, answers, strict=True):
            boxes = trip = None
            if answer is not None:
                trip = (max(part.received for part in answer.values()) - ticket.sent) / 1e6
                if OBJECTS_TYPE in answer and answer[OBJECTS_TYPE].data:
                    boxes = boxes_of(answer[OBJECTS_TYPE].decode(), class_names)
            result.append(ScanOutcome(
                ticket.index, ticket.stamp, ticket.num_points,
                PUBLISHED if answer else ticket.status or silent, trip, boxes))
        strangers = [ticket.stamp for ticket in self._tickets if self._answers.count(ticket.stamp)]
        if strangers:
            raise EqError(f'the node answered {len(strangers)} scans more than once, '
                          f'first the one of stamp {strangers[0]}')
        return result


def _counts(balance: Balance) -> tuple[int, ...]:
    return balance.received, balance.published, balance.in_flight, balance.num_dropped


def _fate_of_silent(balance: Balance, count: int) -> str:
    """What can be said of scans without an answer when only the totals are known."""
    if count == 0 or count != balance.num_dropped:
        return UNANSWERED
    reasons = list(balance.dropped)
    return f'dropped:{reasons[0]}' if len(reasons) == 1 else 'dropped'
