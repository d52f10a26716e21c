"""Goals for a planner, chosen on the map that it has: far away, back, and one that is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.cells import Cells

DRIVABLE = 0        # cost of the ground that goals far away are chosen on
CLEAR = 1.5         # times the radius of the robot that such goals are free around
BORDER = 2.         # they keep away from the border of the map [m]

Double = NDArray[np.float64]


def goals_on(world: OccupancyMap, robot: Double, begin: Double, robot_radius: float,
             occupied: int) -> list[Double]:
    """Chooses places to ask for.

    Args:
        world: The map.
        robot: (2,) where the robot is [m].
        begin: (2,) where it was at first [m].
        robot_radius: Its radius [m].
        occupied: Least cost of ground that it does not take.

    Returns:
        (2,) each: of the road that the robot can reach the farthest place, then the one that is
        farthest from that and the robot; where it began, if it can go back there; the nearest
        obstacle, which no path can lead into.
    """
    cells = Cells(world, world.traversable(CLEAR * robot_radius, occupied))
    part = _part_at(cells, robot)
    inner = np.zeros(world.cells.shape, np.bool_)
    edge = round(BORDER / world.resolution)
    inner[edge:-edge, edge:-edge] = True
    row, column = np.nonzero(inner & (cells.part == part) & (world.cells == DRIVABLE))
    places = world.centre(row, column)
    found: list[Double] = []
    apart = np.hypot(*(places - robot).T)
    for _ in range(min(2, len(places))):
        found.append(places[apart.argmax()])
        apart = np.minimum(apart, np.hypot(*(places - found[-1]).T))
    where = world.locate(begin)
    if where[2] and cells.part[where[:2]] == part and np.hypot(*(begin - robot)) > robot_radius:
        found.append(np.asarray(begin, float))
    taken = world.centre(*np.nonzero(world.obstacles(allow_unknown=True)))
    if len(taken):
        found.append(taken[np.hypot(*(taken - robot).T).argmin()])
    return found


def _part_at(cells: Cells, robot: Double) -> int:
    """The connected part of the map that the robot is in, or is nearest to."""
    row, column = np.nonzero(cells.traversable)
    if not len(row):
        return -1
    nearest = np.hypot(*(cells.world.centre(row, column) - robot).T).argmin()
    return int(cells.part[row[nearest], column[nearest]])
