"""The value iteration network of Tamar et al. (2016, arXiv 1602.02867), as a peer."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor


class ValueIterationNetwork(nn.Module):
    """Value iteration by plain 3x3 convolutions, with the maximum over channels.

    Law: translations of the map, up to its border; nothing else.
    """

    def __init__(self, edge: int, features: int = 2, hidden: int = 150, actions: int = 40,
                 directions: int = 4, iterations: int = 30) -> None:
        """Builds the network with random weights.

        Args:
            edge: Cells along an edge of the square maps.
            features: Numbers known of each cell, that of being the goal among them.
            hidden: Channels between features and reward.
            actions: Channels of Q.
            directions: Directions whose scores are given.
            iterations: Steps that a value travels.
        """
        super().__init__()
        self.edge, self.iterations = edge, iterations
        self.encode = nn.Conv2d(features, hidden, 3, padding=1)
        self.reward = nn.Conv2d(hidden, 1, 1, bias=False)
        self.quality = nn.Conv2d(1, actions, 3, padding=1, bias=False)
        self.value = nn.Conv2d(1, actions, 3, padding=1, bias=False)
        self.direction = nn.Linear(actions, directions, bias=False)

    def forward(self, feature: Tensor, *graph: Tensor) -> dict[str, Tensor]:
        """Plans.

        Args:
            feature: (B * edge * edge, F), the cells of square maps, row by row.
            *graph: Who is whose neighbour, which need not be told here.

        Returns:
            ``'scores'`` -> (B * edge * edge, D) of the directions 2 pi d / D.
        """
        cells = feature.reshape(-1, self.edge, self.edge, feature.shape[1])
        rewarded = self.quality(self.reward(torch.relu(self.encode(cells.permute(0, 3, 1, 2)))))
        quality = rewarded      # values are 0 at first
        for _ in range(self.iterations - 1):
            quality = rewarded + self.value(quality.amax(1, keepdim=True))
        return {'scores': self.direction(quality.permute(0, 2, 3, 1).flatten(0, 2))}
