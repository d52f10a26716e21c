"""Cross-entropy of shown picks and places (Fourier Transporter, section 4.3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft
from scipy.sparse import csr_matrix
import torch
from torch import nn
from torch import Tensor

from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics
from eq_manipulation.planar.correlation import lifting_matrix
from eq_manipulation.planar.model import CropNetwork


@lru_cache
def _lifting(edge: int, count: int) -> tuple[csr_matrix, csr_matrix]:
    matrix = lifting_matrix(edge, count)
    return matrix, matrix.T.tocsr()


class _Lift(torch.autograd.Function):
    """(E * E, C) -> (N * E * E, C); the gradient goes back through the transposed matrix."""

    @staticmethod
    def forward(context: Any, flat: Tensor, edge: int, count: int) -> Tensor:
        context.edge, context.count = edge, count
        return torch.from_numpy(_lifting(edge, count)[0] @ flat.detach().numpy())

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        matrix = _lifting(context.edge, context.count)[1]
        return torch.from_numpy(matrix @ gradient.contiguous().numpy()), None, None


def lift(square: Tensor, count: int) -> Tensor:
    """Makes turned copies, as `correlation.lift`: (C, E, E) to (count, C, E, E)."""
    channels, edge, _ = square.shape
    turned = _Lift.apply(square.reshape(channels, -1).T.contiguous(), edge, count)
    return turned.reshape(count, edge, edge, channels).permute(0, 3, 1, 2)


def correlate(phi: Tensor, kernels: Tensor) -> Tensor:
    """Correlates by FFT, as `correlation.correlate`.

    Args:
        phi: (D, H, W).
        kernels: (K, D, c, c).

    Returns:
        (K, H + 1, W + 1).
    """
    half, (_, height, width) = kernels.shape[-1] // 2, phi.shape
    size = [fft.next_fast_len(edge + 2 * half, True) for edge in (height, width)]
    scene = torch.fft.rfft2(nn.functional.pad(phi, (half,) * 4), size)
    turned = torch.fft.rfft2(kernels, size)
    return torch.fft.irfft2((scene * turned.conj()).sum(1), size)[:, :height + 1, :width + 1]


def place_scores(phi: Tensor, crop: Tensor, network: CropNetwork) -> Tensor:
    """Scores of all places for one crop, equation (1) of `correlation`.

    Args:
        phi: (D, H, W) scene features.
        crop: (5, crop, crop) picture around the pick.
        network: Makes its features.

    Returns:
        (N, H + 1, W + 1): by angle and corner of feature cells.
    """
    config = network.config
    if config.turn_before:
        turned = lift(crop, config.rotations).contiguous()
        return correlate(phi, network(turned)['crop_features'])
    psi = network(crop[None])['crop_features'][0]
    basis = torch.from_numpy(circular_harmonics(
        circle_angles(config.rotations), config.frequencies)).to(psi)
    lifted = lift(psi, config.rotations)
    kernels = torch.tensordot(basis.T / config.rotations, lifted, 1)
    return torch.tensordot(basis, correlate(phi, kernels), 1)


def pick_loss(logits: Tensor, shown: Tensor) -> Tensor:
    """Cross-entropy over all cells.

    Args:
        logits: (B, 1, H, W).
        shown: (B, H, W) probability that a cell is picked.
    """
    return -(logits.flatten(1).log_softmax(1) * shown.flatten(1)).sum(1).mean()


def place_loss(scores: Tensor, corner: Tensor, angle: Tensor) -> Tensor:
    """Cross-entropy over all places and angles.

    Args:
        scores: (N, H, W).
        corner: (2,) float, row and column of the shown place.
        angle: () how far the object was turned [rad].
    """
    count = len(scores)
    level = angle / (2 * np.pi) * count
    whole = scores.reshape(-1).log_softmax(0).reshape(scores.shape)
    return -_expected(whole, torch.cat([level[None], corner]))


def _expected(field: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation of (N, H, W), periodic in the first axis.

    As a target this shares the probability among the neighbours of what was shown, so that
    fractions of cells are learned.
    """
    low = torch.floor(at)
    rest, value = at - low, field.new_zeros(())
    for corner in range(8):
        step = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = torch.where(step.bool(), rest, 1 - rest).prod()
        if weight > 0:
            level, row, column = (low.long() + step).tolist()
            value = value + weight * field[
                level % field.shape[0], min(max(row, 0), field.shape[1] - 1),
                min(max(column, 0), field.shape[2] - 1)]
    return value
