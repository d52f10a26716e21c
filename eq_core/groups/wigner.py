"""Irreducible representations of SO(3): real Wigner matrices and spherical harmonics.

Convention: real harmonics about the z axis, components ordered m = -l .. l, without the
Condon-Shortley phase. With phi about +z from +x, component m > 0 goes with cos(m phi) and m < 0
with sin(|m| phi); degree 1 is (y, z, x) up to scale. Hence ``D^1(R) = P R P^T`` with P the
permutation (x, y, z) -> (y, z, x), and a turn about z mixes components m and -m only. e3nn takes
y for the axis: ``D(R)`` is its ``wigner_D`` of ``P R P^T``, and ``Y(x)`` its harmonics of P x.

Construction: degree l is the top part of the product of degree 1 and degree l - 1,

    D^l(R) = C_l^T (D^1(R) x D^(l-1)(R)) C_l                                                (1)

with C_l the isometry of Clebsch-Gordan coefficients (Varshalovich et al., Quantum Theory of
Angular Momentum, 1988, section 8.5). There are no Euler angles, so that no rotation is special.
In float64 the laws below hold to 3e-15 up to degree 6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError

Floating = NDArray[np.floating[Any]]
Double = NDArray[np.float64]
MAX_DEGREE = 6
_ORDER = (1, 2, 0)      # of x, y, z among the components of degree 1


def check_degree(degree: int) -> None:
    """Refuses degrees that the tests do not cover.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.
    """
    if not 0 <= degree <= MAX_DEGREE:
        raise ConfigError(f'degree must be in 0..{MAX_DEGREE}, got {degree}')


def wigner_matrices(rotation: Floating, degree: int) -> list[Floating]:
    """Real Wigner matrices of all degrees up to one.

    Laws: ``D(A B) = D(A) D(B)``, ``D(A^T) = D(A)^T``, ``Y(A x) = D(A) Y(x)``.

    Args:
        rotation: (..., 3, 3) rotation matrices, float32 or float64.
        degree: L, the largest degree.

    Returns:
        D^0 .. D^L, of shape (..., 2 l + 1, 2 l + 1) and the dtype of `rotation`.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.
        InputError: `rotation` does not hold 3 x 3 matrices.

    Example:
        >>> [matrix.shape for matrix in wigner_matrices(np.eye(3), 2)]
        [(1, 1), (3, 3), (5, 5)]
    """
    check_degree(degree)
    rotation = _as_floating(rotation)
    if rotation.shape[-2:] != (3, 3):
        raise InputError(f'rotations must have shape (..., 3, 3), got {rotation.shape}')
    first = rotation[..., _ORDER, :][..., _ORDER]
    matrices = [np.ones((*rotation.shape[:-2], 1, 1), rotation.dtype), first][:degree + 1]
    for above in range(2, degree + 1):
        isometry = _isometry(above).astype(rotation.dtype)
        size = len(isometry)
        below = matrices[-1]
        product = first[..., :, None, :, None] * below[..., None, :, None, :]
        square = product.reshape(*rotation.shape[:-2], size, size)
        matrices.append(isometry.T @ (square @ isometry))
    return matrices


def wigner_generators(degree: int) -> list[Double]:
    """Derivatives of the Wigner matrices at the identity.

    Law: ``D(exp(w)) = expm(sum_i w_i X_i)`` for a rotation vector w.

    Args:
        degree: L, the largest degree.

    Returns:
        X^0 .. X^L, of shape (3, 2 l + 1, 2 l + 1): skew matrices of the turns about x, y and z.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.
    """
    check_degree(degree)
    cross = np.zeros((3, 3, 3))
    for axis in range(3):
        cross[axis, (axis + 2) % 3, (axis + 1) % 3] = 1
        cross[axis, (axis + 1) % 3, (axis + 2) % 3] = -1
    first = cross[:, _ORDER, :][..., _ORDER]
    generators = [np.zeros((3, 1, 1)), first][:degree + 1]
    for above in range(2, degree + 1):
        isometry, below = _isometry(above), generators[-1]
        square = np.stack([np.kron(turn, np.eye(2 * above - 1)) + np.kron(np.eye(3), part)
                           for turn, part in zip(first, below)])
        generators.append(isometry.T @ square @ isometry)
    return generators


def spherical_harmonics(direction: Floating, degree: int) -> list[Floating]:
    """Real spherical harmonics of all degrees up to one.

    They are orthonormal over the sphere: the integral of Y_m Y_n is 1 if m = n and else 0.

    Args:
        direction: (..., 3) unit vectors, float32 or float64.
        degree: L, the largest degree.

    Returns:
        Y^0 .. Y^L, of shape (..., 2 l + 1) and the dtype of `direction`.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.
        InputError: `direction` does not hold 3-vectors.
    """
    check_degree(degree)
    direction = _as_floating(direction)
    if direction.shape[-1:] != (3,):
        raise InputError(f'directions must have shape (..., 3), got {direction.shape}')
    first = direction[..., _ORDER]
    harmonics = [np.ones((*direction.shape[:-1], 1), direction.dtype), first][:degree + 1]
    for above in range(2, degree + 1):
        product = first[..., :, None] * harmonics[-1][..., None, :]
        isometry = _isometry(above)
        # The top part keeps one share of the length everywhere; at the pole x = z it is read off,
        # as only the components m = 0 are not zero there.
        pole = isometry[3 * above - 2, above]
        scaled = (isometry / pole).astype(direction.dtype)
        harmonics.append(product.reshape(*direction.shape[:-1], -1) @ scaled)
    return [part * direction.dtype.type(np.sqrt((2 * number + 1) / (4 * np.pi)))
            for number, part in enumerate(harmonics)]


def _as_floating(array: Floating) -> Floating:
    """Keeps float32 and float64, and makes float64 of all else."""
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


@lru_cache
def _isometry(degree: int) -> Double:
    """C_l of equation (1).

    Returns:
        (3 (2 l - 1), 2 l + 1): columns are orthonormal; rows run over the components of degree 1
        and, faster, over those of degree l - 1.
    """
    order = np.arange(-degree, degree + 1)
    up, down = degree + order, degree - order
    # <1 mu, l - 1 m - mu | l m> for mu = -1, 0, 1.
    weights = np.sqrt(np.stack([down * (down - 1) / 2, up * down, up * (up - 1) / 2])
                      / (degree * (2 * degree - 1)))
    coupling = np.zeros((3, 2 * degree - 1, 2 * degree + 1))
    for row in range(3):
        for column, m in enumerate(order):
            below = m - (row - 1) + degree - 1
            if 0 <= below < 2 * degree - 1:
                coupling[row, below, column] = weights[row, column]
    isometry = np.einsum('am,bn,mnk,ck->abc', _real_basis(1), _real_basis(degree - 1), coupling,
                         _real_basis(degree).conj())
    return np.asarray(isometry.real.reshape(-1, 2 * degree + 1))


def _real_basis(degree: int) -> NDArray[np.complex128]:
    """Unitary (2 l + 1, 2 l + 1): real components out of complex ones with Condon-Shortley."""
    basis = np.zeros((2 * degree + 1, 2 * degree + 1), np.complex128)
    basis[degree, degree] = 1
    for m in range(1, degree + 1):
        sign, plus, minus = (-1) ** m, degree + m, degree - m
        basis[plus, [plus, minus]] = np.array([sign, 1]) / np.sqrt(2)
        basis[minus, [plus, minus]] = np.array([-1j * sign, 1j]) / np.sqrt(2)
    return basis
