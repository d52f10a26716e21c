"""Messages of several topics that belong together by their stamps. ROS-free."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any


class StampedSets:
    """Finds partners for the messages of a leading topic, and tells which stay alone.

    Each leading message takes of every other topic the one whose stamp is nearest, if that is near
    enough. What is older than a whole set is given up: order holds within a topic.
    """

    def __init__(self, kinds: Sequence[str], slop: int, depth: int = 10) -> None:
        """Starts empty.

        Args:
            kinds: Names of the topics, the leading one first.
            slop: Largest difference of two stamps [ns]; less than half the time between two
                messages of a topic, or partners may be mixed up.
            depth: Messages of a topic that wait for partners.
        """
        self._kinds, self._slop, self._depth = tuple(kinds), slop, depth
        self._waiting: dict[str, deque[tuple[int, Any]]] = {kind: deque() for kind in kinds}

    def clear(self) -> None:
        """Forgets what waits."""
        for queue in self._waiting.values():
            queue.clear()

    def add(self, kind: str, stamp: int, message: Any) -> tuple[tuple[Any, ...] | None, int]:
        """Takes a message.

        Args:
            kind: Name of its topic.
            stamp: Its time [ns].
            message: The message.

        Returns:
            The set that it makes whole, in the order of the topics, or None; and how many leading
            messages will stay alone.
        """
        self._waiting[kind].append((stamp, message))
        leading = self._waiting[self._kinds[0]]
        for place in reversed(range(len(leading))):
            members = self._members(leading[place][0])
            if members is not None:
                for name, member in zip(self._kinds, members, strict=True):
                    self._forget(self._waiting[name], member)
                return tuple(message for _, message in members), place
        alone = max(len(leading) - self._depth, 0)
        for queue in self._waiting.values():
            while len(queue) > self._depth:
                queue.popleft()
        return None, alone

    def _members(self, stamp: int) -> list[tuple[int, Any]] | None:
        """The nearest message of each topic, or None where one is missing."""
        found = []
        for kind in self._kinds:
            nearest = min(self._waiting[kind], key=lambda item: abs(item[0] - stamp), default=None)
            if nearest is None or abs(nearest[0] - stamp) > self._slop:
                return None
            found.append(nearest)
        return found

    @staticmethod
    def _forget(queue: deque[tuple[int, Any]], member: tuple[int, Any]) -> None:
        """Removes a message and all that came before it."""
        while queue.popleft() is not member:
            pass
