"""The repeated unit of every network here: convolution, normalisation, ReLU."""

from __future__ import annotations

from torch import nn
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from eq_core.groups.group import PlanarGroup
from eq_core.nn.convolution import GroupConv2d
from eq_core.nn.normalization import GroupBatchNorm2d


class GroupBlock(nn.Module):
    """Group convolution, shared batch normalisation, ReLU.

    Law: group G; `in_fields` regular -> `out_fields` regular. `circular` rows as in `GroupConv2d`.
    """

    def __init__(self, group: PlanarGroup, in_fields: int, out_fields: int, kernel_size: int = 3,
                 stride: int = 1, circular: bool = False) -> None:
        """Builds the block."""
        super().__init__()
        self.convolution = GroupConv2d(group, in_fields, out_fields, kernel_size, stride,
                                       circular=circular)
        self.norm = GroupBatchNorm2d(group, out_fields)
        self.in_type, self.out_type = self.convolution.in_type, self.norm.out_type

    def forward(self, field: Tensor) -> Tensor:
        """Maps (B, in_type.channels, H, W) to (B, out_type.channels, H / stride, W / stride)."""
        return nn.functional.relu(self.norm(self.convolution(field)))

    def export(self) -> nn.Sequential:
        """Returns one plain convolution (normalisation folded in) and ReLU; call in eval mode."""
        folded = fuse_conv_bn_eval(self.convolution.export().eval(), self.norm.export().eval())
        return nn.Sequential(folded, nn.ReLU())


def upsample(field: Tensor) -> Tensor:
    """Doubles the resolution by nearest neighbour, which commutes with the grid's symmetries."""
    return nn.functional.interpolate(field, scale_factor=2., mode='nearest')
