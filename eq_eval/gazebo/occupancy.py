"""The map of a world: where what does not move is in the way of a robot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.gazebo.shapes import Shape

LOWEST, HIGHEST = .05, 1.9      # what lies between these heights is in the way [m]
STREET = (-42., -10., 44., 10.)


def world_map(shapes: Sequence[Shape], bounds: tuple[float, float, float, float] = STREET,
              resolution: float = .2) -> OccupancyMap:
    """Makes the map of a world, in the frame ``map``, which is that of the world.

    Args:
        shapes: Of the world; those that may move are left out.
        bounds: Least x, y and largest x, y [m].
        resolution: Edge of a cell [m]; a cell is occupied if a shape reaches into it.
    """
    left, low, right, high = bounds
    x = np.arange(left, right - resolution / 2, resolution) + resolution / 2
    y = np.arange(low, high - resolution / 2, resolution) + resolution / 2
    centres = shapely.points(*np.meshgrid(x, y))
    cells = np.zeros(centres.shape, np.int8)
    for shape in shapes:
        corners = shape.corners()
        if shape.static and corners[:, 2].min() < HIGHEST and corners[:, 2].max() > LOWEST:
            outline = shapely.convex_hull(shapely.MultiPoint(corners[:, :2]))
            cells[shapely.distance(outline, centres) < resolution / 2] = 100
    return OccupancyMap(cells, resolution, (left, low, 0.))
