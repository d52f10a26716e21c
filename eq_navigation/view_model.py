"""What moves cost and where to stop, from four camera views of each place.

Law: group C4 at every place by itself; four views, regular -> costs of the four moves, regular,
and of stopping, trivial. Whichever way the robot faced at a place, the same moves cost the same.
"""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.representation import regular
from eq_core.groups.representation import scalars
from eq_navigation.config import ViewPlannerConfig
from eq_navigation.lifting import C4
from eq_navigation.lifting import lifting_linear
from eq_navigation.lifting import MultiViewLifting
from eq_navigation.model import positive


class ViewCost(nn.Module):
    """Costs of moves and of stopping."""

    def __init__(self, config: ViewPlannerConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.lifting = MultiViewLifting(config.height, config.width, config.features,
                                        [regular(C4, config.fields)], config.equivariant)
        self.judge = lifting_linear(config.fields, [regular(C4, 1), scalars(C4, 1)],
                                    config.equivariant)

    def forward(self, views: Tensor) -> dict[str, Tensor]:
        """Judges places.

        Args:
            views: (N, 4, 3, H, W) images in 0..1: front, left, back, right.

        Returns:
            ``'move'`` -> (N, 4) costs of going where each view looks, ``'stop'`` -> (N, 1) cost of
            ending here; all positive.
        """
        cost = positive(self.judge(torch.relu(self.lifting(views))))
        return {'move': cost[:, :4], 'stop': cost[:, 4:]}


def both_ends(move: Tensor, neighbor: Tensor, mask: Tensor) -> Tensor:
    """Costs of moves from what is seen from either end: their mean.

    Args:
        move: (N, 4) costs, as each place judges its own moves.
        neighbor: (N, 4) int64.
        mask: (N, 4) bool; who is a neighbour has a move back, in whatever column.

    Returns:
        (N, 4) costs, the same for a move and the way back; 0 where there is no move.
    """
    here = torch.arange(len(move))[:, None, None]
    back = (neighbor[neighbor] == here) & mask[neighbor]
    return torch.where(mask, (move + (move[neighbor] * back).sum(-1)) / 2, 0.)


def with_stop(neighbor: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Adds one node, at which everybody has stopped, and a last column of moves that lead there.

    With it, `model.value_iteration` finds goals that only the views tell: its goal is that node.

    Args:
        neighbor: (N, 4) int64.
        mask: (N, 4) bool.

    Returns:
        (N + 1, 5) and (N + 1, 5); the new node is the last and has no moves.
    """
    count = len(neighbor)
    joined = nn.functional.pad(neighbor, (0, 1, 0, 1), value=count)
    there = nn.functional.pad(nn.functional.pad(mask, (0, 1), value=True), (0, 0, 0, 1))
    return joined, there
