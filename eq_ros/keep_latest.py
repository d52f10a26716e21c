"""A worker thread behind a slot that keeps only the newest item.

The bound on latency is one piece of work plus one wait: a robot wants the newest scan answered,
not all of them late.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from threading import current_thread
from threading import Thread
from typing import Generic
from typing import TypeVar

T = TypeVar('T')


class KeepLatest(Generic[T]):
    """Runs `work` on the newest item in its own thread."""

    def __init__(self, work: Callable[[T], None], replaced: Callable[[T, str], None],
                 name: str = 'worker') -> None:
        """Prepares the slot; `start` starts the thread.

        Args:
            work: Called in the thread with one item after the other; must not raise.
            replaced: Called with an item that will never be worked on, and why: `busy` when a
                newer one took its place, `stopped` when the worker ends.
            name: Name of the thread.
        """
        self._work = work
        self._replaced = replaced
        self._name = name
        self._condition = Condition()
        self._pending: list[T] = []  # at most one
        self._run: object | None = None  # which run of the worker is on, None when stopped
        self._thread: Thread | None = None

    def start(self) -> None:
        """Starts the thread unless it runs already."""
        with self._condition:
            if self._run is not None:
                return
            self._run = run = object()
            self._thread = Thread(target=self._loop, args=(run,), name=self._name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Offers an item; never blocks on the work."""
        with self._condition:
            if self._run is not None:
                old, self._pending = self._pending, [item]
                reason = 'busy'
                self._condition.notify_all()
            else:
                old, reason = [item], 'stopped'
        for skipped in old:
            self._replaced(skipped, reason)

    def stop(self, timeout: float = 4.0) -> bool:
        """Drops what waits, lets the work at hand end, and joins the thread.

        Args:
            timeout: Longest wait [s].

        Returns:
            Whether the thread has ended.
        """
        with self._condition:
            self._run = None
            old, self._pending = self._pending, []
            self._condition.notify_all()
        for skipped in old:
            self._replaced(skipped, 'stopped')
        thread = self._thread
        if thread is None or thread is current_thread():
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    def _loop(self, run: object) -> None:
        """Takes and works until this run is over, even if another one has begun since."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._run is not run or self._pending)
                if self._run is not run:
                    return
                item = self._pending.pop()
            self._work(item)
