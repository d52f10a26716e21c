"""The two networks of a spatial policy: one looks at the scene, one at the crop around the pick.

Fourier Transporter (Huang et al., ICLR 2024) in three dimensions. The pick is a field of functions
on SO(3), given by their Wigner coefficients; the place compares features of the scene, phi, with
turned features of the crop, psi. Both are steerable fields, so that turning the scene turns phi
and turning the crop turns psi, each on its own: the place is bi-equivariant. Vectors among them
tell rotations even where they are compared in a single cell.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
import math

from torch import nn
from torch import Tensor

from eq_core.nn.steerable3d import Fields
from eq_core.nn.steerable3d import SteerableBlock
from eq_core.nn.steerable3d import SteerableConv3d
from eq_core.nn.steerable3d import upsample
from eq_core.runtime.manifest import Manifest
from eq_manipulation.spatial.config import CHANNELS
from eq_manipulation.spatial.config import SCENE
from eq_manipulation.spatial.config import SpatialConfig

PICK_FIELDS = Fields((1, 3, 5))     # 2 l + 1 fields of degree l: the columns of c^l
CROP_LEVELS = 3                     # a crop is small: it has no cells left below stride 8


class SteerableUnet(nn.Module):
    """A U-net of steerable convolutions.

    Law: the 24 turns of the cube; 4 scalars -> `fields[0]`, at stride 2. Exact on edges that are
    multiples of 2 ** len(fields).
    """

    def __init__(self, fields: tuple[tuple[int, int, int], ...], steerable: bool = True) -> None:
        """Builds the layers.

        Args:
            fields: At strides 2, 4, 8, ...
            steerable: Whether the law holds.
        """
        super().__init__()
        block = partial(SteerableBlock, steerable=steerable)
        levels = [Fields(counts) for counts in fields]
        pairs = list(zip(levels, levels[1:], strict=False))
        self.lift = block(Fields((CHANNELS, 0, 0)), levels[0], 4, 2)
        self.down = nn.ModuleList(block(above, below, 4, 2) for above, below in pairs)
        self.refine = nn.ModuleList(block(level, level) for level in levels)
        self.lower = nn.ModuleList(block(below, above, 1) for above, below in pairs)
        self.join = nn.ModuleList(block(level, level) for level in levels[:-1])

    def forward(self, picture: Tensor) -> Tensor:
        """Maps (B, 4, D, H, W) to (B, channels, D / 2, H / 2, W / 2)."""
        field = self.lift(picture)
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
    """Where and how to pick, and what places look like.

    Law: the 24 turns of the cube; 4 scalars -> 2 l + 1 fields of degree l = 0, 1, 2 (`pick`) and
    `config.features` (`place_features`), at stride 2.
    """

    def __init__(self, config: SpatialConfig) -> None:
        """Builds the layers."""
        super().__init__()
        self.config = config
        first = Fields(config.fields[0])
        self.unet = SteerableUnet(config.fields, config.steerable)
        turns = PICK_FIELDS if config.steerable else _plain(PICK_FIELDS)
        self.pick = SteerableConv3d(first, turns, 1, bias=True)
        self.place_features = SteerableConv3d(first, Fields(config.features), 1, bias=True)
        self.scale = .2     # logits begin of order one

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Looks at scenes.

        Args:
            picture: (B, 4, size, size, size) float32, see `preprocess.scene_picture`.

        Returns:
            ``'pick'`` -> (B, 35, size / 2, ...): log-probability of a cell but for a constant,
            then c^1 and c^2, column by column; ``'place_features'`` -> (B, D, size / 2, ...).
        """
        field = self.unet(picture)
        return {'pick': self.scale * self.pick(field),
                'place_features': self.place_features(field)}


class CropNetwork(nn.Module):
    """What the picked object looks like.

    Law: the 24 turns of the cube; 4 scalars -> `config.features`, at stride 2.
    """

    def __init__(self, config: SpatialConfig) -> None:
        """Builds the layers."""
        super().__init__()
        self.config = config
        self.unet = SteerableUnet(config.fields[:CROP_LEVELS], config.steerable)
        compared = Fields(config.features)
        self.crop_features = SteerableConv3d(Fields(config.fields[0]), compared, 1, bias=True)
        # Scores are sums over a thousand cells; this keeps them of order one at the start.
        self.scale = .03 / math.sqrt(compared.channels * (config.crop / 2) ** 3 / 2)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Maps (B, 4, crop, crop, crop) to ``'crop_features'`` -> (B, D, crop / 2, ...)."""
        return {'crop_features': self.scale * self.crop_features(self.unet(crop))}


class SpatialNetworks(nn.Module):
    """Both networks, as they are trained."""

    def __init__(self, config: SpatialConfig) -> None:
        """Builds the networks with random weights."""
        super().__init__()
        self.config = config
        self.scene, self.crop = SceneNetwork(config), CropNetwork(config)


def _plain(fields: Fields) -> Fields:
    """Scalars of as many channels."""
    return Fields((fields.channels, 0, 0))


def plain_twin(config: SpatialConfig) -> SpatialConfig:
    """The Transporter Network of equal dense widths: ordinary layers, the crop turned before."""
    return replace(config, fields=tuple(_plain(Fields(each)).counts for each in config.fields),
                   features=_plain(Fields(config.features)).counts, steerable=False,
                   turn_before=True, refine=False)


def build_from_manifest(manifest: Manifest) -> SceneNetwork | CropNetwork:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    config = SpatialConfig.from_dict(manifest.config)
    return SceneNetwork(config) if manifest.task == SCENE else CropNetwork(config)
