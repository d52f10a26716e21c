"""What a network is asked about scans that nobody has labelled."""

from __future__ import annotations

from dataclasses import dataclass

from eq_core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Weights of the objectives, 0 for those that are left out, and their constants.

    The first three and all constants but `temperature` are those of E-SSL3D (Hegde et al., ECCV
    2024); `occupancy` is the generative competitor after ALSO (Boulch et al., CVPR 2023).

    Attributes:
        contrastive: Of telling points apart, alike in two views (translation, scale, flip).
        rotation: Of telling by how much a view was turned.
        flow: Of a point keeping its feature while it moves to the next scan.
        occupancy: Of telling what is in front of a surface from what is behind it.
        points: Points of a scan that are asked about.
        bins: Classes of the rotation.
        temperature: Of the contrast.
        target_decay: Of the moving average that is the target network.
        width: Of embeddings and of the networks that make them.
    """

    contrastive: float = .01
    rotation: float = 1.
    flow: float = 300.
    occupancy: float = 0.
    points: int = 2048
    bins: int = 10
    temperature: float = .1
    target_decay: float = .999
    width: int = 64

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range, or nothing is asked at all.
        """
        weights = {name: getattr(self, name)
                   for name in ('contrastive', 'rotation', 'flow', 'occupancy')}
        if min(weights.values()) < 0 or not any(weights.values()):
            raise ConfigError(f'weights of objectives must be 0 or more and not all 0, {weights}')
        if self.points < 2 or self.bins < 2 or self.width < 1:
            raise ConfigError('points and bins must be at least 2 and width at least 1, got '
                              f'{self.points}, {self.bins} and {self.width}')
        if not (self.temperature > 0 and 0 <= self.target_decay < 1):
            raise ConfigError('temperature must be above 0 and target_decay in [0, 1), got '
                              f'{self.temperature} and {self.target_decay}')

    @property
    def second_view(self) -> bool:
        """Whether a scan is looked at twice."""
        return self.contrastive > 0

    @property
    def earlier(self) -> bool:
        """Whether the scan before it is looked at, too."""
        return self.flow > 0
