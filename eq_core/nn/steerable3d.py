"""Steerable 3-D convolutions: fields of scalars, vectors and degree-2 harmonics.

Weiler et al., 3D Steerable CNNs, NeurIPS 2018. A field of degree l turns with the Wigner matrix
D^l of `eq_core.groups.wigner`. A kernel from degree l to degree k is a sum over shells of equal
distance r from its centre and over degrees J of

    K(x)_mn = [|x| = r] sum_j Q^J_mnj Y^J_j(x / |x|)                                        (1)

with Q the intertwiner of l x J -> k. Turns of the cube carry shells and grid onto themselves, so
that the law is exact for all 24; between them it holds as far as the grid resolves the harmonics,
for which J stays at most 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
import torch
from torch import nn
from torch import Tensor

from eq_core.errors import ConfigError
from eq_core.groups.wigner import spherical_harmonics
from eq_core.groups.wigner import wigner_generators

LARGEST_DEGREE = 2
EPSILON = 1e-5
MOMENTUM = .1

Double = NDArray[np.float64]


@dataclass(frozen=True)
class Fields:
    """How many fields of each degree; channels run over degrees, fields, components.

    Attributes:
        counts: Of degrees 0, 1 and 2.

    Example:
        >>> Fields((8, 4, 2)).channels
        30
    """

    counts: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Checks the counts.

        Raises:
            ConfigError: One is negative, or there are not three.
        """
        if len(self.counts) != LARGEST_DEGREE + 1 or min(self.counts) < 0:
            raise ConfigError(f'counts must be three, none negative, got {self.counts}')

    @property
    def channels(self) -> int:
        """Channels of a tensor that holds them."""
        return sum(count * (2 * degree + 1) for degree, count in enumerate(self.counts))

    @property
    def field_of(self) -> NDArray[np.int64]:
        """(channels,) number of the field of each channel."""
        sizes = [2 * degree + 1 for degree, count in enumerate(self.counts) for _ in range(count)]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def gated(self) -> Fields:
        """These with one more scalar for every field that is none."""
        scalars, vectors, tensors = self.counts
        return Fields((scalars + vectors + tensors, vectors, tensors))


@lru_cache
def intertwiner(degree_in: int, degree: int, degree_out: int) -> Double:
    """The only way to make degree k of degrees l and J, up to a factor.

    Returns:
        (2 k + 1, 2 l + 1, 2 J + 1) float64 of unit norm: what all generators map to zero. The last
        of its largest entries is positive.
    """
    sizes = [2 * each + 1 for each in (degree_out, degree_in, degree)]
    turns = [wigner_generators(each)[-1] for each in (degree_out, degree_in, degree)]
    eye = [np.eye(size) for size in sizes]
    rows = [np.kron(np.kron(turns[0][axis], eye[1]), eye[2])
            + np.kron(np.kron(eye[0], turns[1][axis]), eye[2])
            + np.kron(np.kron(eye[0], eye[1]), turns[2][axis]) for axis in range(3)]
    found = null_space(np.concatenate(rows), rcond=1e-9)
    if found.shape[1] != 1:
        raise ConfigError(f'degrees {degree_in}, {degree}, {degree_out} have '
                          f'{found.shape[1]} intertwiners')
    # Several entries are equally large. Which one rounding makes the largest depends on the
    # machine, and weights that were trained on another one would be worth nothing.
    size = np.abs(found[:, 0])
    last = np.flatnonzero(size > size.max() - 1e-6)[-1]
    return np.asarray((found[:, 0] * np.sign(found[last, 0])).reshape(sizes))


@lru_cache
def kernel_basis(degree_in: int, degree_out: int, size: int) -> Double:
    """Kernels of equation (1).

    Args:
        degree_in: l.
        degree_out: k.
        size: Edge of the kernel [cells].

    Returns:
        (B, 2 k + 1, 2 l + 1, size, size, size) float64, indexed [.., iz, iy, ix]; the squares of
        each kernel sum to 2 k + 1.
    """
    axis = np.arange(size) - (size - 1) / 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing='ij')
    offset = np.stack([x, y, z], -1)
    radius = np.linalg.norm(offset, axis=-1)
    direction = offset / np.maximum(radius, 1e-9)[..., None]
    harmonics = spherical_harmonics(direction, LARGEST_DEGREE)
    kernels = []
    for shell in np.unique(radius.round(6)):
        for degree in range(abs(degree_in - degree_out),
                            min(degree_in + degree_out, LARGEST_DEGREE) + 1):
            if shell == 0 and degree > 0:
                continue
            kernel = np.einsum('mnj,zyxj->mnzyx', intertwiner(degree_in, degree, degree_out),
                               np.where((np.abs(radius - shell) < 1e-5)[..., None],
                                        harmonics[degree], 0))
            norm = np.linalg.norm(kernel)
            if norm > 1e-6:
                kernels.append(kernel * math.sqrt(2 * degree_out + 1) / norm)
    return np.stack(kernels) if kernels else np.zeros((0, 2 * degree_out + 1, 2 * degree_in + 1,
                                                       size, size, size))


def _every_cell(size: int) -> Double:
    """Kernels between scalars that keep no law, one for each cell; shaped as `kernel_basis`."""
    return np.eye(size ** 3).reshape(-1, 1, 1, size, size, size)


class SteerableConv3d(nn.Module):
    """Convolution between fields.

    Law: the 24 turns of the cube; `fields_in` -> `fields_out`. Strides need even sizes.
    """

    def __init__(self, fields_in: Fields, fields_out: Fields, size: int = 3, stride: int = 1,
                 bias: bool = False, steerable: bool = True) -> None:
        """Draws the weights.

        Args:
            fields_in: Of the input.
            fields_out: Of the output.
            size: Edge of the kernel, odd for stride 1 and else even [cells].
            stride: 1 or 2.
            bias: Whether scalars get one.
            steerable: Whether the law holds; else this is an ordinary convolution of scalars.

        Raises:
            ConfigError: The size does not fit the stride, or an ordinary one has other fields.
        """
        super().__init__()
        if not steerable and any(fields_in.counts[1:] + fields_out.counts[1:]):
            raise ConfigError(f'an ordinary convolution has scalars only, got {fields_in.counts} '
                              f'and {fields_out.counts}')
        if stride not in (1, 2) or (size - stride) % 2:
            raise ConfigError(f'a kernel of stride {stride} must not have size {size}')
        self.fields_in, self.fields_out = fields_in, fields_out
        self.size, self.stride = size, stride
        self.weights = nn.ParameterDict()
        paths = [(low, high) for low, below in enumerate(fields_in.counts) if below
                 for high, above in enumerate(fields_out.counts) if above]
        bases = {path: kernel_basis(*path, size) if steerable else _every_cell(size)
                 for path in paths}
        fan = [sum(fields_in.counts[low] * len(bases[low, high])
                   for low, other in paths if other == high) for high in range(3)]
        for low, high in paths:
            basis = torch.from_numpy(bases[low, high]).float()
            self.register_buffer(f'basis_{low}{high}', basis, persistent=False)
            self.weights[f'{low}{high}'] = nn.Parameter(
                torch.randn(fields_out.counts[high], fields_in.counts[low], len(basis))
                / math.sqrt(max(fan[high], 1)))
        self.bias = nn.Parameter(torch.zeros(fields_out.counts[0])) if bias else None

    def kernel(self) -> Tensor:
        """(channels out, channels in, size, size, size), as an ordinary convolution has it."""
        rows = []
        for high, above in enumerate(self.fields_out.counts):
            parts = []
            for low, below in enumerate(self.fields_in.counts):
                if above and below:
                    basis = getattr(self, f'basis_{low}{high}').to(self.weights[f'{low}{high}'])
                    part = torch.tensordot(self.weights[f'{low}{high}'], basis, 1)
                    parts.append(part.transpose(1, 2).reshape(
                        above * (2 * high + 1), below * (2 * low + 1), *basis.shape[-3:]))
            if parts:
                rows.append(torch.cat(parts, 1))
        return torch.cat(rows)

    def full_bias(self) -> Tensor | None:
        """(channels out,), zero for all but scalars."""
        if self.bias is None:
            return None
        return nn.functional.pad(self.bias, (0, self.fields_out.channels - len(self.bias)))

    def forward(self, field: Tensor) -> Tensor:
        """Maps (B, channels in, D, H, W) to (B, channels out, D / stride, ...)."""
        return nn.functional.conv3d(field, self.kernel(), self.full_bias(), self.stride,
                                    (self.size - self.stride + 1) // 2)

    def export(self) -> nn.Conv3d:
        """Returns the ordinary convolution that it is."""
        kernel, bias = self.kernel().detach(), self.full_bias()
        plain = nn.Conv3d(kernel.shape[1], kernel.shape[0], self.size, self.stride,
                          (self.size - self.stride + 1) // 2, bias=True)
        plain.weight.data = kernel
        plain.bias.data = torch.zeros(len(kernel)).to(kernel) if bias is None else bias.detach()
        return plain


class SteerableBatchNorm3d(nn.Module):
    """Batch normalisation: scalars by mean and variance, other fields by their mean square."""

    def __init__(self, fields: Fields) -> None:
        """Starts at the identity."""
        super().__init__()
        self.fields = fields
        count, scalars = sum(fields.counts), fields.counts[0]
        self.weight = nn.Parameter(torch.ones(count))
        self.bias = nn.Parameter(torch.zeros(scalars))
        self.register_buffer('mean', torch.zeros(scalars))
        self.register_buffer('square', torch.ones(count))
        index = torch.from_numpy(fields.field_of)
        self.register_buffer('index', index, persistent=False)
        self.register_buffer('share', 1 / torch.bincount(index).float(), persistent=False)

    def factors(self, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
        """(channels,) factors and summands of the affine map."""
        factor = self.weight / torch.sqrt(square + EPSILON)
        scalars = len(mean)
        shift = self.bias - mean * factor[:scalars]
        return factor[self.index], nn.functional.pad(shift, (0, len(self.index) - scalars))

    def forward(self, field: Tensor) -> Tensor:
        """Maps (B, channels, D, H, W) to the same."""
        mean, square = self.mean, self.square
        if self.training:
            scalars = len(self.mean)
            mean = field[:, :scalars].mean((0, 2, 3, 4))
            by_channel = (field ** 2).mean((0, 2, 3, 4))
            summed = torch.zeros_like(self.square).index_add(0, self.index, by_channel)
            square = summed * self.share
            square = torch.cat([square[:scalars] - mean ** 2, square[scalars:]]).clamp(min=0)
            with torch.no_grad():
                self.mean.lerp_(mean, MOMENTUM)
                self.square.lerp_(square, MOMENTUM)
        factor, shift = self.factors(mean, square)
        return field * factor[:, None, None, None] + shift[:, None, None, None]


class Gate(nn.Module):
    """ReLU of scalars; other fields times the sigmoid of a scalar of their own.

    Law: `fields.gated` -> `fields`.
    """

    def __init__(self, fields: Fields) -> None:
        """Remembers where the gates lie."""
        super().__init__()
        self.scalars = fields.counts[0]
        self.gates = sum(fields.counts[1:])
        self.register_buffer('index', torch.from_numpy(
            fields.field_of[self.scalars:] - self.scalars), persistent=False)

    def forward(self, field: Tensor) -> Tensor:
        """Maps (B, gated channels, D, H, W) to (B, channels, D, H, W)."""
        scalars = nn.functional.relu(field[:, :self.scalars])
        if not self.gates:
            return scalars
        gate = torch.sigmoid(field[:, self.scalars:self.scalars + self.gates])
        return torch.cat([scalars, field[:, self.scalars + self.gates:] * gate[:, self.index]], 1)


class SteerableBlock(nn.Module):
    """Convolution, normalisation, gate.

    Law: the 24 turns of the cube; `fields_in` -> `fields_out`.
    """

    def __init__(self, fields_in: Fields, fields_out: Fields, size: int = 3, stride: int = 1,
                 steerable: bool = True) -> None:
        """Builds the block."""
        super().__init__()
        self.convolution = SteerableConv3d(fields_in, fields_out.gated, size, stride,
                                           steerable=steerable)
        self.norm, self.gate = SteerableBatchNorm3d(fields_out.gated), Gate(fields_out)

    def forward(self, field: Tensor) -> Tensor:
        """Maps (B, channels in, D, H, W) to (B, channels out, D / stride, ...)."""
        return self.gate(self.norm(self.convolution(field)))

    def export(self) -> nn.Sequential:
        """Returns one plain convolution, normalisation folded in, and the gate."""
        plain = self.convolution.export()
        factor, shift = self.norm.factors(self.norm.mean, self.norm.square)
        plain.weight.data *= factor.detach()[:, None, None, None, None]
        plain.bias.data = plain.bias.data * factor.detach() + shift.detach()
        return nn.Sequential(plain, self.gate)


def upsample(field: Tensor) -> Tensor:
    """Doubles the resolution by nearest neighbour, which commutes with turns of the cube."""
    return nn.functional.interpolate(field, scale_factor=2., mode='nearest')
