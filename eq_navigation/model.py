"""The network that tells what ground costs, and the planner that its training goes through.

Edge-Bellman: an edge costs the mean of a positive scalar field along it, an invariant of what is
known of both ends, and value iteration takes the best neighbour (not the best channel, as VIN
does), so that at run time exact search on the very same costs gives the path that the network
meant. Law of it all: E(2) and scale: turning, mirroring, moving or enlarging the graph leaves
costs per metre, values in units of the scale and the chosen neighbours.
"""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from eq_core.runtime.manifest import Manifest
from eq_navigation.config import PlannerConfig

LARGEST = 12.       # natural logarithm of the largest cost per metre, and of one over the least
UNREACHED = -1e9    # value of a node from which the goal has not been found yet


class EdgeCost(nn.Module):
    """Costs of edges.

    Law: E(2); features trivial, offsets standard (vectors) -> costs trivial; the same for both
    directions of an edge.
    """

    def __init__(self, config: PlannerConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        width = config.channels
        self.judge = nn.Sequential(nn.Linear(config.features, width), nn.ReLU(),
                                   nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, own: Tensor, other: Tensor, offset: Tensor) -> dict[str, Tensor]:
        """Judges edges.

        Args:
            own: (..., F) features of the nodes that edges leave.
            other: (..., F) of those that they lead to.
            offset: (..., 2) the way from one to the other [m]; 0 where there is no edge.

        Returns:
            ``'cost'`` -> (...,) costs, 0 where the offset is.
        """
        rate = (self._rate(own) + self._rate(other)) / 2    # the trapezoidal rule
        return {'cost': offset.square().sum(-1).sqrt() * rate}

    def _rate(self, feature: Tensor) -> Tensor:
        """Cost per metre at a place; smoothly bounded, so that none is zero or infinite."""
        return torch.exp(LARGEST * torch.tanh(self.judge(feature).squeeze(-1) / LARGEST))


def value_iteration(cost: Tensor, neighbor: Tensor, mask: Tensor, goal: Tensor, iterations: int
                    ) -> Tensor:
    """Bellman's recursion, ``V_i <- max_j (V_j - c_ij)`` with V = 0 at the goals.

    Args:
        cost: (N, K) positive.
        neighbor: (N, K) int64.
        mask: (N, K) bool.
        goal: (G,) int64 rows.
        iterations: Steps that a value travels.

    Returns:
        (N, K) values of going to each neighbour, ``V_j - c_ij``; `UNREACHED` without an edge.
    """
    value = cost.new_full((len(cost),), UNREACHED)
    value[goal] = 0
    at_goal = torch.zeros_like(value, dtype=torch.bool)
    at_goal[goal] = True
    for _ in range(iterations):
        going = torch.where(mask, value[neighbor] - cost, UNREACHED)
        value = torch.where(at_goal, 0., going.amax(1).clamp_min(UNREACHED))
    return torch.where(mask, value[neighbor] - cost, UNREACHED)


def build_from_manifest(manifest: Manifest) -> EdgeCost:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    return EdgeCost(PlannerConfig.from_dict(manifest.config))
