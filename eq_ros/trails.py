"""Where objects have been lately, as lines in a frame that does not move."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from eq_core.geometry.boxes3d import Boxes3D
from eq_ros.markers import color
from eq_ros.markers import line_list
from eq_ros.messages import Header
from eq_ros.messages import Marker

Place = tuple[float, float, float]


class Trails:
    """The last places of each object."""

    def __init__(self, duration: float = 3.) -> None:
        """Starts empty.

        Args:
            duration: Older places are forgotten [s].
        """
        self._duration = int(duration * 1e9)
        self._places: dict[int, deque[tuple[int, Place]]] = {}
        self._labels: dict[int, int] = {}

    def clear(self) -> None:
        """Forgets all objects."""
        self._places.clear()
        self._labels.clear()

    def add(self, boxes: Boxes3D) -> None:
        """Takes where objects are now.

        Args:
            boxes: Tracked objects in a frame that does not move, later than those before.
        """
        for track, label, center in zip(boxes.track_id.tolist(), boxes.label.tolist(),
                                        boxes.center.tolist(), strict=True):
            self._places.setdefault(track, deque()).append((boxes.stamp, tuple(center)))
            self._labels[track] = label
        for track, places in list(self._places.items()):
            while places and places[0][0] < boxes.stamp - self._duration:
                places.popleft()
            if not places:
                del self._places[track], self._labels[track]

    def marker(self, header: Header) -> Marker:
        """Draws the trails.

        Args:
            header: With the frame of the places.
        """
        ends, colors = [], []
        for track, places in self._places.items():
            for (_, first), (_, second) in pairwise(places):
                ends += [first, second]
                colors += [color(self._labels[track])] * 2
        return line_list(header, 'trails', ends, colors)
