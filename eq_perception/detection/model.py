"""The shared equivariant BEV network and its detection heads.

Read top to bottom: pillars are lifted to regular fields, three stages of group convolutions look
at larger and larger surroundings, a top-down neck brings them back to stride 2, and each head is
the linear map to the representation of what it predicts. Built with group C1 the very same code
is the plain twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.nn.block import GroupBlock
from eq_core.nn.block import upsample
from eq_core.nn.convolution import HeadConv2d
from eq_core.nn.normalization import GroupBatchNorm2d
from eq_core.nn.points import PointLifting
from eq_core.runtime.manifest import Manifest
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.config import POINT_SCALARS

HEATMAP_PRIOR = -4.  # logit of the initial score: almost every cell is empty

# Field -> (representation, multiplicity; 0 stands for the number of classes).
HEADS: Mapping[str, tuple[str, int]] = {
    'heatmap': ('trivial', 0), 'height': ('trivial', 1), 'log_size': ('trivial', 3),
    'offset': ('frequency_1', 1), 'velocity': ('frequency_1', 1), 'heading': ('frequency_1', 1),
    'axis': ('frequency_2', 1), 'log_variance': ('trivial', 1), 'deviator': ('frequency_2', 1),
}


class PillarEncoder(nn.Module):
    """Points of a pillar to one regular feature: lift, maximum over the points, normalise.

    Law: group G; points as `PointLifting` -> `fields` regular per cell.
    """

    def __init__(self, group: PlanarGroup, fields: int) -> None:
        """Builds the encoder."""
        super().__init__()
        self.lifting = PointLifting(group, POINT_SCALARS, 2, fields)
        self.norm = GroupBatchNorm2d(group, fields)

    def forward(self, points: Tensor) -> Tensor:
        """Maps (P, K, 8) to (P, fields * order)."""
        lifted = self.lifting(points)
        # Equal maxima are copies of one point, since pillars repeat theirs: the gradient may go to
        # any of them, and to one alone makes a training step a fifth faster.
        largest = lifted.max(1).values if self.training else lifted.amax(1)
        return nn.functional.relu(self.norm(largest[:, :, None, None]).flatten(1))


class BevDetector(nn.Module):
    """Pillars to fields of object evidence.

    Law: group G; points and cells turn with the scene; outputs `heatmap`, `height`, `log_size`,
    `log_variance` are invariant, `offset`, `velocity`, `heading` frequency-1 and `axis`,
    `deviator` frequency-2 fields. Exact for C1, C2, C4 (and their D_N) on the even grid. On the
    polar grid rolling the pillars' rows by multiples of 8, the total stride, rolls all fields.
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.config = config
        group = PlanarGroup.from_name(config.group)
        circular = config.pillar_grid.circular
        pillar, first, second, third, neck = config.channels
        self.encoder = PillarEncoder(group, pillar)
        self.stages = nn.ModuleList([
            _stage(group, pillar, first, config.depth[0], circular),
            _stage(group, first, second, config.depth[1], circular),
            _stage(group, second, third, config.depth[2], circular)])
        self.laterals = nn.ModuleList(
            [GroupBlock(group, fields, neck, 1) for fields in (first, second, third)])
        self.shared = GroupBlock(group, neck, neck, 3, circular=circular)
        self.heads = nn.ModuleDict({
            name: HeadConv2d(neck, Representation(group, representation),
                             multiplicity or len(config.class_names))
            for name, (representation, multiplicity) in HEADS.items()})
        nn.init.constant_(self.heads['heatmap'].bias, HEATMAP_PRIOR)

    def forward(self, pillar_points: Tensor, pillar_index: Tensor) -> dict[str, Tensor]:
        """Predicts all fields.

        Args:
            pillar_points: (P, K, 8) float32, the pillars of all samples, see `pillarize`.
            pillar_index: (B, H * W) or (H * W,) int64, row of each cell's pillar, P if empty.

        Returns:
            Field name -> (B, channels, H / 2, W / 2).
        """
        return self.predict(self.features(self.encoder(pillar_points), pillar_index))

    def features(self, pillars: Tensor, pillar_index: Tensor) -> Tensor:
        """Computes what all heads share.

        Args:
            pillars: (P, channels) regular features of the pillars, from `encoder`.
            pillar_index: As in `forward`.

        Returns:
            (B, channels, H / 2, W / 2), a regular field.
        """
        canvas = self._canvas(pillars, pillar_index)
        first = self.stages[0](canvas)
        second = self.stages[1](first)
        third = self.stages[2](second)
        feature = self.laterals[2](third)
        feature = self.laterals[1](second) + upsample(feature)
        feature = self.laterals[0](first) + upsample(feature)
        return self.shared(feature)

    def predict(self, feature: Tensor) -> dict[str, Tensor]:
        """Applies the detection heads to the shared feature."""
        return {name: head(feature) for name, head in self.heads.items()}

    def _canvas(self, pillars: Tensor, pillar_index: Tensor) -> Tensor:
        """Lays pillars (P, C) out on the grid, (B, C, H, W); a gather, which engines all have."""
        size, channels = self.config.grid_size, pillars.shape[1]
        rows = torch.cat([pillars, pillars.new_zeros(1, channels)])
        canvas = rows.index_select(0, pillar_index.reshape(-1)).reshape(-1, size, size, channels)
        return canvas.permute(0, 3, 1, 2)


def _stage(group: PlanarGroup, in_fields: int, out_fields: int, depth: int,
           circular: bool) -> nn.Sequential:
    """Halves the resolution with an even kernel, then looks around with 3x3 kernels."""
    return nn.Sequential(GroupBlock(group, in_fields, out_fields, 2, 2, circular),
                         *[GroupBlock(group, out_fields, out_fields, circular=circular)
                           for _ in range(depth)])


def plain_twin(config: DetectorConfig) -> DetectorConfig:
    """The ordinary network of equal dense widths, hence equal operations at run time."""
    order = PlanarGroup.from_name(config.group).order
    pillar, first, second, third, neck = (order * width for width in config.channels)
    return replace(config, group='C1', channels=(pillar, first, second, third, neck))


def build_from_manifest(manifest: Manifest) -> BevDetector:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    return BevDetector(DetectorConfig.from_dict(manifest.config))
