"""Light from elsewhere on the points of a body: what was shaded in one pose is not in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

NEIGHBORS = 16      # points that a plane is laid through
DARKEST = .02       # of a colour that is not black

Double = NDArray[np.float64]
Float = NDArray[np.float32]


def body_normals(xyz: NDArray[np.floating], carried: NDArray[np.bool_]) -> Double:
    """Normals of the surfaces of two bodies, to either side.

    Args:
        xyz: (N, 3) points [m].
        carried: (N,) which of them are of the first body.

    Returns:
        (N, 3) unit vectors.
    """
    normals = np.zeros((len(xyz), 3))
    for body in (carried, ~carried):
        points = np.asarray(xyz[body], np.float64)
        if len(points):
            count = min(NEIGHBORS, len(points))
            near = points[KDTree(points).query(points, count)[1].reshape(len(points), count)]
            near -= near.mean(1, keepdims=True)
            spread = np.einsum('nki,nkj->nij', near, near)
            normals[body] = np.linalg.eigh(spread)[1][:, :, 0]      # along which it is least
    return normals


def relit(color: Float, normals: Double, shading: float, rng: np.random.Generator) -> Float:
    """Colours of one body in light from a random side, as bright on the whole as they were.

    A face is darkened by how far it looks away from the light (Lambert), whichever of its sides
    is seen. That any face may be the brightest takes the light away that was: differences of
    brightness are scaled by a random factor within -+`shading`.

    Args:
        color: (N, 3) in [0, 1].
        normals: (N, 3) unit vectors to either side.
        shading: In [0, 1]; 0 leaves the colours as they are.
        rng: Draws the light.

    Returns:
        (N, 3), possibly above 1.
    """
    if not shading or not len(color):
        return color
    bright = np.maximum(color.mean(-1, dtype=np.float64), DARKEST)
    kept = rng.uniform(-shading, shading)
    strength = rng.uniform(0, shading)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    lit = 1 - strength + strength * np.abs(normals @ direction)
    wanted = bright ** kept * lit
    wanted *= bright.mean() / wanted.mean()
    return (color * (wanted / bright)[:, None]).astype(np.float32)
