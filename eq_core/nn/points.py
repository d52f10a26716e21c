"""From points to the plane: the first equivariant layer of a pillar network."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import regular


class PointLifting(nn.Module):
    """Linear map of point features (scalars, then 2-vectors) to regular fields.

    ``x_g = W_s s + W_v (g^-1 v)``: every group element sees the point from its own side.

    Law: group G; input `scalar_features` trivial + `vector_features` frequency 1; output
    `out_fields` regular.
    """

    inverse_action: Tensor

    def __init__(self, group: PlanarGroup, scalar_features: int, vector_features: int,
                 out_fields: int) -> None:
        """Builds the layer."""
        super().__init__()
        self.group, self.out_type = group, regular(group, out_fields)
        inverse = group.matrices[group.inverse]
        self.register_buffer('inverse_action', torch.as_tensor(
            inverse, dtype=torch.get_default_dtype()), persistent=False)
        inputs = scalar_features + 2 * vector_features
        self.scalar_weight = nn.Parameter(
            torch.randn(out_fields, scalar_features) / math.sqrt(inputs))
        self.vector_weight = nn.Parameter(
            torch.randn(out_fields, vector_features, 2) / math.sqrt(inputs))

    def weight(self) -> Tensor:
        """Dense matrix (out_type.channels, scalar_features + 2 vector_features)."""
        order = self.group.order
        turned = torch.einsum('ovd,gde->ogve', self.vector_weight, self.inverse_action)
        scalar = self.scalar_weight[:, None].expand(-1, order, -1)
        return torch.cat([scalar, turned.flatten(2)], -1).flatten(0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Maps (..., scalars + 2 vectors) to (..., out_type.channels)."""
        return nn.functional.linear(features, self.weight())

    @torch.no_grad()
    def export(self) -> nn.Linear:
        """Returns the same map as a plain linear layer."""
        weight = self.weight()
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias=False).to(weight)
        plain.weight.copy_(weight)
        return plain

    def extra_repr(self) -> str:
        """Returns the law."""
        return (f'{self.scalar_weight.shape[1]} scalars + {self.vector_weight.shape[1]} vectors '
                f'-> {self.out_type}')
