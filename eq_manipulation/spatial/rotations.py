"""How the channels of steerable fields turn, and functions of rotations among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.so3_fourier import coefficient_count
from eq_core.groups.so3_fourier import so3_basis
from eq_core.groups.wigner import wigner_matrices
from eq_manipulation.spatial.config import PICK_DEGREE

Float = NDArray[np.float32]
Double = NDArray[np.float64]


def field_matrices(rotations: Double, counts: tuple[int, ...]) -> Double:
    """How the channels of steerable fields turn.

    Args:
        rotations: (N, 3, 3).
        counts: Fields of degree 0, 1, ...

    Returns:
        (N, C, C): a Wigner matrix for each field along the diagonal.
    """
    channels = sum(count * (2 * degree + 1) for degree, count in enumerate(counts))
    whole, start = np.zeros((len(rotations), channels, channels)), 0
    for matrix, count in zip(wigner_matrices(rotations, len(counts) - 1), counts, strict=True):
        edge = matrix.shape[-1]
        for _ in range(count):
            whole[:, start:start + edge, start:start + edge] = matrix
            start += edge
    return whole


def channel_order() -> NDArray[np.int64]:
    """(Q,) for every coefficient of `eq_core.groups.so3_fourier` its channel.

    A network has fields, the columns of c^l, one after another; coefficients run over rows.
    """
    order, start = [], 0
    for degree in range(PICK_DEGREE + 1):
        edge = 2 * degree + 1
        order.append(start + np.arange(edge ** 2).reshape(edge, edge).T.reshape(-1))
        start = coefficient_count(degree)
    return np.concatenate(order)


def pick_basis(rotations: Double) -> Double:
    """(N, Q) values of the basis functions at rotations (N, 3, 3), in the order of channels."""
    basis = np.empty((len(rotations), coefficient_count(PICK_DEGREE)))
    basis[:, channel_order()] = so3_basis(rotations, PICK_DEGREE)
    return basis


def pick_coefficients(channels: Float | Double) -> Double:
    """Coefficients (..., Q) of channels (..., Q)."""
    return np.asarray(channels[..., channel_order()], np.float64)
