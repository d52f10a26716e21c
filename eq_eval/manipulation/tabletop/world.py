"""The table itself: three cameras that look at it, and a suction cup that moves things.

Motion is quasi-static: what is released comes to lie level at the height of what is below it.
Nothing tips over, and what lies on a body that is taken away stays where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray
import shapely

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.tabletop.bodies import Body
from eq_eval.manipulation.tabletop.bodies import rest_height
from eq_eval.simulation.mesh import loft
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import quad
from eq_eval.simulation.raycast import cast
from eq_eval.simulation.raycast import surface

WORKSPACE = Workspace((-.25, -.25, -.01), (.25, .25, .19), .003125)
TABLE = (.55, .5, .45)              # colour
IMAGE = (360, 480)                  # rows, columns
FOCAL = 495.                        # [pixels]
CAMERAS = ((.45, 0., .6), (-.25, .4, .6), (-.25, -.4, .6))      # positions [m]
DEPTH_NOISE = .0005                 # standard deviation [m]
LIGHT = np.array([.3, .2, .93])     # direction to the light
ATTEMPTS = 500                      # places tried for a body before the draw begins anew
MARGIN = .015                       # free space around every body at the beginning [m]
FLOOR = 1.                          # half edge of the table that the cameras see [m]

Double = NDArray[np.float64]


@dataclass
class World:
    """What stands on the table now.

    Attributes:
        rng: All that is random.
        bodies: In the order in which they were put there.
    """

    rng: np.random.Generator
    bodies: list[Body] = field(default_factory=list)

    def scatter(self, body: Body) -> int:
        """Puts a body where there is room, at any yaw.

        Returns:
            Its number.

        Raises:
            ConfigError: There is no room.
        """
        taken = shapely.union_all([polygon.buffer(MARGIN) for other in self.bodies
                                   for polygon in other.polygons()])
        table = shapely.box(*WORKSPACE.lower[:2], *WORKSPACE.upper[:2]).buffer(-MARGIN)
        for _ in range(ATTEMPTS):
            x, y = self.rng.uniform(WORKSPACE.lower[:2], WORKSPACE.upper[:2])
            moved = body.at(x, y, 0., self.rng.uniform(-np.pi, np.pi))
            shape = shapely.union_all(moved.polygons())
            if table.contains(shape) and not shape.intersects(taken):
                self.bodies.append(moved)
                return len(self.bodies) - 1
        raise ConfigError(f'no room for body {len(self.bodies)} on the table')

    def held_by(self, x: float, y: float) -> int | None:
        """Number of the body that a suction cup coming down there meets; None if it holds none."""
        tops = [(top, number) for number, body in enumerate(self.bodies)
                if (top := body.top_at(x, y)) is not None]
        if not tops:
            return None
        number = max(tops)[1]
        return number if self.bodies[number].movable else None

    def move(self, pick: Double, place: Double) -> int | None:
        """Picks from above and releases; turns about the vertical only.

        Returns:
            Number of the body that was moved; None if the cup met none that can be.
        """
        number = self.held_by(*pick[:2, 3])
        if number is None:
            return None
        moved = place @ np.linalg.inv(pick) @ self.bodies[number].pose
        yaw = float(np.arctan2(moved[1, 0], moved[0, 0]))
        x, y = moved[:2, 3]
        body = self.bodies[number].at(x, y, 0., yaw)
        others = [each for each in self.bodies if each is not self.bodies[number]]
        self.bodies[number] = body.at(x, y, rest_height(body, others), yaw)
        return number

    def views(self) -> list[RgbdView]:
        """What the cameras see, with noise on their depth."""
        meshes, colors = [quad([[-FLOOR, -FLOOR, 0], [FLOOR, -FLOOR, 0], [FLOOR, FLOOR, 0],
                                [-FLOOR, FLOOR, 0]], 'paint')], [TABLE]
        for body in self.bodies:
            for part, outline in zip(body.parts, body.outlines(), strict=True):
                meshes.append(_solid(outline, part.bottom + body.position[2],
                                     part.top + body.position[2]))
                colors.append(body.color)
        owner = np.repeat(np.arange(len(meshes), dtype=np.uint32),
                          [len(mesh.triangles) for mesh in meshes])
        target = surface(merge(meshes), owner, np.ones(len(owner), np.float32))
        palette = np.array(colors, np.float32)
        views = []
        for position in CAMERAS:
            pose = look_at(position, (0., 0., 0.))
            distance, triangle, normal = cast(target, _rays(pose))
            hit = np.isfinite(distance)
            color = np.zeros((*IMAGE, 3), np.float32)
            shade = .6 + .4 * np.abs(normal[hit] @ LIGHT.astype(np.float32))
            color[hit.reshape(IMAGE)] = palette[owner[triangle[hit]]] * shade[:, None]
            noise = self.rng.normal(0, DEPTH_NOISE, IMAGE).astype(np.float32)
            depth = np.where(hit.reshape(IMAGE), distance.reshape(IMAGE) + noise, np.inf)
            views.append(RgbdView(color, depth, INTRINSICS, pose, 'table'))
        return views


INTRINSICS = np.array([[FOCAL, 0., (IMAGE[1] - 1) / 2], [0., FOCAL, (IMAGE[0] - 1) / 2],
                       [0., 0., 1.]])


def look_at(position: Sequence[float], target: Sequence[float]) -> Double:
    """(4, 4) table <- camera, optical axes, upright."""
    forward = np.subtract(target, position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0., 0., 1.])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], -1)
    pose[:3, 3] = position
    return pose


def _rays(pose: Double) -> NDArray[np.float32]:
    """(H * W, 6) origins and directions whose lengths make a distance the depth of a pixel."""
    row, column = np.divmod(np.arange(IMAGE[0] * IMAGE[1]), IMAGE[1])
    local = np.stack([(column - INTRINSICS[0, 2]) / FOCAL, (row - INTRINSICS[1, 2]) / FOCAL,
                      np.ones(len(row))], -1)
    origin = np.broadcast_to(pose[:3, 3], local.shape)
    return np.concatenate([origin, local @ pose[:3, :3].T], -1).astype(np.float32)


def _solid(outline: Double, bottom: float, top: float) -> Mesh:
    rings = [np.column_stack([outline, np.full(len(outline), height)]) for height in (bottom, top)]
    return loft(rings, 'paint')
