"""Where a band-limited function on SO(3) is largest.

Coarse to fine: an even set of rotations is searched for values above those of all neighbours, and
Newton's method in the tangent space climbs from the highest. With X_i the generators of the Wigner
matrices and ``M^l = D^l(R) c^lT``,

    f(exp(w) R) = sum_l sqrt(2 l + 1) tr(exp(sum_i w_i X^l_i) M^l)                          (1)

so that value, gradient and Hessian at w = 0 are traces of 1, X_i and (X_i X_j + X_j X_i) / 2
times M: one fixed matrix of 13 rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.rotation_sets import super_fibonacci
from eq_core.groups.so3_fourier import degree_of
from eq_core.groups.so3_fourier import join_blocks
from eq_core.groups.so3_fourier import so3_basis
from eq_core.groups.so3_fourier import split_blocks
from eq_core.groups.wigner import wigner_generators
from eq_core.groups.wigner import wigner_matrices

Floating = NDArray[np.floating[Any]]
Double = NDArray[np.float64]
COARSE_ROTATIONS = 4096
_ITERATIONS = 30
_NEIGHBOURS = 12
_SETTLED = 1e-8         # [rad]
_LONGEST_STEP = 0.3     # [rad]


@dataclass(frozen=True, eq=False)
class Maximum:
    """The largest values of functions.

    Attributes:
        rotation: (..., 3, 3) float64, where.
        value: (...) float64, how large.
    """

    rotation: Double
    value: Double


class Jet(NamedTuple):
    """Taylor series of ``f(exp(w) R)`` about w = 0.

    Attributes:
        value: (n,) float64.
        gradient: (n, 3) float64 [1/rad].
        hessian: (n, 3, 3) float64 [1/rad^2].
    """

    value: Double
    gradient: Double
    hessian: Double


def jet(coefficients: Double, rotation: Double) -> Jet:
    """Value and two derivatives of functions, one rotation each.

    Args:
        coefficients: (n, Q).
        rotation: (n, 3, 3).

    Returns:
        The Taylor series of (1).

    Raises:
        InputError: No degree has Q coefficients.
    """
    degree = degree_of(coefficients)
    moments = [matrix @ np.swapaxes(block, -1, -2) for matrix, block in
               zip(wigner_matrices(rotation, degree), split_blocks(coefficients))]
    terms = join_blocks(moments) @ _traces(degree).T
    return Jet(terms[:, 0], terms[:, 1:4], terms[:, 4:].reshape(-1, 3, 3))


@lru_cache
def _traces(degree: int) -> Double:
    """(13, Q): rows take the traces of (1) with 1, X_i and (X_i X_j + X_j X_i) / 2."""
    rows: list[Floating] = []
    for number, turn in enumerate(wigner_generators(degree)):
        pair = np.einsum('iab,jbc->ijac', turn, turn)
        pair = ((pair + pair.swapaxes(0, 1)) / 2).reshape(9, *turn.shape[1:])
        taken = np.concatenate([np.eye(turn.shape[1])[None], turn, pair])
        rows.append(np.sqrt(2 * number + 1) * taken.swapaxes(-1, -2))    # tr(A M) = <A^T, M>
    return np.asarray(join_blocks(rows))


@lru_cache
def _coarse(count: int) -> tuple[Double, NDArray[np.int64]]:
    """An even set of rotations, and the nearest neighbours of each: (N, 3, 3), (N, neighbours)."""
    rotations = super_fibonacci(count)
    quaternion = Rotation.from_matrix(rotations).as_quat()
    both = KDTree(np.concatenate([quaternion, -quaternion]))
    _, nearest = both.query(quaternion, range(2, min(_NEIGHBOURS + 1, count) + 1))
    return rotations, np.asarray(nearest % count, np.int64)


@lru_cache
def _coarse_basis(count: int, degree: int) -> Double:
    """(N, Q): the basis functions on the even set."""
    return np.asarray(so3_basis(_coarse(count)[0], degree))


def climb(coefficients: Double, rotation: Double) -> Maximum:
    """Climbs to a local maximum from each of some starts.

    The Hessian's eigenvalues are made negative, which points uphill from anywhere; a step that
    does not climb is taken back and the next one is shorter.

    Args:
        coefficients: (n, Q) of n functions.
        rotation: (n, 3, 3), one start each.

    Returns:
        n local maxima.

    Raises:
        InputError: No degree has Q coefficients.
    """
    here, longest = jet(coefficients, rotation), np.full(len(rotation), _LONGEST_STEP)
    for _ in range(_ITERATIONS):
        curvature, axes = np.linalg.eigh(here.hessian)
        steepest = np.abs(curvature).max(-1, keepdims=True)
        slope = np.einsum('nij,ni->nj', axes, here.gradient)
        # The floor bounds steps along ridges, where a function is constant.
        step = slope / np.maximum(np.abs(curvature), np.maximum(1e-6 * steepest, 1e-300))
        length = np.linalg.norm(step, axis=-1)
        if (np.minimum(length, longest) < _SETTLED).all():
            break
        step *= np.minimum(1, longest / np.maximum(length, 1e-300))[:, None]
        turn = Rotation.from_rotvec(np.einsum('nij,nj->ni', axes, step)).as_matrix()
        moved = turn @ rotation
        there = jet(coefficients, moved)
        better = there.value > here.value
        longest = np.where(better, _LONGEST_STEP, np.minimum(longest, length) / 4)
        rotation = np.where(better[:, None, None], moved, rotation)
        here = Jet(*(np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
                     for new, old in zip(there, here)))
    return Maximum(rotation, here.value)


def argmax(coefficients: Floating, starts: int = 8, coarse: int = COARSE_ROTATIONS) -> Maximum:
    """Finds the largest value of functions on SO(3).

    Law: turning a function turns the answer, ``argmax(A f) = A argmax(f)``.

    The peak itself is precise to 1e-7 rad. The search is not a proof: among functions with random
    coefficients, which have many peaks of nearly one height, the defaults took a lower peak for 0,
    1 and 3 of 2000 at degrees 2, 4 and 6, at most 6 % below the highest.

    Args:
        coefficients: (..., Q).
        starts: How many of the highest coarse peaks are climbed from.
        coarse: Rotations of the coarse set.

    Returns:
        One maximum for each function; where several are equally high, one of them.

    Raises:
        InputError: No degree has Q coefficients, or they are not finite.
        ConfigError: `starts` is not in 1 .. `coarse`.
    """
    if not 1 <= starts <= coarse:
        raise ConfigError(f'starts must be in 1..{coarse}, got {starts}')
    if not np.isfinite(coefficients).all():
        raise InputError('coefficients must be finite')
    degree, batch = degree_of(coefficients), coefficients.shape[:-1]
    functions = np.asarray(coefficients, np.float64).reshape(-1, coefficients.shape[-1])
    rotations, neighbours = _coarse(coarse)
    values = functions @ _coarse_basis(coarse, degree).T
    around = np.full_like(values, -np.inf)
    for neighbour in neighbours.T:
        np.maximum(around, values[:, neighbour], out=around)
    # Constant functions have no peak above its neighbours, hence >=.
    peaks = np.where(values >= around, values, -np.inf)
    best = np.argpartition(peaks, coarse - starts, -1)[:, coarse - starts:]
    found = climb(np.repeat(functions, starts, 0), rotations[best].reshape(-1, 3, 3))
    value = found.value.reshape(-1, starts)
    winner = np.arange(len(value)) * starts + value.argmax(-1)
    return Maximum(found.rotation[winner].reshape(*batch, 3, 3), value.max(-1).reshape(batch))
