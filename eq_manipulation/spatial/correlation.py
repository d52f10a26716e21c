"""Placing by comparing: the crop's features, turned every way, against the scene's.

Fourier Transporter (Huang et al., ICLR 2024). With scene features phi and crop features psi about
the pick, the score of carrying the crop to t and turning it by R is

    s(t, R) = sum_x <phi(t + R x), D(R) psi(x)>                                             (1)

where D turns the vectors among the features (Huang et al. compare scalars, for which it is 1).

Coarse: lifting makes turned copies ``kappa(x, R_i) = D(R_i) psi(R_i^-1 x)``, whose Wigner
coefficients up to degree L leave Q kernels; each is correlated with phi once, and the scores of
any rotation come back from the coefficients at every place. Everything is linear in psi, so that
transform and correlation commute. The set of rotations is closed under turns of the cube from both
sides, so that the coarse scores obey the law exactly, too.

Fine: (1) itself, phi read between cells, see `search`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse import csr_matrix

from eq_core.groups.rotation_sets import cube_double_coset
from eq_core.groups.rotation_sets import icosahedron_group
from eq_core.groups.so3_fourier import SO3Fourier
from eq_manipulation.spatial.rotations import field_matrices

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@lru_cache
def lifting_set(name: str, degree: int) -> SO3Fourier:
    """Rotations that crops are turned by, and their transform up to a degree."""
    return SO3Fourier(cube_double_coset() if name == 'cube' else icosahedron_group(), degree)


@lru_cache
def ball(edge: int) -> tuple[NDArray[np.int64], Double]:
    """Cells of a cube inside its inscribed ball: other turns would have no others.

    Returns:
        Their flat numbers, and (K, 3) x, y, z from the centre [cells].
    """
    axis = np.arange(edge) - (edge - 1) / 2
    z, y, x = (part.reshape(-1) for part in np.meshgrid(axis, axis, axis, indexing='ij'))
    offset = np.stack([x, y, z], -1)
    inside = np.flatnonzero(np.linalg.norm(offset, axis=-1) < edge / 2)
    return inside, offset[inside]


@lru_cache(maxsize=8)
def lifting_matrix(edge: int, name: str, degree: int) -> csr_matrix:
    """Turns a cube of features about its centre by all rotations, interpolating linearly.

    Returns:
        (N * K, edge ** 3) float32: flattened [iz, iy, ix] cubes to their copies in the ball.
    """
    turns = lifting_set(name, degree).rotations
    _, offset = ball(edge)
    source = np.round(offset @ turns, 9).reshape(-1, 3) + (edge - 1) / 2       # R^-1 x
    low = np.floor(source)
    rest, low = source - low, low.astype(np.int64)
    row, column, weight = [], [], []
    for corner in np.ndindex(2, 2, 2):
        at, part = low + corner, np.where(corner, rest, 1 - rest).prod(-1)
        kept = np.flatnonzero((part > 1e-9) & ((at >= 0) & (at < edge)).all(-1))
        row.append(kept)
        column.append((at[kept, 2] * edge + at[kept, 1]) * edge + at[kept, 0])
        weight.append(part[kept].astype(np.float32))
    where = np.concatenate(row), np.concatenate(column)
    return csr_matrix((np.concatenate(weight), where), (len(source), edge ** 3))


@lru_cache(maxsize=8)
def _lifted_fields(counts: tuple[int, ...], name: str, degree: int) -> Float:
    turns = np.asarray(lifting_set(name, degree).rotations, np.float64)
    return field_matrices(turns, counts).astype(np.float32)


def fiber_kernels(psi: Float, counts: tuple[int, ...], name: str, degree: int) -> Float:
    """Lifts and transforms.

    Args:
        psi: (C, c, c, c) features.
        counts: Fields of degree 0, 1, ... among them.
        name: Set of rotations.
        degree: L.

    Returns:
        (Q, C, c, c, c) kernels.
    """
    features, edge = psi.shape[:2]
    fourier, (inside, _) = lifting_set(name, degree), ball(edge)
    lifted = _copies(psi, name, degree) @ _lifted_fields(counts, name, degree).swapaxes(1, 2)
    weights = fourier.weights.astype(np.float32)
    kernels = np.zeros((weights.shape[1], edge ** 3, features), np.float32)
    kernels[:, inside] = (weights.T @ lifted.reshape(len(weights), -1)).reshape(
        -1, len(inside), features)
    return np.ascontiguousarray(kernels.transpose(0, 2, 1)).reshape(-1, features, *(edge,) * 3)


def turned_pictures(crop: Float, name: str, degree: int) -> Float:
    """Turns the picture of a crop, for a network that is to see every turn.

    Args:
        crop: (4, c, c, c).
        name: Set of rotations.
        degree: L.

    Returns:
        (N, 4, c, c, c), zero outside the ball.
    """
    channels, edge = crop.shape[:2]
    copies = _copies(crop, name, degree)
    pictures = np.zeros((len(copies), channels, edge ** 3), np.float32)
    pictures[:, :, ball(edge)[0]] = copies.swapaxes(1, 2)
    return pictures.reshape(-1, channels, *(edge,) * 3)


def copy_kernels(copies: Float, name: str, degree: int) -> Float:
    """Transforms (N, C, c, c, c) features of turned pictures to (Q, C, c, c, c) kernels."""
    weights = lifting_set(name, degree).weights.astype(np.float32)
    return (weights.T @ copies.reshape(len(copies), -1)).reshape(-1, *copies.shape[1:])


def _copies(cube: Float, name: str, degree: int) -> Float:
    """Turns (C, c, c, c) by all rotations: (N, K, C) inside the ball."""
    channels, edge = cube.shape[:2]
    copies = lifting_matrix(edge, name, degree) @ cube.reshape(channels, -1).T
    return np.asarray(copies.reshape(-1, len(ball(edge)[0]), channels))


def correlate(phi: Float, kernels: Float) -> Float:
    """Correlates scene features with kernels whose centre lies between cells.

    Args:
        phi: (D, n, n, n).
        kernels: (K, D, c, c, c), c even.

    Returns:
        (K, n + 1, n + 1, n + 1): the sum over features, kernel centre on the corner (iz, iy, ix)
        of cells; phi is zero beyond its edges.
    """
    edge, half = phi.shape[-1], kernels.shape[-1] // 2
    size = (fft.next_fast_len(edge + 2 * half, True),) * 3
    scene = fft.rfftn(np.pad(phi, ((0, 0), *((half, half),) * 3)), size)
    scores = np.empty((len(kernels), *(edge + 1,) * 3), np.float32)
    for number, kernel in enumerate(kernels):
        product = np.einsum('dzyx,dzyx->zyx', scene, fft.rfftn(kernel, size).conj())
        scores[number] = fft.irfftn(product, size)[:edge + 1, :edge + 1, :edge + 1]
    return scores
