"""Triangle meshes with a material per triangle, and the primitives that all shapes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from eq_eval.simulation.materials import MATERIAL_ID

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in a local frame (x forward, y left, z up, ground at z = 0).

    Attributes:
        vertices: (V, 3) float32 [m].
        triangles: (T, 3) uint32 rows of `vertices`.
        material: (T,) uint8 keys of `materials.MATERIALS` in their order.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    material: NDArray[np.uint8]

    def bounds(self) -> NDArray[np.float32]:
        """(2, 3) lowest and highest coordinates [m]."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def moved(self, translation: ArrayLike = (0, 0, 0), yaw: float = 0.,
              scale: ArrayLike = 1.) -> Mesh:
        """Scales, then turns about +z, then shifts."""
        return Mesh(place(self.vertices, translation, yaw, scale), self.triangles, self.material)


def place(vertices: NDArray[np.float32], translation: ArrayLike, yaw: float,
          scale: ArrayLike = 1.) -> NDArray[np.float32]:
    """Scales (V, 3) vertices, turns them about +z and shifts them."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])  # transposed rotation
    matrix = np.broadcast_to(np.asarray(scale, float), (3,))[:, None] * turn
    return vertices @ matrix.astype(np.float32) + np.asarray(translation, np.float32)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Joins meshes into one."""
    offsets = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])]).astype(np.uint32)
    triangles = np.concatenate([m.triangles for m in meshes])
    triangles += np.repeat(offsets, [len(m.triangles) for m in meshes])[:, None]
    return Mesh(np.concatenate([m.vertices for m in meshes]), triangles,
                np.concatenate([m.material for m in meshes]))


def loft(rings: ArrayLike, material: str, caps: bool = True) -> Mesh:
    """Skin over a row of rings.

    Args:
        rings: (S, R, 3) rings of equal length, each going round the same way [m].
        material: Name of the material.
        caps: Whether the first and last ring are closed by fans.
    """
    points = np.asarray(rings, np.float32)
    return _mesh(points.reshape(-1, 3), _skin(*points.shape[:2], caps), material)


@lru_cache(maxsize=256)
def _skin(count: int, size: int, caps: bool) -> NDArray[np.uint32]:
    """Triangles over `count` rings of `size` corners."""
    index = np.arange(count * size, dtype=np.uint32).reshape(count, size)
    a, b = index[:-1], index[1:]
    a_next, b_next = np.roll(a, -1, 1), np.roll(b, -1, 1)
    parts = [np.stack([a, b, a_next], -1), np.stack([a_next, b, b_next], -1)]
    triangles = np.concatenate([p.reshape(-1, 3) for p in parts])
    if caps and size > 2:
        for ring in (index[0], index[-1]):
            fan = np.stack([np.full(size - 2, ring[0]), ring[1:-1], ring[2:]], -1)
            triangles = np.concatenate([triangles, fan.astype(np.uint32)])
    return triangles


def _mesh(vertices: NDArray[np.float32], triangles: NDArray[np.uint32], material: str) -> Mesh:
    return Mesh(vertices, triangles, np.full(len(triangles), MATERIAL_ID[material], np.uint8))


_BOX = np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1],
                 [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float32) * np.float32(.5)
_BOX_TRIANGLES = np.array([[0, 1, 5], [0, 5, 4], [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6],
                           [3, 0, 4], [3, 4, 7], [4, 5, 6], [4, 6, 7], [0, 2, 1], [0, 3, 2]],
                          np.uint32)


def box(size: ArrayLike, center: ArrayLike, material: str) -> Mesh:
    """Cuboid of `size` (l, w, h) about `center` [m]."""
    vertices = _BOX * np.asarray(size, np.float32) + np.asarray(center, np.float32)
    return _mesh(vertices.astype(np.float32), _BOX_TRIANGLES, material)


def tube(start: ArrayLike, end: ArrayLike, radius: float | tuple[float, float], material: str,
         sides: int = 6) -> Mesh:
    """Truncated cone between two points, closed at both ends."""
    ends = np.asarray([start, end], float)
    x, y, z = ends[1] - ends[0]
    length = max(math.sqrt(x * x + y * y + z * z), 1e-9)
    x, y, z = x / length, y / length, z / length
    u = np.array([0, z, -y]) if abs(z) > .7 else np.array([y, -x, 0])  # across the axis
    u = u / math.sqrt(u @ u)
    v = np.array([y * u[2] - z * u[1], z * u[0] - x * u[2], x * u[1] - y * u[0]])
    ring = _circle(sides) @ np.stack([u, v])
    radii = np.broadcast_to(np.asarray(radius, float), (2,))
    return loft(ends[:, None] + radii[:, None, None] * ring, material)


@lru_cache(maxsize=32)
def _circle(sides: int) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.arange(sides) / sides
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def lathe(profile: ArrayLike, material: str, center: ArrayLike = (0, 0, 0),
          squash: tuple[float, float] = (1., 1.), sides: int = 8) -> Mesh:
    """Body of revolution about +z.

    Args:
        profile: (S, 2) radius and height of each ring [m].
        material: Name of the material.
        center: Where the axis stands [m].
        squash: Factors along x and y that make it elliptic.
        sides: Corners of each ring.
    """
    rows = np.asarray(profile, float)
    angle = 2 * np.pi * np.arange(sides) / sides
    rings = np.stack([rows[:, :1] * np.cos(angle) * squash[0],
                      rows[:, :1] * np.sin(angle) * squash[1],
                      np.repeat(rows[:, 1:], sides, 1)], -1)
    return loft(rings + np.asarray(center, float), material)


def ball(center: ArrayLike, radii: ArrayLike, material: str, sides: int = 8) -> Mesh:
    """Rough ellipsoid."""
    polar = np.array([-.42, -.22, 0, .22, .42]) * np.pi
    scale = np.broadcast_to(np.asarray(radii, float), (3,))
    profile = np.stack([np.cos(polar), np.sin(polar) * scale[2] / np.sin(polar[-1])], -1)
    return lathe(profile, material, center, (float(scale[0]), float(scale[1])), sides)


def quad(corners: ArrayLike, material: str) -> Mesh:
    """One flat four-sided panel, corners in order."""
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    return _mesh(np.asarray(corners, np.float32), triangles, material)


def quads(corners: ArrayLike, material: str) -> Mesh:
    """Many panels at once, (Q, 4, 3)."""
    points = np.asarray(corners, np.float32)
    base = 4 * np.arange(len(points), dtype=np.uint32)[:, None, None]
    triangles = base + np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    return _mesh(points.reshape(-1, 3), triangles.reshape(-1, 3), material)


def extrude(profile: ArrayLike, width: float, material: str) -> Mesh:
    """Prism: a convex (K, 2) x-z outline pulled along y over `width`, centred at y = 0."""
    outline = np.asarray(profile, float)
    rings = [np.insert(outline, 1, side * width / 2, axis=1) for side in (-1., 1.)]
    return loft(rings, material)


def leaves(rng: Rng, center: ArrayLike, radii: ArrayLike, count: int, size: float,
           material: str = 'leaf', boxy: bool = False) -> Mesh:
    """Loose triangles that fill an ellipsoid or a cuboid: foliage that lets some rays through."""
    direction = rng.normal(size=(count, 3))
    if boxy:
        where = rng.uniform(-1, 1, (count, 3))
    else:
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        where = direction * rng.uniform(.25, 1, (count, 1)) ** .5
    middle = where * np.asarray(radii, float) + np.asarray(center, float)
    corners = middle[:, None] + rng.normal(0, size, (count, 3, 3))
    vertices = corners.reshape(-1, 3).astype(np.float32)
    return _mesh(vertices, np.arange(3 * count, dtype=np.uint32).reshape(-1, 3), material)
