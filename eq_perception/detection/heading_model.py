"""The network behind `heading`: a PointNet whose answer changes sign under the half turn."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from eq_core.runtime.manifest import Manifest
from eq_perception.detection.heading import HeadingConfig
from eq_perception.detection.heading import POINT_FEATURES
from eq_perception.detection.heading import POINT_VECTORS
from eq_perception.detection.heading import STATE_VECTORS


def half_turn(features: int, vectors: tuple[tuple[int, int], ...]) -> Tensor:
    """Returns (features,), -1 where a half turn changes the sign of a feature, else 1."""
    sign = torch.ones(features)
    sign[[column for pair in vectors for column in pair]] = -1
    return sign


class HeadingNetwork(nn.Module):
    """Points of objects to log odds of their direction, ``f(x) = h(x) - h(half turn of x)``.

    h is a PointNet (Qi et al., CVPR 2017, figure 2) of two stages, the second of which sees each
    point beside the maximum over all, as the segmentation network there does.

    Law: C2; points and state as `heading.Looks` -> `direction`, frequency 1.
    """

    point_sign: Tensor
    state_sign: Tensor

    def __init__(self, config: HeadingConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.config, width = config, config.width
        states = config.state_features
        self.near = nn.Sequential(nn.Linear(POINT_FEATURES + states, width), nn.ReLU(),
                                  nn.Linear(width, width), nn.ReLU())
        self.far = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(),
                                 nn.Linear(2 * width, 4 * width))
        self.head = nn.Sequential(nn.Linear(4 * width + states, 2 * width), nn.ReLU(),
                                  nn.Dropout(.2), nn.Linear(2 * width, 1, bias=False))
        self.register_buffer('point_sign', half_turn(POINT_FEATURES, POINT_VECTORS),
                             persistent=False)
        self.register_buffer('state_sign', half_turn(states, STATE_VECTORS), persistent=False)

    def forward(self, object_points: Tensor, object_state: Tensor) -> dict[str, Tensor]:
        """Tells the directions.

        Args:
            object_points: (M, points, 4) float32, see `heading.Looks`.
            object_state: (M, state_features) float32.

        Returns:
            ``direction``, (M, 2), a vector along the x axis of the frame: the log odds that the
            object points along +x, and 0.
        """
        points = torch.cat([object_points, object_points * self.point_sign])
        state = torch.cat([object_state, object_state * self.state_sign])
        one, other = self._evidence(points, state).chunk(2)
        log_odds = one - other
        return {'direction': torch.cat([log_odds, torch.zeros_like(log_odds)], -1)}

    def _evidence(self, points: Tensor, state: Tensor) -> Tensor:
        """h, (M, 1)."""
        beside = state[:, None].expand(-1, points.shape[1], -1)
        near = self.near(torch.cat([points, beside], -1))
        whole = near.amax(1, keepdim=True).expand(-1, points.shape[1], -1)
        far = self.far(torch.cat([near, whole], -1)).amax(1)
        evidence: Tensor = self.head(torch.cat([far, state], -1))
        return evidence


def build_from_manifest(manifest: Manifest) -> HeadingNetwork:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    return HeadingNetwork(HeadingConfig.from_dict(manifest.config))
