"""Band-limited functions on SO(3) as coefficients of Wigner matrices.

A function of degree L is

    f(R) = sum_l sqrt(2 l + 1) sum_mn c^l_mn D^l_mn(R),  l = 0 .. L                         (1)

with the real Wigner matrices of `eq_core.groups.wigner`. The factors make the basis orthonormal
under the Haar measure of total weight one, so that the mean of f^2 is the sum of c^2 (Parseval).
Coefficients lie in one axis of Q = (L + 1)(2 L + 1)(2 L + 3) / 3 numbers, ordered l, m, n with n
fastest: 1, 10, 35, 84, 165, 286, 455 for L = 0 .. 6.

Sampling: N rotations resolve degree L only if N >= Q and the N x Q matrix of (1) is well
conditioned; `SO3Fourier` checks both. Condition numbers of the sets of
`eq_core.groups.rotation_sets`, a dash where a degree is not resolved, and their covering radius r:

    set                        r   L = 1      2      3      4      5      6        e
    cube, 24            62.8 deg    1.00      -      -      -      -      -   0.4831
    icosahedron, 60     44.5 deg    1.00   1.00      -      -      -      -   0.2266
    spiral, 192         40.1 deg    1.03   1.13   2.48  18.36      -      -   0.0983
    spiral, 576         28.5 deg    1.01   1.03   1.10   1.28   1.91  14.80   0.0094
    spiral, 1024        22.9 deg    1.00   1.02   1.05   1.11   1.23   1.51   0.0013
    spiral, 2048        18.6 deg    1.00   1.01   1.02   1.05   1.09   1.15   0.0004
    spiral, 4608        13.4 deg    1.00   1.00   1.01   1.02   1.03   1.06   0.0001

A function that is not band-limited aliases: e is the distance, relative to the norm, between the
transform of a turned bump and the turned transform of the bump. The bump is a Gaussian of 30
degrees, e its mean over 200 turns at the largest degree with a condition number below 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.wigner import check_degree
from eq_core.groups.wigner import MAX_DEGREE
from eq_core.groups.wigner import wigner_matrices

Floating = NDArray[np.floating[Any]]
Double = NDArray[np.float64]


def coefficient_count(degree: int) -> int:
    """Number Q of coefficients up to a degree.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.

    Example:
        >>> [coefficient_count(degree) for degree in range(7)]
        [1, 10, 35, 84, 165, 286, 455]
    """
    check_degree(degree)
    return (degree + 1) * (2 * degree + 1) * (2 * degree + 3) // 3


def degree_of(coefficients: Floating) -> int:
    """Degree L of coefficients (..., Q).

    Raises:
        InputError: No degree has that many coefficients.
    """
    counts = [coefficient_count(degree) for degree in range(MAX_DEGREE + 1)]
    if coefficients.shape[-1:] == () or coefficients.shape[-1] not in counts:
        raise InputError(f'the last axis of coefficients must be one of {counts}, '
                         f'got shape {coefficients.shape}')
    return counts.index(coefficients.shape[-1])


def so3_basis(rotation: Floating, degree: int) -> Floating:
    """Values of the orthonormal basis functions of (1).

    Args:
        rotation: (..., 3, 3), float32 or float64.
        degree: L.

    Returns:
        (..., Q), of the dtype of `rotation`.

    Raises:
        ConfigError: `degree` is not in 0 .. `MAX_DEGREE`.
        InputError: `rotation` does not hold 3 x 3 matrices.
    """
    return join_blocks([matrix * matrix.dtype.type(np.sqrt(2 * number + 1))
                        for number, matrix in enumerate(wigner_matrices(rotation, degree))])


def split_blocks(coefficients: Floating) -> list[Floating]:
    """Views of coefficients as matrices c^l, of shape (..., 2 l + 1, 2 l + 1).

    Raises:
        InputError: No degree has that many coefficients.
    """
    blocks, start = [], 0
    for degree in range(degree_of(coefficients) + 1):
        edge = 2 * degree + 1
        part = coefficients[..., start:start + edge ** 2]
        blocks.append(part.reshape(*part.shape[:-1], edge, edge))
        start += edge ** 2
    return blocks


def join_blocks(blocks: Sequence[Floating]) -> Floating:
    """Undoes `split_blocks`."""
    return np.concatenate([block.reshape(*block.shape[:-2], block.shape[-1] ** 2)
                           for block in blocks], -1)


def evaluate(coefficients: Floating, rotations: Floating) -> Floating:
    """Inverse transform: values of functions at any rotations.

    Args:
        coefficients: (..., Q).
        rotations: (N, 3, 3).

    Returns:
        (..., N).

    Raises:
        InputError: No degree has Q coefficients, or `rotations` does not hold 3 x 3 matrices.
    """
    return coefficients @ so3_basis(rotations, degree_of(coefficients)).T


def shift_left(coefficients: Floating, rotation: Floating) -> Floating:
    """Turns functions from the left: ``(A f)(R) = f(A^-1 R)``, so that peaks move to A R.

    Args:
        coefficients: (..., Q) of f.
        rotation: (..., 3, 3), A, broadcast against the functions.

    Returns:
        (..., Q): ``D(A) c``, degree by degree.

    Raises:
        InputError: No degree has Q coefficients, or `rotation` does not hold 3 x 3 matrices.
    """
    matrices = wigner_matrices(rotation, degree_of(coefficients))
    return join_blocks([matrix @ block
                        for matrix, block in zip(matrices, split_blocks(coefficients))])


def shift_right(coefficients: Floating, rotation: Floating) -> Floating:
    """Turns functions from the right: ``f(R A)``, so that peaks move to R A^-1.

    Args:
        coefficients: (..., Q) of f.
        rotation: (..., 3, 3), A, broadcast against the functions.

    Returns:
        (..., Q): ``c D(A)^T``, degree by degree.

    Raises:
        InputError: No degree has Q coefficients, or `rotation` does not hold 3 x 3 matrices.
    """
    matrices = wigner_matrices(rotation, degree_of(coefficients))
    return join_blocks([block @ np.swapaxes(matrix, -1, -2)
                        for matrix, block in zip(matrices, split_blocks(coefficients))])


@dataclass(frozen=True, eq=False)
class SO3Fourier:
    """Transforms between values on a set of rotations and coefficients.

    Attributes:
        rotations: (N, 3, 3), the set.
        degree: L.
        largest_condition: What the condition number may be: noise on the values grows by at most
            that in the coefficients, relative to the best determined ones.
    """

    rotations: Floating
    degree: int
    largest_condition: float = 100.

    def __post_init__(self) -> None:
        """Checks that the set resolves the degree.

        Raises:
            ConfigError: The set is too small, or its condition number too large, for the degree.
            InputError: `rotations` does not have shape (N, 3, 3).
        """
        if self.rotations.ndim != 3:
            raise InputError(f'rotations must have shape (N, 3, 3), got {self.rotations.shape}')
        count, wanted = len(self.rotations), coefficient_count(self.degree)
        if count < wanted:
            raise ConfigError(f'degree {self.degree} has {wanted} coefficients, '
                              f'which {count} rotations cannot resolve')
        # Not <=, so that a condition that is not a number is refused as well.
        if not self.condition <= self.largest_condition:
            raise ConfigError(f'{count} rotations resolve degree {self.degree} with condition '
                              f'number {self.condition:.3g}, more than {self.largest_condition:g}')

    @cached_property
    def basis(self) -> Double:
        """(N, Q) float64: values of the basis functions on the set."""
        return np.asarray(so3_basis(np.asarray(self.rotations, np.float64), self.degree))

    @cached_property
    def condition(self) -> float:
        """Largest over smallest singular value of `basis`; 1 for perfect sets."""
        return float(np.linalg.cond(self.basis))

    @cached_property
    def weights(self) -> Double:
        """(N, Q) float64: the least-squares transform, values @ weights = coefficients."""
        return np.asarray(np.linalg.pinv(self.basis).T)

    def forward(self, values: Floating) -> Floating:
        """Least-squares transform, exact for functions of the degree.

        Args:
            values: (..., N) at the rotations of the set, float32 or float64.

        Returns:
            (..., Q), of the same dtype.

        Raises:
            InputError: There are not N values.
        """
        self._check(values, len(self.rotations), 'values')
        return values @ self.weights.astype(values.dtype)

    def inverse(self, coefficients: Floating) -> Floating:
        """Values on the set.

        Args:
            coefficients: (..., Q), float32 or float64.

        Returns:
            (..., N), of the same dtype.

        Raises:
            InputError: There are not Q coefficients.
        """
        self._check(coefficients, coefficient_count(self.degree), 'coefficients')
        return coefficients @ self.basis.T.astype(coefficients.dtype)

    @staticmethod
    def _check(array: Floating, size: int, name: str) -> None:
        if array.shape[-1:] != (size,):
            raise InputError(f'{name} must have shape (..., {size}), got {array.shape}')
