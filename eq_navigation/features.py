"""What is known of the cells of a map, for costs that are learnt: numbers that do not turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.occupancy import UNKNOWN

MAP_FEATURES = ('occupancy', 'unknown', 'clearance')
FAR = 2.    # clearance beyond which there is nothing more to know [m]


def map_features(world: OccupancyMap, occupied: int, allow_unknown: bool) -> NDArray[np.float32]:
    """Describes every cell.

    Law: E(2): the numbers of a place are the same however the map lies.

    Args:
        world: The map.
        occupied: Least occupancy of an obstacle.
        allow_unknown: Whether unknown cells count as free.

    Returns:
        (H, W, 3) in the order of `MAP_FEATURES`: occupancy 0 .. 1, 0 where it is unknown; 1 where
        it is; distance from the nearest obstacle in parts of `FAR`, at most 1.
    """
    unknown = world.cells == UNKNOWN
    clearance = world.clearance(world.obstacles(occupied, allow_unknown))
    return np.stack([np.where(unknown, 0, world.cells) / 100, unknown,
                     np.minimum(clearance / FAR, 1)], -1).astype(np.float32)
