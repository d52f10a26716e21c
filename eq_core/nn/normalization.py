"""Batch normalisation and pooling of regular fields."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import regular
from eq_core.groups.representation import scalars


class GroupBatchNorm2d(nn.Module):
    """Batch normalisation whose statistics and affine map are shared over the group.

    Law: group G; `fields` regular -> `fields` regular (a permutation commutes with it).
    """

    def __init__(self, group: PlanarGroup, fields: int) -> None:
        """Builds the layer with unit gain."""
        super().__init__()
        self.in_type = self.out_type = regular(group, fields)
        self.norm = nn.BatchNorm2d(fields)

    def forward(self, field: Tensor) -> Tensor:
        """Normalises (B, fields * order, H, W)."""
        batch, _, height, width = field.shape
        fields, order = self.in_type.multiplicity, self.in_type.group.order
        if order == 1:
            return self.norm(field)
        return self.norm(field.reshape(batch, fields, order * height, width)).reshape(field.shape)

    @torch.no_grad()
    def export(self) -> nn.BatchNorm2d:
        """Returns the same map as a plain batch normalisation over dense channels."""
        order = self.in_type.group.order
        plain = nn.BatchNorm2d(self.in_type.channels, eps=self.norm.eps).to(self.norm.weight)
        for name, value in self.norm.state_dict().items():
            target = getattr(plain, name)
            target.copy_(value.repeat_interleave(order) if value.ndim else value)
        return plain.train(self.training)


class GroupMaxPool(nn.Module):
    """Largest answer over the group.

    Law: group G; `fields` regular -> `fields` trivial.
    """

    def __init__(self, group: PlanarGroup, fields: int) -> None:
        """Builds the layer (no weights)."""
        super().__init__()
        self.in_type, self.out_type = regular(group, fields), scalars(group, fields)

    def forward(self, field: Tensor) -> Tensor:
        """Pools (B, fields * order, H, W) to (B, fields, H, W)."""
        batch, _, height, width = field.shape
        return field.reshape(batch, self.out_type.channels, self.in_type.group.order,
                             height, width).amax(2)
