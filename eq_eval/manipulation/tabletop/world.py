"""The table itself: three cameras that look at it, and a suction cup that moves things.

Motion is quasi-static: what is released comes to lie level at the height of what is below it.
Nothing tips over, and what lies on a body that is taken away stays where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray
import shapely

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.camera import Camera
from eq_eval.manipulation.camera import look_at
from eq_eval.manipulation.tabletop.bodies import Body
from eq_eval.manipulation.tabletop.bodies import rest_height
from eq_eval.simulation.mesh import loft
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import quad

WORKSPACE = Workspace((-.25, -.25, -.01), (.25, .25, .19), .003125)
TABLE = (.55, .5, .45)              # colour
CAMERA = Camera(rows=360, columns=480, focal=495., noise=.0005)
POSITIONS = ((.45, 0., .6), (-.25, .4, .6), (-.25, -.4, .6))    # of the cameras [m]
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
        poses = [look_at(position, (0., 0., 0.)) for position in POSITIONS]
        return CAMERA.see(meshes, colors, poses, 'table', self.rng)


def _solid(outline: Double, bottom: float, top: float) -> Mesh:
    rings = [np.column_stack([outline, np.full(len(outline), height)]) for height in (bottom, top)]
    return loft(rings, 'paint')
