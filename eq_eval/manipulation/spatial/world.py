"""A cube with two bodies in it, looked at by four depth cameras around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.camera import Camera
from eq_eval.manipulation.camera import look_at
from eq_eval.simulation.mesh import Mesh

EDGE = .384                         # of the cube [m]
CUBE = Workspace((-EDGE / 2,) * 3, (EDGE / 2,) * 3, EDGE / 48)
DISTANCE = .75                      # of the cameras from the middle [m]
CAMERA = Camera(rows=200, columns=200, focal=200 * DISTANCE / .6, noise=.001)
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
    return CAMERA.see([solid.placed() for solid in solids], [solid.color for solid in solids],
                      [look_at(DISTANCE * direction, (0., 0., 0.)) for direction in DIRECTIONS],
                      'cube', rng)
