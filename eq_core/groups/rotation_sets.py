"""Finite sets of rotations: spread evenly, closed under composition, or close to one rotation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError

Floating = NDArray[np.floating[Any]]
Double = NDArray[np.float64]
_FIRST_RATIO = np.sqrt(2)
_SECOND_RATIO = 1.533751168755204288118041
_COSET = (-.3247738, .56761791, .74863884, -.10895772)


def super_fibonacci(count: int) -> Double:
    """Spreads rotations evenly along a spiral.

    Alexa, Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3), CVPR 2022. Any count
    will do, unlike with grids that refine the cells of a polytope.

    Args:
        count: How many.

    Returns:
        (count, 3, 3) float64.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f'the count of rotations must be at least 1, got {count}')
    place = np.arange(count) + .5
    inner, outer = np.sqrt(place / count), np.sqrt(1 - place / count)
    first, second = (2 * np.pi * place / ratio for ratio in (_FIRST_RATIO, _SECOND_RATIO))
    quaternion = np.stack([inner * np.sin(first), inner * np.cos(first),
                           outer * np.sin(second), outer * np.cos(second)], -1)
    return np.asarray(Rotation.from_quat(quaternion).as_matrix())


def cube_group() -> Double:
    """The 24 rotations that map a cube with edges along the axes onto itself: (24, 3, 3)."""
    return np.asarray(Rotation.create_group('O').as_matrix().round())


def cube_double_coset() -> Double:
    """600 even rotations that turns of the cube map onto themselves from both sides.

    They are the group G of the cube and the double coset G s G of one more rotation s, which was
    chosen among random ones for even cover. Unlike a spiral, ``{A S B} = {S}`` for A, B in G, so
    that nothing that is sampled on them prefers an orientation of the grid. Degree 4 is resolved
    with condition number 1.7, and the covering radius is 25.5 degrees. One double coset alone
    resolves no more than degree 3, as degrees 0 and 4 both hold a scalar of the cube.

    Returns:
        (600, 3, 3) float64.
    """
    group = cube_group()
    more = np.einsum('aij,jk,bkl->abil', group, Rotation.from_quat(_COSET).as_matrix(), group)
    return np.concatenate([group, more.reshape(-1, 3, 3)])


def icosahedron_group() -> Double:
    """The 60 rotations of an icosahedron with half turns about x, y and z: (60, 3, 3)."""
    return np.asarray(Rotation.create_group('I').as_matrix())


def geodesic_distance(first: Floating, second: Floating) -> Double:
    """Angle of the turn from one rotation to another, precise for small and for half turns.

    Args:
        first: (..., 3, 3).
        second: (..., 3, 3), broadcast against `first`.

    Returns:
        (...) float64 in [0, pi] [rad].
    """
    between = np.swapaxes(np.asarray(first, np.float64), -1, -2) @ np.asarray(second, np.float64)
    angle = Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude()
    return np.asarray(angle).reshape(between.shape[:-2])


def covering_radius(rotations: Floating) -> float:
    """Largest distance of any rotation from the nearest one of a set.

    Unit quaternions of both signs are the corners of a polytope. The rotations farthest from all
    others are the normals of its facets, and the distance follows from the facet's depth, so that
    the radius is exact.

    Args:
        rotations: (N, 3, 3).

    Returns:
        The radius [rad].

    Raises:
        InputError: `rotations` is not of shape (N, 3, 3) with N > 0.
    """
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3) or not len(rotations):
        raise InputError(f'rotations must have shape (N, 3, 3), got {rotations.shape}')
    quaternion = Rotation.from_matrix(np.asarray(rotations, np.float64)).as_quat()
    if np.linalg.matrix_rank(quaternion, 1e-6) < 4:
        return float(np.pi)     # some quaternion is orthogonal to them all: half a turn from each
    hull = ConvexHull(np.concatenate([quaternion, -quaternion]))
    depth = -hull.equations[:, -1].max()
    return float(2 * np.arccos(np.clip(depth, 0, 1)))


def refinement_grid(centre: Floating, radius: float, steps: int) -> Double:
    """Rotations around one rotation: a cubic lattice of rotation vectors inside a ball.

    Args:
        centre: (3, 3), a member of the grid.
        radius: Largest distance from the centre, in (0, pi] [rad].
        steps: Lattice steps from the centre to the radius; the grid has about
            ``4 / 3 pi steps^3`` members.

    Returns:
        (N, 3, 3) float64.

    Raises:
        ConfigError: `radius` is not in (0, pi] or `steps` is below 1.
    """
    if not 0 < radius <= np.pi:
        raise ConfigError(f'radius must be in (0, pi], got {radius}')
    if steps < 1:
        raise ConfigError(f'steps must be at least 1, got {steps}')
    axis = np.arange(-steps, steps + 1)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing='ij'), -1).reshape(-1, 3)
    inside = lattice[(lattice ** 2).sum(1) <= steps ** 2]
    turns = Rotation.from_rotvec(inside * (radius / steps)).as_matrix()
    return np.asarray(turns @ np.asarray(centre, np.float64))
