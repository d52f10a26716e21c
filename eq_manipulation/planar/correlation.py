"""Placing by comparing: the crop's features, turned every way, against the scene's.

Fourier Transporter (Huang et al., ICLR 2024). With scene features phi and crop features psi about
the pick, the score of carrying the crop to t and turning it by a is

    s(t, a) = sum_x <phi(t + x), psi(R_a^-1 x)>                                             (1)

Lifting makes the turned copies ``kappa(x, a) = psi(R_a^-1 x)`` for N angles; the Fourier transform
along the fibre, ``kappa_k(x) = 1/N sum_a kappa(x, a) b_k(a)`` with b the harmonics up to frequency
F, leaves 2 F + 1 kernels; each is correlated with phi once, and the scores of any angle come back
as ``s(t, a) = sum_k b_k(a) (phi * kappa_k)(t)``. Everything is linear in psi, so that transform
and correlation commute.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse import csr_matrix

from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@lru_cache
def lifting_matrix(edge: int, count: int) -> csr_matrix:
    """Turns a square about its centre by `count` angles, with bilinear interpolation.

    Cells beyond the inscribed circle are left out, as not every turn has them. Quarter turns are
    exact.

    Args:
        edge: Edge of the square, even [cells].
        count: Angles.

    Returns:
        (count * edge * edge, edge * edge) float32: flattened [iy, ix] squares to their copies.
    """
    axis = np.arange(edge) - (edge - 1) / 2
    y, x = (part.reshape(-1) for part in np.meshgrid(axis, axis, indexing='ij'))
    inside = np.flatnonzero(np.hypot(x, y) < edge / 2)
    row, column, weight = [], [], []
    for number, angle in enumerate(circle_angles(count)):
        cos, sin = np.round(np.cos(angle), 12), np.round(np.sin(angle), 12)
        source_x = cos * x[inside] + sin * y[inside] + (edge - 1) / 2      # R^-1 x
        source_y = cos * y[inside] - sin * x[inside] + (edge - 1) / 2
        left, top = np.floor(source_x), np.floor(source_y)
        for step_x in (0, 1):
            for step_y in (0, 1):
                at_x, at_y = left + step_x, top + step_y
                part = (1 - np.abs(source_x - at_x)) * (1 - np.abs(source_y - at_y))
                kept = (part > 1e-9) & (at_x >= 0) & (at_x < edge) & (at_y >= 0) & (at_y < edge)
                row.append(number * edge ** 2 + inside[kept])
                column.append((at_y * edge + at_x)[kept])
                weight.append(part[kept])
    where = np.concatenate(row), np.concatenate(column).astype(np.int64)
    return csr_matrix((np.concatenate(weight).astype(np.float32), where),
                      (count * edge ** 2, edge ** 2))


def lift(psi: Float, count: int) -> Float:
    """Makes turned copies of the crop's features: (D, c, c) to (count, D, c, c)."""
    features, edge, _ = psi.shape
    turned = lifting_matrix(edge, count) @ psi.reshape(features, -1).T
    return np.asarray(turned.reshape(count, edge, edge, features).transpose(0, 3, 1, 2))


def fiber_kernels(psi: Float, count: int, frequencies: int) -> Float:
    """Lifts and transforms: (D, c, c) features to (2 F + 1, D, c, c) kernels."""
    basis = circular_harmonics(circle_angles(count), frequencies).astype(np.float32) / count
    lifted = lift(psi, count)
    return np.asarray((basis.T @ lifted.reshape(count, -1)).reshape(-1, *psi.shape))


def correlate(phi: Float, kernels: Float) -> Float:
    """Correlates scene features with kernels whose centre lies between cells.

    Args:
        phi: (D, H, W).
        kernels: (K, D, c, c), c even.

    Returns:
        (K, H + 1, W + 1): the sum over features, kernel centre on the corner (iy, ix) of cells;
        phi is zero beyond its edges.
    """
    _, height, width = phi.shape
    half = kernels.shape[-1] // 2
    size = [fft.next_fast_len(edge + 2 * half, True) for edge in (height, width)]
    # The kernel begins `half` cells before its centre: shift phi by as much.
    shifted = np.pad(phi, ((0, 0), (half, half), (half, half)))
    scene, turned = fft.rfft2(shifted, size), fft.rfft2(kernels, size)
    product = np.einsum('dyx,kdyx->kyx', scene, turned.conj(), optimize=True)
    return np.asarray(fft.irfft2(product, size)[:, :height + 1, :width + 1])
