"""The network that tells what ground costs, and the planner that its training goes through.

Edge-Bellman: an edge costs the mean of a positive scalar field along it, an invariant of what is
known of both ends, and value iteration takes the best neighbour (not the best channel, as VIN
does), so that at run time exact search on the very same costs gives the path that the network
meant. Law of it all: E(2) and scale: turning, mirroring, moving or enlarging the graph leaves
costs per metre, values in units of the scale and the chosen neighbours.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch import Tensor

from eq_core.runtime.manifest import Manifest
from eq_navigation.config import PlannerConfig

LARGEST = 12.       # natural logarithm of the largest cost per metre, and of one over the least
UNREACHED = -1e9    # value of a node from which the goal has not been found yet


def positive(logarithm: Tensor) -> Tensor:
    """A cost of that logarithm; smoothly bounded, so that none is zero or infinite."""
    return torch.exp(LARGEST * torch.tanh(logarithm / LARGEST))


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
        return {'cost': edge_cost(self.rate(own), self.rate(other), offset)}

    def rate(self, feature: Tensor) -> Tensor:
        """Cost per metre at a place.

        Args:
            feature: (..., F).

        Returns:
            (...,) positive.
        """
        return positive(self.judge(feature).squeeze(-1))

    def edges(self, feature: Tensor, neighbor: Tensor, offset: Tensor) -> Tensor:
        """Judges all edges of a graph, (N, K); the same as `forward`, each node judged once.

        Args:
            feature: (N, F).
            neighbor: (N, K) int64.
            offset: (N, K, 2) [m].
        """
        rate = self.rate(feature)
        return edge_cost(rate[:, None], rate[neighbor], offset)


class PlainEdgeCost(EdgeCost):
    """The plain twin: it is told which way an edge leads, in the axes of the map.

    Law: translations only.
    """

    def __init__(self, config: PlannerConfig) -> None:
        """Builds the network with random weights; it is as wide as the other."""
        super().__init__(replace(config, features=config.features + 2))

    def forward(self, own: Tensor, other: Tensor, offset: Tensor) -> dict[str, Tensor]:
        """Judges edges, see `EdgeCost.forward`."""
        own, other = torch.cat([own, offset], -1), torch.cat([other, offset], -1)
        return super().forward(own, other, offset)

    def edges(self, feature: Tensor, neighbor: Tensor, offset: Tensor) -> Tensor:
        """Judges all edges of a graph, see `EdgeCost.edges`."""
        own = feature[:, None].expand(-1, neighbor.shape[1], -1)
        return self.forward(own, feature[neighbor], offset)['cost']


def edge_cost(own: Tensor, other: Tensor, offset: Tensor) -> Tensor:
    """Costs along edges, (...,), by the trapezoidal rule.

    Args:
        own: (...,) cost per metre where edges begin.
        other: (...,) where they end.
        offset: (..., 2) the way from one to the other [m].
    """
    return offset.square().sum(-1).sqrt() * (own + other) / 2


def value_iteration(cost: Tensor, neighbor: Tensor, mask: Tensor, goal: Tensor) -> Tensor:
    """Bellman's recursion, ``V_i <- max_j (V_j - c_ij)`` with V = 0 at the goals, to its end.

    Values are those of the cheapest paths, and so are gradients: a value changes with the costs
    of the edges on its path (the envelope theorem), whatever it took to find it.

    Args:
        cost: (N, K) positive.
        neighbor: (N, K) int64.
        mask: (N, K) bool.
        goal: (G,) int64 rows.

    Returns:
        (N, K) values of going to each neighbour, ``V_j - c_ij``; `UNREACHED` without an edge or
        where no way leads to a goal.
    """
    following, step = _cheapest(cost.detach(), neighbor, mask, goal)
    moving = step >= 0
    path = torch.where(moving, cost.gather(1, step.clamp_min(0)[:, None])[:, 0], 0.)
    while (following[following] != following).any():    # paths twice as long each time
        path, following = path + path[following], following[following]
    reached = torch.isin(following, goal)
    value = torch.where(reached, -path, UNREACHED)
    there = mask & reached[neighbor]
    return torch.where(there, value[neighbor] - cost, UNREACHED)


@torch.no_grad()
def _cheapest(cost: Tensor, neighbor: Tensor, mask: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Finds (N,) the next node of the cheapest path, itself without one, and (N,) its column.

    A step is changed for a strictly better one only: thus it leads to a node whose value was
    settled earlier, and no path runs in a circle, however small a cost is beside the values.
    """
    value = cost.new_full((len(cost),), UNREACHED)
    value[goal] = 0
    step = torch.full_like(value, -1, dtype=torch.int64)
    while True:
        best, column = torch.where(mask, value[neighbor] - cost, UNREACHED).max(1)
        better = best > value
        if not better.any():
            break
        value, step = torch.where(better, best, value), torch.where(better, column, step)
    nodes = torch.arange(len(cost), device=cost.device)
    taken = neighbor.gather(1, step.clamp_min(0)[:, None])[:, 0]
    return torch.where(step >= 0, taken, nodes), step


def build_from_manifest(manifest: Manifest) -> EdgeCost:
    """Builds the network of a bundle; its weights are loaded by the torch backend."""
    return EdgeCost(PlannerConfig.from_dict(manifest.config))
