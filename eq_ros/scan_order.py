"""Which scans may be answered by what remembers the ones before. ROS-free."""

from __future__ import annotations

from enum import Enum
from threading import Lock

from eq_core.errors import InputError

SECOND = 10**9  # [ns]


class Order(Enum):
    """What a stamp means after those before it."""

    FIRST = 'first'    # there is nothing before it
    NEXT = 'next'      # goes on
    BACK = 'back'      # time has jumped back
    AHEAD = 'ahead'    # time has jumped ahead, or the sensor was silent


class ScanOrder:
    """Tells the next scan of a sequence from a late one and from a new beginning."""

    def __init__(self, max_disorder: float, max_gap: float) -> None:
        """Starts before the first scan.

        Args:
            max_disorder: Scans older than the newest by more mean a jump back, by less they are
                late [s].
            max_gap: Scans newer than the newest by more mean a jump ahead [s].
        """
        self._max_disorder, self._max_gap = max_disorder * SECOND, max_gap * SECOND
        self._lock = Lock()
        self._newest: int | None = None

    def begin(self) -> None:
        """Makes the next scan the first, whatever its stamp; from any thread."""
        with self._lock:
            self._newest = None

    def judge(self, stamp: int) -> Order:
        """Takes the stamp of a scan [ns]; a late one changes nothing.

        Raises:
            InputError: The scan was overtaken, or seen before.
        """
        with self._lock:
            before, step = self._newest, stamp - (self._newest or 0)
            if before is not None and -self._max_disorder <= step <= 0:
                raise InputError('the stamp is not later than that of the cloud before',
                                 'out_of_order')
            self._newest = stamp
        if before is None:
            return Order.FIRST
        if step <= 0:
            return Order.BACK
        return Order.NEXT if step <= self._max_gap else Order.AHEAD
