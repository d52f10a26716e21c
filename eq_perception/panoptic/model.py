"""Detection and panoptic heads on one shared equivariant BEV network.

Panoptic segmentation as in EQ-4D (Zhu et al., ICCV 2023): invariant scalar fields (semantics,
centerness) and an equivariant vector field (offset to the instance's centre). Here the fields live
in bird's-eye view, so that one pass serves both tasks, and semantics are read off at each point.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.nn.block import GroupBlock
from eq_core.nn.convolution import HeadConv2d
from eq_core.runtime.manifest import Manifest
from eq_perception.detection.model import BevDetector
from eq_perception.detection.model import HEADS
from eq_perception.detection.model import plain_twin as plain_detector
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.columns import COLUMN_FEATURES
from eq_perception.panoptic.config import POINT_FEATURES
from eq_perception.panoptic.config import SegmenterConfig

CENTERNESS_PRIOR = -4.   # logit: almost no cell is a centre
# A pillar's centre lies a quarter cell off the centre of its output cell, both ways.
BILINEAR = (9 / 16, 3 / 16, 3 / 16, 1 / 16)
# Field -> representation; `semantics` beside them is invariant, per point.
PANOPTIC_HEADS = {'centerness': 'trivial', 'instance_offset': 'frequency_1'}
OUTPUTS = (*HEADS, *PANOPTIC_HEADS, 'semantics')
INPUTS = ('pillar_points', 'pillar_index', 'pillar_cells', 'pillar_columns', 'point_features',
          'point_row')


class PointClassifier(nn.Module):
    """A small network for each pillar, and one for each point in it.

    Law: invariant in, invariant out.
    """

    def __init__(self, pillar_width: int, width: int) -> None:
        """Builds the layers.

        Args:
            pillar_width: Of the network that pillars pass.
            width: Of what comes in of a pillar, and of the network that points pass.
        """
        super().__init__()
        # Heights are metres, numbers of points logarithms, roughness a few millimetres.
        self.column_norm = nn.BatchNorm1d(COLUMN_FEATURES)
        self.point_norm = nn.BatchNorm1d(POINT_FEATURES)
        self.join = nn.Linear(width + COLUMN_FEATURES, pillar_width)
        self.reduce = nn.Linear(pillar_width, width)
        self.elsewhere = nn.Parameter(torch.zeros(1, width))    # for points of no pillar
        self.lift = nn.Linear(POINT_FEATURES, width)
        self.mix = nn.Linear(width, width)
        self.classify = nn.Linear(width, len(CLASS_NAMES))

    def forward(self, pillars: Tensor, columns: Tensor, points: Tensor, row: Tensor) -> Tensor:
        """Classifies points.

        Args:
            pillars: (P, width) invariant features.
            columns: (P, 40), see `columns.Columns`.
            points: (N, 11), see `preprocess.PointRows`.
            row: (N,) int64, pillar of each point, P for none.

        Returns:
            (N, 20) log-probabilities by train id.
        """
        joined = torch.cat([pillars, self.column_norm(columns)], 1)
        pillars = torch.cat([self.reduce(nn.functional.relu(self.join(joined))), self.elsewhere])
        # relu(pillar + lift) is a first layer over the concatenation of both, without building it.
        hidden = nn.functional.relu(pillars.index_select(0, row)
                                    + self.lift(self.point_norm(points)))
        logits = self.classify(nn.functional.relu(self.mix(hidden)))
        return nn.functional.log_softmax(logits, -1)


class BevSegmenter(nn.Module):
    """Pillars and points to detection fields, panoptic fields and point classes.

    Law: group G; beside the fields of `BevDetector`, `centerness` is an invariant and
    `instance_offset` a frequency-1 field at stride 2, `semantics` is invariant per point. Exact
    for C1, C2, C4 on the even grid: bilinear weights are symmetric.
    """

    bilinear: Tensor

    def __init__(self, config: SegmenterConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.config = config
        group = PlanarGroup.from_name(config.detector.group)
        pillar, neck = config.detector.channels[0], config.detector.channels[-1]
        trivial = Representation(group, 'trivial')
        self.bev = BevDetector(config.detector)
        self.fields = nn.ModuleDict({name: HeadConv2d(neck, Representation(group, representation))
                                     for name, representation in PANOPTIC_HEADS.items()})
        self.wide = nn.Sequential(GroupBlock(group, neck, neck, 1),
                                  HeadConv2d(neck, trivial, config.point_channels))
        self.fine = nn.Sequential(GroupBlock(group, pillar, config.pillar_channels, 1),
                                  HeadConv2d(config.pillar_channels, trivial,
                                             config.point_channels))
        self.classifier = PointClassifier(config.column_channels, config.point_channels)
        # The weighted sum of four rows as one matrix product, which engines are best at.
        self.register_buffer('bilinear', torch.kron(
            torch.tensor([BILINEAR]), torch.eye(config.point_channels)), persistent=False)
        nn.init.constant_(self.fields['centerness'].bias, CENTERNESS_PRIOR)

    def forward(self, pillar_points: Tensor, pillar_index: Tensor, pillar_cells: Tensor,
                pillar_columns: Tensor, point_features: Tensor, point_row: Tensor
                ) -> dict[str, Tensor]:
        """Predicts all fields and the classes of all points.

        Args:
            pillar_points: (P, K, 8) float32, the pillars of all samples, see `pillarize`.
            pillar_index: (B, H * W) or (H * W,) int64.
            pillar_cells: (P, 4) int64, output cells around each pillar's centre, nearest first,
                sample * h * w + cell.
            pillar_columns: (P, 40) float32, what stands in the pillars' columns.
            point_features: (N, 11) float32, the points of all samples.
            point_row: (N,) int64, pillar of each point, P for none.

        Returns:
            Field name -> (B, channels, h, w), and ``'semantics'`` -> (N, 20) log-probabilities.
        """
        pillars = self.bev.encoder(pillar_points)
        feature = self.bev.features(pillars, pillar_index)
        answer = self.bev.predict(feature)
        answer.update({name: head(feature) for name, head in self.fields.items()})
        rows = self._around(self.wide(feature), pillar_cells)
        rows = rows + self.fine(pillars[:, :, None, None]).flatten(1)
        answer['semantics'] = self.classifier(rows, pillar_columns, point_features, point_row)
        return answer

    def _around(self, field: Tensor, cells: Tensor) -> Tensor:
        """Samples a field (B, C, h, w) bilinearly at the pillars' centres: (P, C)."""
        channels = self.config.point_channels
        flat = field.permute(0, 2, 3, 1).reshape(-1, channels)
        corners = flat.index_select(0, cells.reshape(-1)).reshape(-1, 4 * channels)
        return nn.functional.linear(corners, self.bilinear)


def plain_twin(config: SegmenterConfig) -> SegmenterConfig:
    """The ordinary network of equal dense widths, hence equal operations at run time."""
    order = PlanarGroup.from_name(config.detector.group).order
    return replace(config, detector=plain_detector(config.detector),
                   pillar_channels=order * config.pillar_channels)


def build_from_manifest(manifest: Manifest) -> BevSegmenter:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    return BevSegmenter(SegmenterConfig.from_dict(manifest.config))
