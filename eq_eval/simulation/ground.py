"""The ground: slope, undulation, kerbs, and what it is made of where."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from eq_eval.simulation.materials import GROUND
from eq_eval.simulation.materials import MATERIAL_ID
from eq_eval.simulation.materials import MATERIALS
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.paths import Path
from eq_eval.simulation.zones import Zones

Array = NDArray[np.float64]
CELL = 2.  # spacing of the raster [m]
FAR = 60.  # stands for any larger distance [m]
TONES = (.8, 1.25)  # how much darker or brighter a material is in one world than in another


@dataclass(frozen=True, eq=False)
class Ground:
    """Height and surface of the ground.

    Attributes:
        slope: (2,) grade along x and y.
        waves: (K, 4) wave vector x, y [rad/m], phase [rad], amplitude [m].
        origin: (2,) corner of the raster [m].
        edge: (rows, columns) float32, signed distance to the edge of the carriageway every `CELL`,
            negative on it [m]; rows go with y.
        kerb: Height of everything beside the carriageway above it [m].
        pavement: Width of the pavement, which is of slabs [m].
        inside: Material of the carriageway (or floor).
        beyond: Material of what lies behind the pavement.
        tone: (materials,) float32 factor on the reflectivity of each material.
    """

    slope: Array
    waves: Array
    origin: Array
    edge: NDArray[np.float32]
    kerb: float
    pavement: float
    inside: str = 'asphalt'
    beyond: str = 'grass'
    tone: NDArray[np.float32] = field(
        default_factory=lambda: np.ones(len(MATERIALS), np.float32))

    @cached_property
    def zones(self) -> Zones:
        """Parts that are made of something else; paint them before the first scan."""
        rows, columns = self.edge.shape
        return Zones(self.origin, self.origin + CELL * np.array([columns - 1, rows - 1]))

    def base(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Height without kerbs [m]."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        height = self.slope[0] * x + self.slope[1] * y
        for kx, ky, phase, amplitude in self.waves:
            height = height + amplitude * np.sin(kx * x + ky * y + phase)
        return np.asarray(height)

    def edge_distance(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
        """Signed distance to the carriageway's edge [m], bilinear in the raster."""
        rows, columns = self.edge.shape
        u = np.clip((np.asarray(x) - self.origin[0]) / CELL, 0, columns - 1.001)
        v = np.clip((np.asarray(y) - self.origin[1]) / CELL, 0, rows - 1.001)
        u, v = u.astype(np.float32), v.astype(np.float32)
        i, j = v.astype(np.int32), u.astype(np.int32)
        u, v = u - j, v - i
        flat, k = self.edge.ravel(), i * columns + j
        low = flat[k] * (1 - u) + flat[k + 1] * u
        high = flat[k + columns] * (1 - u) + flat[k + columns + 1] * u
        return np.asarray(low * (1 - v) + high * v, np.float32)

    def height(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Height of the surface [m]."""
        return self.base(x, y) + self.kerb * (self.edge_distance(x, y) > 0)

    def material(self, x: ArrayLike, y: ArrayLike, edge: NDArray[np.float32]
                 ) -> NDArray[np.uint8]:
        """Material at places with known signed distances to the edge [m]."""
        side = np.where(edge < self.pavement, MATERIAL_ID['slabs'], MATERIAL_ID[self.beyond])
        zone = self.zones.at(x, y)
        plain = np.where(edge <= 0, MATERIAL_ID[self.inside], side)
        return np.where(zone == GROUND, plain, zone).astype(np.uint8)

    def mesh(self, step: float = 4.) -> Mesh:
        """The base surface as triangles over the raster's extent."""
        rows, columns = self.edge.shape
        x = np.arange(0, columns * CELL + step, step) + self.origin[0]
        y = np.arange(0, rows * CELL + step, step) + self.origin[1]
        gx, gy = np.meshgrid(x, y)
        vertices = np.stack([gx, gy, self.base(gx, gy)], -1).reshape(-1, 3).astype(np.float32)
        index = np.arange(gx.size, dtype=np.uint32).reshape(gx.shape)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        halves = [np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))]
        triangles = np.concatenate(halves)
        return Mesh(vertices, triangles, np.full(len(triangles), GROUND, np.uint8))


def tones(rng: np.random.Generator) -> NDArray[np.float32]:
    """Random `Ground.tone`."""
    return rng.uniform(*TONES, len(MATERIALS)).astype(np.float32)


def relief(rng: np.random.Generator, slope: float, undulation: float) -> tuple[Array, Array]:
    """Random grade up to `slope` and waves of about `undulation` [m]."""
    angle = rng.uniform(0, 2 * np.pi)
    grade = rng.uniform(0, slope) * np.array([np.cos(angle), np.sin(angle)])
    number = 2 * np.pi / rng.uniform(40, 110, 3)
    course = rng.uniform(0, 2 * np.pi, 3)
    amplitude = undulation * rng.uniform(.2, 1., 3) / 2
    return grade, np.stack([number * np.cos(course), number * np.sin(course),
                            rng.uniform(0, 2 * np.pi, 3), amplitude], -1)


def road_raster(roads: list[tuple[Path, float]], low: Array, high: Array) -> NDArray[np.float32]:
    """Signed distance to the edge of a union of roads, each a centre line and a half width [m]."""
    x, y = np.arange(low[0], high[0] + CELL, CELL), np.arange(low[1], high[1] + CELL, CELL)
    grid = np.stack(np.meshgrid(x, y), -1)
    edge = np.full(grid.shape[:2], FAR)
    for path, half in roads:
        near, _ = cKDTree(path.points).query(grid, distance_upper_bound=half + 25)
        edge = np.minimum(edge, np.minimum(near, FAR) - half)
    return edge.astype(np.float32)


def open_floor(extent: float) -> tuple[Array, NDArray[np.float32]]:
    """Origin and raster of ground that is all carriageway up to `extent` [m] from the middle."""
    size = int(2 * extent / CELL) + 2
    return np.full(2, -extent), np.full((size, size), -FAR, np.float32)
