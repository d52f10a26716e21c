"""Everything that fixes a spatial policy but its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import Workspace
from eq_core.runtime.manifest import known_settings

SCENE, CROP = 'spatial_pick_place_scene', 'spatial_pick_place_crop'   # tasks of the two bundles
STRIDE = 2      # voxels of a feature cell, along an edge
CHANNELS = 4    # red, green, blue, occupancy
TURNS_AT_ONCE = 60  # pictures that the crop network of the plain twin sees together
PICK_DEGREE = 2     # of the function of rotations at every cell
TORCH_MODEL = 'eq_manipulation.spatial.model:build_from_manifest'
LIFTINGS = {'cube': 4, 'icosahedron': 2}    # sets of rotations, and the degree they resolve


@dataclass(frozen=True)
class SpatialConfig:
    """Network, voxels and search of a policy on SE(3) x SE(3).

    Attributes:
        size: Voxels along each edge of the workspace, a cube.
        resolution: Edge of a voxel [m].
        fields: Fields of degree 0, 1, 2 of the networks at strides 2, 4, 8, ...
        features: Fields of degree 0, 1, 2 that scene and crop are compared by.
        crop: Edge of the cube cut out around the pick [voxels].
        lifting: Rotations that the crop is turned by: ``'cube'``, 600 that every turn of the cube
            maps onto themselves from both sides, or ``'icosahedron'``, its group of 60.
        degree: L, largest degree of the score as a function of rotations.
        candidates: Places that are refined.
        refine: Whether they are; else the score is taken as its degree resolves it.
        steerable: Whether convolutions are; those of the plain twin are ordinary ones.
        turn_before: Whether the picture of the crop is turned before the network sees it, as in
            the Transporter Network (Zeng et al., CoRL 2020), instead of its features after it.
            There is nothing to refine then: other turns would need other pictures.
        score_radius: Poses within it are counted into a score [m].
    """

    size: int = 48
    resolution: float = .008
    fields: tuple[tuple[int, int, int], ...] = ((12, 6, 3), (20, 10, 5), (24, 12, 6), (24, 12, 6))
    features: tuple[int, int, int] = (4, 4, 0)
    crop: int = 24
    lifting: str = 'cube'
    degree: int = 4
    candidates: int = 6
    refine: bool = True
    steerable: bool = True
    turn_before: bool = False
    score_radius: float = .02

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        object.__setattr__(self, 'fields', tuple(tuple(each) for each in self.fields))
        object.__setattr__(self, 'features', tuple(self.features))
        limits = {'size': (8, 128), 'resolution': (1e-4, 1), 'crop': (8, 64),
                  'candidates': (1, 100), 'score_radius': (1e-4, 10)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f'{name} must be in {low}..{high}, got {value}')
        if not self.fields or any(len(each) != 3 or min(each) < 0 or each[0] < 1
                                  for each in self.fields):
            raise ConfigError(f'fields must be triples with at least one scalar, '
                              f'got {self.fields}')
        if len(self.features) != 3 or min(self.features) < 0 or not sum(self.features):
            raise ConfigError(f'features must be three counts, one of them positive, '
                              f'got {self.features}')
        if self.lifting not in LIFTINGS:
            raise ConfigError(f'lifting must be one of {", ".join(LIFTINGS)}, '
                              f'got {self.lifting!r}')
        if not 0 <= self.degree <= LIFTINGS[self.lifting]:
            raise ConfigError(f'{self.lifting} resolves degree {LIFTINGS[self.lifting]}, got '
                              f'{self.degree}')
        if not self.steerable and any(
                count for each in (*self.fields, self.features) for count in each[1:]):
            raise ConfigError('a policy that is not steerable has scalars only, got fields '
                              f'{self.fields} and features {self.features}')
        if self.turn_before and self.refine:
            raise ConfigError('a policy that turns before cannot refine')
        if self.size % 2 ** len(self.fields):
            raise ConfigError(f'size must be a multiple of {2 ** len(self.fields)}, '
                              f'got {self.size}')
        if self.crop % 8 or self.crop > self.size:
            raise ConfigError(f'crop must be a multiple of 8 and at most {self.size}, '
                              f'got {self.crop}')

    def workspace(self, lower: tuple[float, float, float]) -> Workspace:
        """The cube that voxels of this policy cover.

        Args:
            lower: Least x, y, z [m].
        """
        x, y, z = (low + self.size * self.resolution for low in lower)
        return Workspace(lower, (x, y, z), self.resolution)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SpatialConfig:
        """Reads what `to_dict` wrote.

        Raises:
            ConfigError: A key is unknown, or a value out of range.
        """
        return cls(**known_settings(cls, data, 'spatial'))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the networks."""
        return {**asdict(self), 'fields': [list(each) for each in self.fields],
                'features': list(self.features), 'torch_model': TORCH_MODEL}
