"""Cross-entropy of shown picks and places (Fourier Transporter, section 4.3).

A softmax over all of SE(3) is too large for every step. It is taken over all places at few
rotations, over places near the shown one at many rotations, and over poses around the shown one
that lie between cells. The shown pose is among all of them. In the second, every wrong rotation
is compared at the place where it does best, which is what a search would take it for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft
import torch
from torch import nn
from torch import Tensor

from eq_manipulation.spatial.correlation import ball
from eq_manipulation.spatial.rotations import field_matrices

WINDOW = 7      # edge of the cube of places near the shown one [corners of feature cells]


def turned(psi: Tensor, rotations: Tensor, counts: tuple[int, ...]) -> Tensor:
    """Makes turned copies D(R) psi(R^-1 x), zero outside the ball.

    Args:
        psi: (C, c, c, c).
        rotations: (N, 3, 3).
        counts: Fields of degree 0, 1, ... among the features.

    Returns:
        (N, C, c, c, c).
    """
    edge = psi.shape[-1]
    inside, offset = ball(edge)
    at = torch.from_numpy(offset).to(psi) @ rotations                       # R^-1 x
    grid = (at / (edge / 2))[:, None, None]
    copies = nn.functional.grid_sample(psi.expand(len(rotations), *psi.shape), grid,
                                       align_corners=False)
    whole = psi.new_zeros(len(rotations), len(psi), edge ** 3)
    whole[:, :, torch.from_numpy(inside)] = _matrices(rotations, counts) @ copies[:, :, 0, 0]
    return whole.reshape(len(rotations), len(psi), edge, edge, edge)


def correlate(phi: Tensor, kernels: Tensor) -> Tensor:
    """Correlates by FFT, as `correlation.correlate`.

    Args:
        phi: (D, n, n, n).
        kernels: (K, D, c, c, c).

    Returns:
        (K, n + 1, n + 1, n + 1).
    """
    half, edge = kernels.shape[-1] // 2, phi.shape[-1]
    size = (fft.next_fast_len(edge + 2 * half, True),) * 3
    scene = torch.fft.rfftn(nn.functional.pad(phi, (half,) * 6), size)
    product = (scene * torch.fft.rfftn(kernels, size).conj()).sum(1)
    return torch.fft.irfftn(product, size)[:, :edge + 1, :edge + 1, :edge + 1]


def pose_scores(phi: Tensor, psi: Tensor, counts: tuple[int, ...], rotations: Tensor,
                places: Tensor) -> Tensor:
    """Scores (P,) of poses, as `search.PoseScore`."""
    inside, offset = ball(psi.shape[-1])
    key = psi.reshape(len(psi), -1)[:, torch.from_numpy(inside)]
    at = torch.from_numpy(offset).to(psi) @ rotations.transpose(1, 2) + places[:, None]
    grid = (at / (phi.shape[-1] / 2))[None, :, :, None]
    value = nn.functional.grid_sample(phi[None], grid, align_corners=False)[0, ..., 0]
    # D(R) acts on the smaller side: <phi, D psi> = <D^T phi, psi>.
    compared = torch.einsum('dpk,ek->pde', value, key)
    return (compared * _matrices(rotations, counts)).sum((1, 2))


def _matrices(rotations: Tensor, counts: tuple[int, ...]) -> Tensor:
    matrices = field_matrices(rotations.double().numpy(), counts)
    return torch.from_numpy(matrices).to(rotations.dtype)


def pick_loss(pick: Tensor, cell: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over all cells, and over rotations in the cells of the shown pick.

    Args:
        pick: (35, n, n, n) of one scene.
        cell: (3,) float iz, iy, ix of the shown pick.
        basis: (1 + N, 35) values of the Wigner basis at the shown rotation and at even ones.
    """
    position = -_expected(pick[0].reshape(-1).log_softmax(0).reshape(1, *pick.shape[1:]), cell)[0]
    coefficients = _expected(pick[1:], cell)
    logits = basis[:, 1:] @ coefficients
    return position, torch.logsumexp(logits, 0) - logits[0]


def place_losses(phi: Tensor, copies: Callable[[Tensor], Tensor], coarse: Tensor, turns: Tensor,
                 place: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over all places, and over many rotations.

    Args:
        phi: (C, n, n, n) scene features.
        copies: From rotations (N, 3, 3) to crop features (N, C, c, c, c) of crops so turned.
        coarse: (N, 3, 3) rotations that all places are compared at, the shown one first.
        turns: (K, 3, 3) rotations that places near the shown one are compared at, likewise.
        place: (3,) the shown one, x, y, z from the middle [feature cells].
    """
    corner = place.flip(0) + phi.shape[-1] / 2
    first_copies, more_copies = copies(torch.cat([coarse, turns])).split([len(coarse), len(turns)])
    all_places = _cross_entropy(correlate(phi, first_copies), corner)
    half, edge = more_copies.shape[-1] // 2, more_copies.shape[-1] + WINDOW - 1
    first = [min(max(round(float(each)) - WINDOW // 2, 0), phi.shape[-1] + 1 - WINDOW)
             for each in corner]
    z, y, x = first
    part = nn.functional.pad(phi, (half,) * 6)[:, z:z + edge, y:y + edge, x:x + edge]
    window = nn.functional.conv3d(part[None], more_copies)[0]
    return all_places, _cross_entropy(window, corner - torch.tensor(first))


def near_loss(phi: Tensor, psi: Tensor, counts: tuple[int, ...], fine: Tensor,
              fine_places: Tensor) -> Tensor:
    """Cross-entropy over poses near the shown one, the first of rotations and places."""
    near = pose_scores(phi, psi, counts, fine, fine_places)
    return torch.logsumexp(near, 0) - near[0]


def _cross_entropy(scores: Tensor, corner: Tensor) -> Tensor:
    """Of the first rotation at a corner among all (N, D, H, W)."""
    whole = scores.reshape(-1).log_softmax(0).reshape(scores.shape)
    return -_expected(whole[:1], corner)[0]


def _expected(field: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation of (C, D, H, W) at iz, iy, ix: (C,).

    As a target this shares the probability among the neighbours of what was shown, so that
    fractions of cells are learned.
    """
    low = torch.floor(at)
    rest, value = at - low, field.new_zeros(len(field))
    size = field.shape[1:]
    for step in np.ndindex(2, 2, 2):
        weight = torch.where(torch.tensor(step).bool(), rest, 1 - rest).prod()
        z, y, x = (min(max(int(number) + more, 0), edge - 1)
                   for number, more, edge in zip(low, step, size, strict=True))
        value = value + weight * field[:, z, y, x]
    return value
