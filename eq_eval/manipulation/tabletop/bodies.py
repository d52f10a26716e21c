"""Bodies on a table, made of upright prisms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray
import shapely

Double = NDArray[np.float64]
Color = tuple[float, float, float]
CONTACT = 1e-6      # footprints that share less than this lie beside one another [m^2]


@dataclass(frozen=True, eq=False)
class Prism:
    """An upright prism.

    Attributes:
        outline: (K, 2) corners of the convex footprint, counter-clockwise [m].
        bottom: Lower height [m].
        top: Upper height [m].
    """

    outline: Double
    bottom: float
    top: float


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid body that stands on a level surface.

    Attributes:
        parts: In its own frame, the lowest at height 0.
        color: Of all parts, in [0, 1].
        position: (3,) of its frame [m].
        yaw: Of its frame [rad].
        movable: Whether it can be picked.
    """

    parts: tuple[Prism, ...]
    color: Color
    position: tuple[float, float, float] = (0., 0., 0.)
    yaw: float = 0.
    movable: bool = True

    def at(self, x: float, y: float, z: float, yaw: float) -> Body:
        """The same body elsewhere."""
        return replace(self, position=(float(x), float(y), float(z)), yaw=float(yaw))

    @property
    def pose(self) -> Double:
        """(4, 4) table <- body."""
        return planar_pose(*self.position, self.yaw)

    def outlines(self) -> list[Double]:
        """Corners (K, 2) of every part on the table [m]."""
        turn, shift = self.pose[:2, :2], self.pose[:2, 3]
        return [part.outline @ turn.T + shift for part in self.parts]

    def polygons(self) -> list[shapely.Polygon]:
        """Footprints of the parts."""
        return [shapely.Polygon(outline) for outline in self.outlines()]

    def top_at(self, x: float, y: float) -> float | None:
        """Height of the surface above a point of the table [m]; None beside the body."""
        point = shapely.Point(x, y)
        tops = [part.top for part, polygon in zip(self.parts, self.polygons(), strict=True)
                if polygon.covers(point)]
        return max(tops) + self.position[2] if tops else None


def planar_pose(x: float, y: float, z: float, yaw: float) -> Double:
    """(4, 4) pose of something that stands upright."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:3, 3] = x, y, z
    return pose


def rest_height(body: Body, others: Sequence[Body]) -> float:
    """Height at which a body comes to lie when it is lowered, level, onto what is there [m]."""
    height = 0.
    polygons = body.polygons()
    for other in others:
        for below, under in zip(other.parts, other.polygons(), strict=True):
            for part, polygon in zip(body.parts, polygons, strict=True):
                if polygon.intersection(under).area > CONTACT:
                    height = max(height, other.position[2] + below.top - part.bottom)
    return height


def block(length: float, width: float, top: float, x: float = 0., y: float = 0.,
          bottom: float = 0.) -> Prism:
    """Cuboid about a point."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [length / 2, width / 2]
    return Prism(half + [x, y], bottom, top)


def span(x: tuple[float, float], y: tuple[float, float], top: float, bottom: float = 0.) -> Prism:
    """Cuboid between two corners."""
    return block(x[1] - x[0], y[1] - y[0], top, sum(x) / 2, sum(y) / 2, bottom)


def disc(radius: float, top: float, sides: int = 16) -> Prism:
    """Upright cylinder with as many sides."""
    return Prism(_circle(radius, sides), 0., top)


def bowl(outer: float, inner: float, floor: float, top: float, sides: int = 16
         ) -> tuple[Prism, ...]:
    """Upright ring on a floor."""
    far, near = _circle(outer, sides), _circle(inner, sides)
    wall = [Prism(np.stack([far[k - 1], far[k], near[k], near[k - 1]]), floor, top)
            for k in range(sides)]
    return (disc(outer, floor, sides), *wall)


def shifted(parts: Sequence[Prism], by: ArrayLike) -> tuple[Prism, ...]:
    """Parts elsewhere in the frame of their body."""
    return tuple(replace(part, outline=part.outline + np.asarray(by)) for part in parts)


def _circle(radius: float, sides: int) -> Double:
    angle = 2 * np.pi * np.arange(sides) / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)
