"""Bases of convolution kernels together with all their rotated copies.

Where the group maps the grid onto itself (C1, C2, C4 and mirrors) the basis is every single cell:
nothing is lost and turning is a permutation, hence exact. For finer groups it is Gaussian rings
times circular harmonics, band-limited so that angular frequency <= ring radius (Weiler and Cesa,
General E(2)-Equivariant Steerable CNNs, 2019, section 2.8): above that the grid aliases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.group import PlanarGroup

RING_WIDTH = 0.6  # [cells]; the rings of adjacent radii overlap at about a quarter


def kernel_basis(group: PlanarGroup, size: int) -> NDArray[np.float64]:
    """Basis kernels, each turned by every element of the group.

    Args:
        group: The group.
        size: Edge of the square kernel [cells].

    Returns:
        (basis, order, size, size) float64, each kernel of unit norm; ``[b, g]`` is
        ``psi_b(g^-1 x)``, indexed [iy, ix].
    """
    axis = np.arange(size) - (size - 1) / 2
    grid = np.stack(np.meshgrid(axis, axis, indexing='xy'), -1)  # [iy, ix, (x, y)]
    source = np.einsum('gji,yxj->gyxi', group.matrices, grid)    # g^-1 = g^T
    if group.exact_on_grid:
        column = np.rint(source + (size - 1) / 2).astype(np.int64)
        cell = column[..., 1] * size + column[..., 0]
        return np.asarray(np.eye(size * size)[cell].transpose(3, 0, 1, 2))
    radius, angle = np.linalg.norm(source, axis=-1), np.arctan2(source[..., 1], source[..., 0])
    kernels = []
    for ring in np.arange((size - 1) / 2 % 1, size / 2):
        profile = np.exp(-((radius - ring) / RING_WIDTH) ** 2 / 2)
        for frequency in range(int(ring) + 1):
            kernels.append(profile * np.cos(frequency * angle))
            if frequency:
                kernels.append(profile * np.sin(frequency * angle))
    basis = np.stack(kernels)
    return np.asarray(basis / np.linalg.norm(basis[:, :1], axis=(2, 3), keepdims=True))
