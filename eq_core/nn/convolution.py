"""Group convolutions: plain convolutions whose kernels are tied so that the group acts.

Law of every layer here: turning the input by g (moving its cells and acting on its channels by the
input representation) turns the output by g in the output representation. Exact for groups that map
the grid onto itself, with stride 1 or with even kernels of stride 2 on even grids; a 3x3 kernel of
stride 2 breaks it by tens of per cent and is refused.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch import Tensor

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import FieldType
from eq_core.groups.representation import regular
from eq_core.groups.representation import Representation
from eq_core.groups.representation import scalars
from eq_core.nn.kernels import kernel_basis


def wrap_rows(field: Tensor, count: int) -> Tensor:
    """Closes the rows of (..., H, W) to a circle: repeats `count` of them beyond either end.

    Slices and a concatenation, because engines differ in what modes of padding they know.
    """
    if not count:
        return field
    return torch.cat([field[..., -count:, :], field, field[..., :count, :]], -2)


class _WrappedConv2d(nn.Conv2d):
    """A plain convolution, after `wrap_rows`."""

    wrap = 0

    def forward(self, field: Tensor) -> Tensor:
        return super().forward(wrap_rows(field, self.wrap))


class _TiedConv2d(nn.Module):
    """What all convolutions share: expand the tied weights, convolve, export a plain layer."""

    in_type: FieldType
    out_type: FieldType

    def __init__(self, kernel_size: int, stride: int, bias: bool, circular: bool = False) -> None:
        super().__init__()
        if stride > 1 and kernel_size % 2:
            raise ConfigError(f'stride {stride} with the odd kernel {kernel_size} is not '
                              'equivariant; use an even kernel')
        self.kernel_size, self.stride = kernel_size, stride
        padding = (kernel_size - stride) // 2 if stride > 1 else (kernel_size - 1) // 2
        self.wrap = padding if circular else 0
        self.padding = (padding - self.wrap, padding)
        self.use_bias = bias

    def weight(self) -> Tensor:
        """Dense kernel (out channels, in channels, k, k)."""
        raise NotImplementedError

    def dense_bias(self) -> Tensor | None:
        """Bias per dense output channel, or None."""
        raise NotImplementedError

    def forward(self, field: Tensor) -> Tensor:
        """Convolves.

        Args:
            field: (B, in_type.channels, H, W).

        Returns:
            (B, out_type.channels, H / stride, W / stride).
        """
        return nn.functional.conv2d(
            wrap_rows(field, self.wrap), self.weight(), self.dense_bias(), self.stride,
            self.padding)

    @torch.no_grad()
    def export(self) -> nn.Conv2d:
        """Returns the same map as a plain convolution."""
        weight, bias = self.weight(), self.dense_bias()
        plain = _WrappedConv2d(weight.shape[1], weight.shape[0], self.kernel_size, self.stride,
                               self.padding, bias=bias is not None).to(weight)
        plain.wrap = self.wrap
        plain.weight.copy_(weight)
        if bias is not None and plain.bias is not None:
            plain.bias.copy_(bias)
        return plain

    def extra_repr(self) -> str:
        """Returns the law: input type -> output type."""
        learned = sum(parameter.numel() for parameter in self.parameters())
        return (f'{self.in_type} -> {self.out_type} | kernel {self.kernel_size}, '
                f'stride {self.stride}, {learned} weights')


class LiftingConv2d(_TiedConv2d):
    """Convolution from invariant fields to regular fields (Cohen and Welling 2016, eq. 10).

    Law: group G; input `in_fields` trivial; output `out_fields` regular.
    """

    basis: Tensor

    def __init__(self, group: PlanarGroup, in_fields: int, out_fields: int, kernel_size: int = 3,
                 stride: int = 1, bias: bool = False) -> None:
        """Builds the layer with He-initialised weights."""
        super().__init__(kernel_size, stride, bias)
        self.in_type, self.out_type = scalars(group, in_fields), regular(group, out_fields)
        basis = kernel_basis(group, kernel_size)
        self.register_buffer('basis', torch.as_tensor(basis, dtype=torch.get_default_dtype()),
                             persistent=False)
        scale = math.sqrt(2 / (in_fields * len(basis)))
        self.coefficients = nn.Parameter(torch.randn(out_fields, in_fields, len(basis)) * scale)
        self.bias = nn.Parameter(torch.zeros(out_fields)) if bias else None

    def weight(self) -> Tensor:
        """W[o, g, i] = sum_b w[o, i, b] psi_b(g^-1 x)."""
        dense = torch.einsum('oib,bgyx->ogiyx', self.coefficients, self.basis)
        return dense.flatten(0, 1)

    def dense_bias(self) -> Tensor | None:
        """One bias per regular field."""
        order = self.out_type.group.order
        return None if self.bias is None else self.bias.repeat_interleave(order)


class GroupConv2d(_TiedConv2d):
    """Convolution between regular fields (Cohen and Welling 2016, eq. 11).

    Law: group G; input `in_fields` regular; output `out_fields` regular. For the trivial group it
    is `torch.nn.Conv2d`. With `circular` rows (azimuth on a polar grid) the law is another one:
    rolling the rows by a multiple of the stride rolls the answer, and no other group may be asked.
    """

    basis: Tensor
    relative: Tensor

    def __init__(self, group: PlanarGroup, in_fields: int, out_fields: int, kernel_size: int = 3,
                 stride: int = 1, bias: bool = False, circular: bool = False) -> None:
        """Builds the layer with He-initialised weights."""
        super().__init__(kernel_size, stride, bias, circular)
        if circular and group.order > 1:
            raise ConfigError(f'circular rows need the trivial group, got {group}')
        self.in_type, self.out_type = regular(group, in_fields), regular(group, out_fields)
        basis = kernel_basis(group, kernel_size)
        self.register_buffer('basis', torch.as_tensor(basis, dtype=torch.get_default_dtype()),
                             persistent=False)
        self.register_buffer('relative', torch.as_tensor(group.compose[group.inverse]),
                             persistent=False)  # [g, h] -> g^-1 h
        scale = math.sqrt(2 / (in_fields * group.order * len(basis)))
        self.coefficients = nn.Parameter(
            torch.randn(out_fields, in_fields, group.order, len(basis)) * scale)
        self.bias = nn.Parameter(torch.zeros(out_fields)) if bias else None

    def weight(self) -> Tensor:
        """W[o, g, i, h] = sum_b w[o, i, g^-1 h, b] psi_b(g^-1 x)."""
        tied = self.coefficients[:, :, self.relative]
        dense = torch.einsum('oighb,bgyx->ogihyx', tied, self.basis)
        return dense.flatten(0, 1).flatten(1, 2)

    def dense_bias(self) -> Tensor | None:
        """One bias per regular field."""
        order = self.out_type.group.order
        return None if self.bias is None else self.bias.repeat_interleave(order)


class HeadConv2d(_TiedConv2d):
    """Pointwise linear map from regular fields to any representation rho.

    ``v = 1/|G| sum_g rho(g) A x_g``, the general solution of the linear constraint. With rho
    trivial it is an invariant head, with frequency 1 a vector field (offset, velocity), with
    frequency 2 an axis.

    Law: group G; input `in_fields` regular; output `multiplicity` x rho.
    """

    action: Tensor

    def __init__(self, in_fields: int, representation: Representation, multiplicity: int = 1
                 ) -> None:
        """Builds the layer; only invariant outputs have a bias: no constant vector turns."""
        invariant = representation.name == 'trivial'
        super().__init__(1, 1, invariant)
        group = representation.group
        self.in_type = regular(group, in_fields)
        self.out_type = FieldType(representation, multiplicity)
        action = representation.matrices / np.sqrt(group.order)
        self.register_buffer('action', torch.as_tensor(action, dtype=torch.get_default_dtype()),
                             persistent=False)
        self.coefficients = nn.Parameter(
            torch.randn(multiplicity, representation.dim, in_fields) / math.sqrt(in_fields))
        # On the trivial group nothing turns, and the twin's vector heads may have their bias too.
        self.bias = (nn.Parameter(torch.zeros(multiplicity * representation.dim))
                     if invariant or group.order == 1 else None)

    def weight(self) -> Tensor:
        """W[m, d, i, g] = sum_e rho(g)[d, e] A[m, e, i] / sqrt(|G|)."""
        dense = torch.einsum('gde,mei->mdig', self.action, self.coefficients)
        return dense.flatten(0, 1).flatten(1, 2)[:, :, None, None]

    def dense_bias(self) -> Tensor | None:
        """Bias of invariant outputs."""
        return self.bias
