"""The two networks of a planar policy: one looks at the scene, one at the crop around the pick.

Equivariant Transporter Network (Huang et al., RSS 2022) and Fourier Transporter (Huang et al.,
ICLR 2024): the pick is an invariant field over the scene; the place compares features of the
scene, phi, with turned features of the crop, psi. Both are invariant fields, so that turning the
scene turns phi and turning the crop turns psi, each on its own: the place is bi-equivariant.
"""

from __future__ import annotations

from dataclasses import replace
import math

from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.nn.block import GroupBlock
from eq_core.nn.block import upsample
from eq_core.nn.convolution import HeadConv2d
from eq_core.nn.convolution import LiftingConv2d
from eq_core.runtime.manifest import Manifest
from eq_manipulation.planar.config import CHANNELS
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.config import SCENE


class GroupUnet(nn.Module):
    """A U-net of group convolutions.

    Law: group G; 5 trivial -> `fields[0]` regular, at stride 2. Exact for C1, C2, C4 on edges
    that are multiples of 2 ** len(fields).
    """

    def __init__(self, config: PlanarConfig) -> None:
        """Builds the layers."""
        super().__init__()
        group, fields = PlanarGroup.from_name(config.group), config.fields
        self.lift = LiftingConv2d(group, CHANNELS, fields[0], 4, 2, bias=True)
        self.down = nn.ModuleList(
            GroupBlock(group, before, after, 2, 2)
            for before, after in zip(fields, fields[1:], strict=False))
        self.refine = nn.ModuleList(GroupBlock(group, count, count) for count in fields)
        self.lower = nn.ModuleList(
            GroupBlock(group, after, before, 1)
            for before, after in zip(fields, fields[1:], strict=False))
        self.join = nn.ModuleList(GroupBlock(group, count, count) for count in fields[:-1])

    def forward(self, picture: Tensor) -> Tensor:
        """Maps (B, 5, H, W) to (B, fields[0] * order, H / 2, W / 2)."""
        field = nn.functional.relu(self.lift(picture))
        skipped = [field + self.refine[0](field)]
        for down, refine in zip(self.down, list(self.refine)[1:], strict=True):
            field = down(skipped[-1])
            skipped.append(field + refine(field))
        field = skipped.pop()
        for lower, join in zip(reversed(self.lower), reversed(self.join), strict=True):
            field = skipped.pop() + upsample(lower(field))
            field = field + join(field)
        return field


class SceneNetwork(nn.Module):
    """Where to pick, and what places look like.

    Law: group G; 5 trivial -> 1 trivial (`pick`) and D trivial (`place_features`), at stride 2.
    """

    def __init__(self, config: PlanarConfig) -> None:
        """Builds the layers."""
        super().__init__()
        self.config = config
        trivial = Representation.trivial(PlanarGroup.from_name(config.group))
        self.unet = GroupUnet(config)
        self.pick = HeadConv2d(config.fields[0], trivial)
        self.place_features = HeadConv2d(config.fields[0], trivial, config.features)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Looks at scenes.

        Args:
            picture: (B, 5, size, size) float32, see `preprocess.scene_picture`.

        Returns:
            ``'pick'`` -> (B, 1, size / 2, size / 2) log-probabilities but for a constant,
            ``'place_features'`` -> (B, D, size / 2, size / 2).
        """
        field = self.unet(picture)
        return {'pick': self.pick(field), 'place_features': self.place_features(field)}


class CropNetwork(nn.Module):
    """What the picked object looks like.

    Law: group G; 5 trivial -> D trivial, at stride 2.
    """

    def __init__(self, config: PlanarConfig) -> None:
        """Builds the layers."""
        super().__init__()
        self.config = config
        trivial = Representation.trivial(PlanarGroup.from_name(config.group))
        # A crop is small: it has no cells left below stride 16.
        self.unet = GroupUnet(replace(config, fields=config.fields[:4]))
        self.crop_features = HeadConv2d(config.fields[0], trivial, config.features)
        # Scores are sums over a thousand cells; this keeps them of order one at the start.
        self.scale = .3 / math.sqrt(config.features * (config.crop / 2) ** 2)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Maps (B, 5, crop, crop) to ``'crop_features'`` -> (B, D, crop / 2, crop / 2)."""
        return {'crop_features': self.scale * self.crop_features(self.unet(crop))}


class PlanarNetworks(nn.Module):
    """Both networks, as they are trained."""

    def __init__(self, config: PlanarConfig) -> None:
        """Builds the networks with random weights."""
        super().__init__()
        self.config = config
        self.scene, self.crop = SceneNetwork(config), CropNetwork(config)


def plain_twin(config: PlanarConfig) -> PlanarConfig:
    """The Transporter Network of equal dense widths: ordinary layers, the crop turned before."""
    order = PlanarGroup.from_name(config.group).order
    return replace(config, group='C1', fields=tuple(order * count for count in config.fields),
                   turn_before=True)


def build_from_manifest(manifest: Manifest) -> SceneNetwork | CropNetwork:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    config = PlanarConfig.from_dict(manifest.config)
    return SceneNetwork(config) if manifest.task == SCENE else CropNetwork(config)
