"""Everything that fixes a planar policy but its weights."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import Workspace
from eq_core.groups.group import PlanarGroup
from eq_core.runtime.manifest import known_settings

SCENE, CROP = 'planar_pick_place_scene', 'planar_pick_place_crop'     # tasks of the two bundles
STRIDE = 2      # heightmap cells of a feature cell, along an edge
CHANNELS = 5    # red, green, blue, height, inside
SAME_SIZE = 1e-6    # [m]
TORCH_MODEL = 'eq_manipulation.planar.model:build_from_manifest'


@dataclass(frozen=True)
class PlanarConfig:
    """Network, heightmap and search of a policy on SE(2) x SE(2).

    Attributes:
        rows: Cells of the heightmap along y.
        columns: Cells along x.
        resolution: Edge of a cell [m].
        depth: Height of the workspace [m].
        group: Symmetry of the networks, C1 for the plain twin.
        fields: Feature fields of the networks at strides 2, 4, 8, ... (channels: times the order).
        features: D, channels that scene and crop are compared by.
        crop: Edge of the square cut out around the pick [cells].
        rotations: N, copies of the crop that are turned and transformed.
        frequencies: F, highest angular frequency of the score; it has 2 F + 1 coefficients.
        turn_before: Whether the picture of the crop is turned before the network sees it, as in
            the Transporter Network (Zeng et al., CoRL 2020), instead of its features after it.
        score_radius: Poses within it are counted into a score [m].
    """

    rows: int = 320
    columns: int = 160
    resolution: float = .003125
    depth: float = .28
    group: str = 'C4'
    fields: tuple[int, ...] = (6, 12, 20, 24, 24)
    features: int = 8
    crop: int = 64
    rotations: int = 72
    frequencies: int = 12
    turn_before: bool = False
    score_radius: float = .02

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        object.__setattr__(self, 'fields', tuple(self.fields))
        PlanarGroup.from_name(self.group)
        limits = {'rows': (8, 2048), 'columns': (8, 2048), 'resolution': (1e-4, 1),
                  'depth': (1e-3, 10), 'features': (1, 256), 'crop': (8, 512),
                  'rotations': (4, 360), 'frequencies': (0, 180), 'score_radius': (1e-4, 10)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f'{name} must be in {low}..{high}, got {value}')
        if not self.fields or not all(count > 0 for count in self.fields):
            raise ConfigError(f'fields must be positive, got {self.fields}')
        if 2 * self.frequencies + 1 > self.rotations:
            raise ConfigError(f'{self.rotations} rotations do not resolve frequency '
                              f'{self.frequencies}')
        if self.rotations % PlanarGroup.from_name(self.group).rotations:
            raise ConfigError(f'rotations must be a multiple of those of {self.group}, '
                              f'got {self.rotations}')
        if self.crop % self.divisor or self.crop > self.size:
            raise ConfigError(f'crop must be a multiple of {self.divisor} and at most '
                              f'{self.size}, got {self.crop}')

    @property
    def divisor(self) -> int:
        """What edges of pictures must be multiples of, so that every pooling is even."""
        return int(2 ** len(self.fields))

    @property
    def size(self) -> int:
        """Edge of the square picture that the heightmap is padded to [cells]."""
        return -(-max(self.rows, self.columns) // self.divisor) * self.divisor

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns of the picture before the heightmap begins."""
        # Even margins keep the cells of features in step with those of the heightmap.
        return tuple((self.size - edge) // (2 * STRIDE) * STRIDE  # type: ignore[return-value]
                     for edge in (self.rows, self.columns))

    def workspace(self, lower: tuple[float, float, float]) -> Workspace:
        """The box that a heightmap of this policy covers.

        Args:
            lower: Least x, y, z [m].
        """
        size = (self.columns * self.resolution, self.rows * self.resolution, self.depth)
        x, y, z = (low + edge for low, edge in zip(lower, size, strict=True))
        return Workspace(lower, (x, y, z), self.resolution)

    def workspace_between(self, lower: Sequence[float], upper: Sequence[float]) -> Workspace:
        """The box between two corners, if it is what a heightmap of this policy covers.

        Args:
            lower: Least x, y, z [m].
            upper: Largest x, y, z [m].

        Raises:
            ConfigError: It has another size.
        """
        x, y, z = lower
        space = self.workspace((x, y, z))
        expected, found = (np.subtract(each, lower) for each in (space.upper, upper))
        if np.abs(found - expected).max() > SAME_SIZE:
            sizes = [' x '.join(f'{edge:g}' for edge in size) for size in (found, expected)]
            raise ConfigError(f'the workspace spans {sizes[0]} m, the policy covers {sizes[1]} m: '
                              f'{self.columns} x {self.rows} cells of {self.resolution:g} m')
        return space

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlanarConfig:
        """Reads what `to_dict` wrote.

        Raises:
            ConfigError: A key is unknown, or a value out of range.
        """
        return cls(**known_settings(cls, data, 'planar'))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the networks."""
        return {**asdict(self), 'fields': list(self.fields), 'torch_model': TORCH_MODEL}
