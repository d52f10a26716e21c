"""Linear maps of single feature vectors, such as those of the nodes of a graph."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch import Tensor

from eq_core.errors import ConfigError
from eq_core.groups.representation import FieldType


class GroupLinear(nn.Module):
    """All linear maps that commute with a group, from or to regular fields.

    To regular fields every element looks at the input from its own side, ``x_g = w rho(g)^-1 v``;
    between regular fields that is the group convolution ``sum_h w[g^-1 h] v_h`` (Cohen and
    Welling 2016, eq. 11). From regular fields to others the answers of all elements are turned
    back and averaged, ``v = sum_g rho(g) A x_g / sqrt(|G|)``.

    Law: group G; `in_type` -> `out_type`, at least one of them regular. On the trivial group it
    is `torch.nn.Linear`.
    """

    action: Tensor

    def __init__(self, in_type: FieldType, out_type: FieldType, bias: bool = True) -> None:
        """Builds the layer with weights that keep the variance.

        Args:
            in_type: What goes in.
            out_type: What comes out.
            bias: Whether to add what the group leaves as it is: a number for every regular or
                trivial field; on vectors there is none, except for the trivial group.

        Raises:
            ConfigError: Neither type is regular, or they belong to different groups.
        """
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        group, source, target = in_type.group, in_type.representation, out_type.representation
        if group != out_type.group or 'regular' not in (source.name, target.name):
            raise ConfigError('a linear map needs two types of one group, one of them regular, '
                              f'got {in_type} and {out_type}')
        if target.name == 'regular':
            action, width = source.matrices[group.inverse], source.dim
        else:
            action, width = target.matrices / math.sqrt(group.order), target.dim
        self.register_buffer('action', torch.as_tensor(
            action, dtype=torch.get_default_dtype()), persistent=False)
        fan_in = in_type.multiplicity * (width if target.name == 'regular' else 1)
        self.coefficients = nn.Parameter(torch.randn(
            out_type.multiplicity, in_type.multiplicity, width) / math.sqrt(fan_in))
        constants = out_type.channels if group.order == 1 else out_type.multiplicity
        constant = bias and (group.order == 1 or target.name in ('regular', 'trivial'))
        self.bias = nn.Parameter(torch.zeros(constants)) if constant else None

    def weight(self) -> Tensor:
        """Dense matrix (out_type.channels, in_type.channels)."""
        to_regular = self.out_type.representation.name == 'regular'
        form = 'oie,ged->ogid' if to_regular else 'oie,gde->odig'
        return torch.einsum(form, self.coefficients, self.action).flatten(2).flatten(0, 1)

    def dense_bias(self) -> Tensor | None:
        """Bias per dense output channel, or None."""
        if self.bias is None:
            return None
        return self.bias.repeat_interleave(self.out_type.channels // len(self.bias))

    def forward(self, features: Tensor) -> Tensor:
        """Maps (..., in_type.channels) to (..., out_type.channels)."""
        return nn.functional.linear(features, self.weight(), self.dense_bias())

    @torch.no_grad()
    def export(self) -> nn.Linear:
        """Returns the same map as a plain linear layer."""
        weight, bias = self.weight(), self.dense_bias()
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None).to(weight)
        plain.weight.copy_(weight)
        if bias is not None:
            plain.bias.copy_(bias)
        return plain

    def extra_repr(self) -> str:
        """Returns the law: input type -> output type."""
        return f'{self.in_type} -> {self.out_type}'


def dense(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a `GroupLinear`, or of the plain layer that it was exported as.

    For layers that are used many times in one pass, so that they are expanded once.
    """
    if isinstance(layer, GroupLinear):
        return layer.weight(), layer.dense_bias()
    return layer.weight, layer.bias
