"""A cube with two bodies in it, looked at by four depth cameras around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.tabletop.world import look_at
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.raycast import cast
from eq_eval.simulation.raycast import surface

EDGE = .384                         # of the cube [m]
CUBE = Workspace((-EDGE / 2,) * 3, (EDGE / 2,) * 3, EDGE / 48)
IMAGE = 200                         # rows and columns
DISTANCE = .75                      # of the cameras from the middle [m]
FOCAL = IMAGE * DISTANCE / .6       # [pixels]
DEPTH_NOISE = .001                  # standard deviation [m]
LIGHT = np.array([.3, .2, .93])     # direction to the light
# Four corners of a cube that no two edges join, turned a little out of line with the grid.
DIRECTIONS = np.array([[1.1, .9, 1.], [.9, -1.1, -1.], [-1., 1.1, -.9], [-1.1, -.9, 1.]]) / 3 ** .5

Double = NDArray[np.float64]
Color = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Solid:
    """A rigid body.

    Attributes:
        mesh: In its own frame.
        color: In [0, 1].
        pose: (4, 4) cube <- body.
    """

    mesh: Mesh
    color: Color
    pose: Double

    def placed(self) -> Mesh:
        """Its mesh in the cube."""
        vertices = self.mesh.vertices @ self.pose[:3, :3].T + self.pose[:3, 3]
        return Mesh(vertices.astype(np.float32), self.mesh.triangles, self.mesh.material)


def see(solids: Sequence[Solid], rng: np.random.Generator) -> list[RgbdView]:
    """What the cameras see, with noise on their depth.

    Args:
        solids: All that is in the cube.
        rng: Draws the noise.
    """
    meshes = [solid.placed() for solid in solids]
    owner = np.repeat(np.arange(len(meshes), dtype=np.uint32),
                      [len(mesh.triangles) for mesh in meshes])
    target = surface(merge(meshes), owner, np.ones(len(owner), np.float32))
    palette = np.array([solid.color for solid in solids], np.float32)
    intrinsics = np.array([[FOCAL, 0., (IMAGE - 1) / 2], [0., FOCAL, (IMAGE - 1) / 2],
                           [0., 0., 1.]])
    views = []
    for direction in DIRECTIONS:
        pose = look_at(DISTANCE * direction, (0., 0., 0.))
        distance, triangle, normal = cast(target, _rays(pose))
        hit = np.isfinite(distance)
        color = np.zeros((IMAGE * IMAGE, 3), np.float32)
        shade = .6 + .4 * np.abs(normal[hit] @ LIGHT.astype(np.float32))
        color[hit] = palette[owner[triangle[hit]]] * shade[:, None]
        noise = rng.normal(0, DEPTH_NOISE, len(distance)).astype(np.float32)
        depth = np.where(hit, distance + noise, np.inf)
        views.append(RgbdView(color.reshape(IMAGE, IMAGE, 3), depth.reshape(IMAGE, IMAGE),
                              intrinsics, pose, 'cube'))
    return views


def _rays(pose: Double) -> NDArray[np.float32]:
    """(H * W, 6) origins and directions whose lengths make a distance the depth of a pixel."""
    row, column = np.divmod(np.arange(IMAGE * IMAGE), IMAGE)
    middle = (IMAGE - 1) / 2
    local = np.stack([(column - middle) / FOCAL, (row - middle) / FOCAL, np.ones(len(row))], -1)
    origin = np.broadcast_to(pose[:3, 3], local.shape)
    return np.concatenate([origin, local @ pose[:3, :3].T], -1).astype(np.float32)
