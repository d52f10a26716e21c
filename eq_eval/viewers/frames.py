"""Which frame all others hang from, as far as is known."""

from __future__ import annotations


class Frames:
    """Frames and those that they are in.

    >>> frames = Frames()
    >>> frames.root('lidar')
    'lidar'
    >>> frames.add('odom', 'base_link')
    >>> frames.add('base_link', 'lidar')
    >>> frames.root('lidar')
    'odom'
    """

    def __init__(self) -> None:
        """Starts without knowledge."""
        self._parents: dict[str, str] = {}

    def add(self, parent: str, child: str) -> None:
        """Learns that a frame is in another."""
        self._parents[child] = parent

    def root(self, frame: str) -> str:
        """The outermost frame around one; itself where nothing is known of it."""
        seen = {frame}
        while (parent := self._parents.get(frame)) is not None and parent not in seen:
            seen.add(parent)
            frame = parent
        return frame
