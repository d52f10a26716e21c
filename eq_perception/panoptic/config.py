"""Everything that fixes a segmenter besides its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from eq_core.errors import ConfigError
from eq_core.runtime.manifest import known_settings
from eq_perception.detection.config import DetectorConfig

TORCH_MODEL = 'eq_perception.panoptic.model:build_from_manifest'
POINT_FEATURES = 11   # see `preprocess.PointRows`


@dataclass(frozen=True)
class SegmenterConfig:
    """Shared BEV network, panoptic heads, and how points become instances.

    Attributes:
        detector: The shared BEV network, its grid and its detection heads.
        pillar_channels: Regular fields of a pillar's own feature. The dense width is this times
            the order of the group.
        column_channels: Width of the network that joins the features of a pillar.
        point_channels: Width of the network that classifies single points.
        max_points: Rows of the point input; of larger scans an even part is classified and the
            others take the class of a neighbour in the same pillar.
        instance_distance: A shifted point belongs to an object's centre if it is nearer than this
            part of the object's half diagonal, or ...
        instance_margin: ... inside its box grown by this on every side [m].
        min_instance_points: Objects with fewer points have no segment.
        instance_score: Least score of an object that may own points.
    """

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    pillar_channels: int = 16
    column_channels: int = 128
    point_channels: int = 64
    max_points: int = 131072
    instance_distance: float = .9
    instance_margin: float = .3
    min_instance_points: int = 3
    instance_score: float = .15

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        for name in ('pillar_channels', 'column_channels', 'point_channels', 'max_points',
                     'min_instance_points'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} must be at least 1, got {getattr(self, name)}')
        if self.detector.grid != 'cartesian':
            raise ConfigError("segmentation needs the grid 'cartesian', "
                              f'got {self.detector.grid!r}')
        for name in ('instance_distance', 'instance_margin'):
            if not 0 <= getattr(self, name) < 10:
                raise ConfigError(f'{name} must be in [0, 10), got {getattr(self, name)}')
        if not 0 <= self.instance_score < 1:
            raise ConfigError(f'instance_score must be in [0, 1), got {self.instance_score}')

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the network."""
        return {**asdict(self), 'torch_model': TORCH_MODEL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SegmenterConfig:
        """Reads a manifest's configuration.

        Raises:
            ConfigError: A name is unknown or missing.
        """
        settings = known_settings(cls, values, 'segmenter')
        if 'detector' not in settings:
            raise ConfigError("segmenter settings must have 'detector'")
        return cls(**{**settings, 'detector': DetectorConfig.from_dict(settings['detector'])})
