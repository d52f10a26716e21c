"""Where else a shown pick would have held: the level face that was picked, away from its edges.

A demonstration tells one point, at times on the very edge of an object. A suction cup holds as
well a little beside it, and better away from edges, so all of that face is taught.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eq_core.geometry.heightmap import HeightMap

LEVEL = .006        # heights of one face differ by less [m]
ALIKE = .2          # colours of one face differ by less, in each channel
RADIUS = .025       # points farther from the shown one are not taught [m]
CUP = .0125         # farther from an edge than this nothing is gained [m]
NEAR = .0065        # the face begins within this distance of what was shown [m]

Double = NDArray[np.float64]


def picked_face(heightmap: HeightMap, pick: Double) -> tuple[Double, Double]:
    """Points that would do as well as the shown pick.

    Args:
        heightmap: The table before.
        pick: (4, 4) pose of the tool at the pick; its height is that of the face.

    Returns:
        (K, 2) float64 x, y [cells], centres being whole; and (K,) weights that add up to 1, which
        grow with the square of the distance from the edge. The shown point alone where the
        heightmap shows no face at its height.
    """
    space = heightmap.workspace
    x, y, _ = at = space.cell(pick[:3, 3])
    rows, columns = np.indices(heightmap.height.shape)
    distance = np.hypot(columns - x, rows - y) * space.resolution
    level = heightmap.seen & (np.abs(heightmap.height + space.lower[2] - pick[2, 3]) < LEVEL)
    start = np.where(level, distance, np.inf)
    row, column = np.unravel_index(start.argmin(), start.shape)
    if start[row, column] > NEAR:
        return at[None, :2], np.ones(1)
    alike = np.abs(heightmap.color - heightmap.color[row, column]).max(-1) < ALIKE
    parts, _ = ndimage.label(level & alike)
    face = parts == parts[row, column]
    inner = ndimage.distance_transform_edt(face, space.resolution)
    weight = np.where(distance < RADIUS, np.minimum(inner, CUP) ** 2, 0)
    row_of, column_of = np.nonzero(weight)
    chosen = weight[row_of, column_of]
    return np.stack([column_of, row_of], -1).astype(float), chosen / chosen.sum()
