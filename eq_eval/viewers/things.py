"""What viewers show: plain arrays that know neither ROS nor a viewer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]
COUNTED = ('latency_', 'received', 'published', 'in_flight', 'dropped.')
FREE, OCCUPIED, UNKNOWN = (235, 238, 242, 140), (30, 30, 46, 255), (110, 130, 150, 60)  # as RGBA


@dataclass(frozen=True)
class PointSet:
    """A cloud.

    Attributes:
        xyz: (N, 3) float32 [m].
        fields: (N,) values of the points by name: `intensity`, `semantic`, `instance`.
        color: (N, 3) uint8 red, green, blue, or None.
    """

    xyz: NDArray[np.float32]
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    color: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class BoxSet:
    """Detections or tracks.

    Attributes:
        center: (N, 3) [m].
        size: (N, 3) along their own axes [m].
        rotation: (N, 4) quaternions x, y, z, w.
        names: Of their classes.
        texts: What is written beside them.
    """

    center: Double
    size: Double
    rotation: Double
    names: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class PoseSet:
    """Poses, best first where they are ranked.

    Attributes:
        position: (N, 3) [m].
        rotation: (N, 4) quaternions x, y, z, w.
    """

    position: Double
    rotation: Double


@dataclass(frozen=True)
class Line:
    """A path.

    Attributes:
        xyz: (N, 3) [m].
    """

    xyz: Double


@dataclass(frozen=True)
class CellGrid:
    """A map of cells.

    Attributes:
        cells: (H, W) int8, -1 unknown, 0 free to 100 occupied; the first row is at the origin.
        resolution: Edge of a cell [m].
        origin: x, y [m] and yaw [rad] of the outer corner of the first cell.
    """

    cells: NDArray[np.int8]
    resolution: float
    origin: tuple[float, float, float]

    def rgba(self) -> NDArray[np.uint8]:
        """(H, W, 4) uint8: from free to occupied, and what is not known."""
        part = np.clip(self.cells, 0, 100)[..., None] / 100.
        known = (1 - part) * np.array(FREE) + part * np.array(OCCUPIED)
        return np.where(self.cells[..., None] < 0, np.array(UNKNOWN), known).round().astype(
            np.uint8)


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes:
        pixels: (H, W) float32, of a heatmap or of depth [m], or (H, W, 3) uint8 colours.
    """

    pixels: NDArray[Any]


@dataclass(frozen=True)
class Link:
    """Where a frame is in another.

    Attributes:
        child: Name of the inner frame; the outer one is that of the item.
        translation: (3,) [m].
        rotation: (4,) quaternion x, y, z, w.
        static: Whether it holds at all times.
    """

    child: str
    translation: Double
    rotation: Double
    static: bool = False


@dataclass(frozen=True)
class Status:
    """What a node says of itself.

    Attributes:
        name: Of the status, such as ``lidar_detector: pipeline``.
        level: 0 fine, 1 warning, 2 error.
        message: All that is wrong, or the state.
        source: Full name of the node.
        values: Texts by key.
    """

    name: str
    level: int
    message: str
    source: str
    values: Mapping[str, str]

    def numbers(self) -> dict[str, float]:
        """What is counted and measured, such as latencies [ms]."""
        found = {}
        for key, text in self.values.items():
            if key.startswith(COUNTED):
                with suppress(ValueError):
                    found[key] = float(text)
        return found


Thing = PointSet | BoxSet | PoseSet | Line | CellGrid | Picture | Link | Status


@dataclass(frozen=True)
class Item:
    """A thing at a place and a time.

    Attributes:
        frame_id: Frame that it is in; empty for what is nowhere.
        stamp: Time [ns].
        thing: What is shown.
    """

    frame_id: str
    stamp: int
    thing: Thing
