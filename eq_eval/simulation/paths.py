"""Planar curves and footprints: where things drive, walk and stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Path:
    """A smooth curve by samples, followed at constant speed.

    Attributes:
        points: (K, 2) positions [m].
        arc: (K,) arc length at each point [m].
        heading: (K,) direction of travel, unwrapped [rad].
    """

    points: Array
    arc: Array
    heading: Array

    @classmethod
    def through(cls, points: ArrayLike) -> Path:
        """The curve along (K, 2) points, K >= 2, no two neighbours equal."""
        xy = np.asarray(points, float)
        arc = np.concatenate([[0.], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        slope = np.gradient(xy, arc, axis=0) if len(xy) > 2 else np.diff(xy, axis=0)[[0, 0]]
        return cls(xy, arc, np.unwrap(np.arctan2(slope[:, 1], slope[:, 0])))

    @property
    def length(self) -> float:
        """Arc length [m]."""
        return float(self.arc[-1])

    def at(self, arc: ArrayLike) -> Array:
        """(..., 3) x, y [m] and heading [rad] at arc lengths [m]; clamped at the ends."""
        s = np.asarray(arc, float)
        return np.stack([np.interp(s, self.arc, self.points[:, 0]),
                         np.interp(s, self.arc, self.points[:, 1]),
                         np.interp(s, self.arc, self.heading)], -1)

    def beside(self, arc: ArrayLike, left: float | Array) -> Array:
        """Like `at`, but `left` [m] to the left of the curve (negative: right)."""
        pose = self.at(arc)
        pose[..., 0] -= left * np.sin(pose[..., 2])
        pose[..., 1] += left * np.cos(pose[..., 2])
        return pose

    def shifted(self, left: float) -> Path:
        """The parallel curve `left` [m] to the left (negative: right)."""
        normal = np.stack([-np.sin(self.heading), np.cos(self.heading)], -1)
        points = self.points + left * normal
        step = np.diff(points, axis=0)
        return Path(points, np.concatenate([[0.], np.cumsum(np.hypot(step[:, 0], step[:, 1]))]),
                    self.heading)

    def reversed(self) -> Path:
        """The same curve in the other direction."""
        return Path(self.points[::-1], self.length - self.arc[::-1], self.heading[::-1] + np.pi)

    def cut(self, start: float, end: float) -> Path:
        """The piece between two arc lengths [m]."""
        inner = (self.arc > start + .2) & (self.arc < end - .2)
        ends = self.at([start, end])[:, :2]
        return Path.through(np.concatenate([ends[:1], self.points[inner], ends[1:]]))

    def nearest(self, x: float, y: float) -> float:
        """Arc length of the sample nearest to a point [m]."""
        return float(self.arc[np.argmin(np.hypot(*(self.points - (x, y)).T))])


def straight(start: ArrayLike, end: ArrayLike, step: float = 1.) -> Path:
    """A straight path, sampled every `step` [m]."""
    ends = np.asarray([start, end], float)
    way = ends[1] - ends[0]
    length = float(np.hypot(way[0], way[1]))
    share = np.linspace(0, 1, max(2, int(length / step) + 1))
    return Path(ends[0] + share[:, None] * way, share * length,
                np.full(len(share), np.arctan2(way[1], way[0])))


def bezier(start: ArrayLike, control: ArrayLike, end: ArrayLike, count: int = 24) -> Array:
    """(count, 2) points of a quadratic Bezier curve."""
    a, b, c = (np.asarray(p, float) for p in (start, control, end))
    u = np.linspace(0, 1, count)[:, None]
    return (1 - u) ** 2 * a + 2 * u * (1 - u) * b + u ** 2 * c


def curve(length: float, curvature: Array, step: float = 1., heading: float = 0.) -> Path:
    """A path from the origin with the given curvature [1/m] at evenly spaced places."""
    s = np.arange(0, length + step, step)
    bend = np.interp(s, np.linspace(0, length, len(curvature)), curvature)
    angle = heading + np.concatenate([[0.], np.cumsum(bend[:-1] * step)])
    points = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], -1) * step, axis=0)
    return Path.through(points - points[0])


def turn(first: Path, second: Path, radius: float) -> Path | None:
    """Follows `first`, turns where it meets `second`, and follows that; None if it cannot."""
    gap = np.hypot(*(first.points[:, None] - second.points[None]).transpose(2, 0, 1))
    i, j = np.unravel_index(np.argmin(gap), gap.shape)
    leave, join = first.arc[i] - radius, second.arc[j] + radius
    if gap[i, j] > 2 or leave < 2 or join > second.length - 2:
        return None
    head, tail = first.cut(0, leave), second.cut(join, second.length)
    corner = (first.points[i] + second.points[j]) / 2
    arc = bezier(head.points[-1], corner, tail.points[0])
    return Path.through(np.concatenate([head.points, arc[1:-1], tail.points]))


def overlaps(a: Array, b: Array) -> NDArray[np.bool_]:
    """Which pairs of rectangles overlap, by the separating axis theorem.

    Args:
        a: (..., 5) x, y [m], heading [rad], length, width [m]; broadcast against `b`.
        b: (..., 5) likewise.
    """
    dx, dy = b[..., 0] - a[..., 0], b[..., 1] - a[..., 1]
    turn_by = b[..., 2] - a[..., 2]
    cos, sin = np.abs(np.cos(turn_by)), np.abs(np.sin(turn_by))
    apart = np.zeros(dx.shape, bool)
    for own, other in ((a, b), (b, a)):
        c, s = np.cos(own[..., 2]), np.sin(own[..., 2])
        length, width = other[..., 3], other[..., 4]
        apart |= np.abs(dx * c + dy * s) > (own[..., 3] + length * cos + width * sin) / 2
        apart |= np.abs(dy * c - dx * s) > (own[..., 4] + length * sin + width * cos) / 2
    return ~apart
