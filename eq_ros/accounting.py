"""Accounting of inputs: received = published + dropped[reason] + in flight, at any time.

Every input gets a `Ticket` that is closed exactly once, so that nothing vanishes unseen. ROS-free
and safe to use from several threads.
"""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
import time

import numpy as np

Clock = Callable[[], float]
TOTAL = 'total'


@dataclass(frozen=True)
class Latency:
    """Percentiles of the last inputs [ms]."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Account:
    """One consistent look at the books.

    Attributes:
        received: Inputs so far.
        published: Inputs that were answered.
        dropped: Inputs that were not, by reason.
        in_flight: Inputs that are being worked on or wait for it.
        latency: Percentiles by stage; `total` runs from receipt to answer.
    """

    received: int
    published: int
    dropped: dict[str, int]
    in_flight: int
    latency: dict[str, Latency]


class Ticket:
    """One input on its way; closed by `publish` or `drop`, whichever comes first."""

    def __init__(self, accounting: Accounting) -> None:
        """Opens the ticket; use `Accounting.receive`."""
        self._accounting = accounting
        self._start = accounting.clock()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures one stage of the work."""
        start = self._accounting.clock()
        yield
        self.add_stage(name, (self._accounting.clock() - start) * 1e3)

    def add_stage(self, name: str, milliseconds: float) -> None:
        """Records a stage that somebody else measured."""
        self._stages[name] = milliseconds

    def add_stages(self, milliseconds: Mapping[str, float]) -> None:
        """Records stages that somebody else measured, by their names."""
        self._stages.update(milliseconds)

    def publish(self) -> bool:
        """Closes the ticket as answered; False if it was closed before."""
        total = (self._accounting.clock() - self._start) * 1e3
        return self._accounting.close(self, None, {**self._stages, TOTAL: total})

    def drop(self, reason: str) -> bool:
        """Closes the ticket as dropped; False if it was closed before."""
        return self._accounting.close(self, reason, {})


class Accounting:
    """The books of one node."""

    def __init__(self, clock: Clock = time.perf_counter, window: int = 1000) -> None:
        """Opens empty books.

        Args:
            clock: Steady clock [s].
            window: Inputs over which percentiles are taken.
        """
        self.clock = clock
        self._window = window
        self._lock = Lock()
        self._open: set[Ticket] = set()
        self._received = 0
        self._published = 0
        self._dropped: Counter[str] = Counter()
        self._latency: dict[str, deque[float]] = {}

    def receive(self) -> Ticket:
        """Counts an input and opens its ticket."""
        ticket = Ticket(self)
        with self._lock:
            self._received += 1
            self._open.add(ticket)
        return ticket

    def close(self, ticket: Ticket, reason: str | None, stages: dict[str, float]) -> bool:
        """Closes a ticket once; use `Ticket.publish` or `Ticket.drop`."""
        with self._lock:
            if ticket not in self._open:
                return False
            self._open.remove(ticket)
            if reason is None:
                self._published += 1
            else:
                self._dropped[reason] += 1
            for name, value in stages.items():
                self._latency.setdefault(name, deque(maxlen=self._window)).append(value)
            return True

    def reset_latency(self) -> None:
        """Forgets the percentiles, for instance after a jump of time; the counts stay."""
        with self._lock:
            self._latency.clear()

    def snapshot(self) -> Account:
        """Reads all counts at one instant."""
        with self._lock:
            counts = (self._received, self._published, dict(self._dropped), len(self._open))
            latency = {name: np.array(values) for name, values in self._latency.items()}
        return Account(*counts, {
            name: Latency(*np.percentile(values, [50, 99]).tolist())
            for name, values in latency.items()})
