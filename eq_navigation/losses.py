"""Learning to plan from demonstrations: the demonstrated neighbour is where to go."""

from __future__ import annotations

import torch
from torch import Tensor

from eq_navigation.model import UNREACHED


def imitation_loss(going: Tensor, cost: Tensor, action: Tensor, weight: Tensor,
                   sharpness: float = 1.) -> Tensor:
    """Mean cross-entropy over demonstrated nodes, with values as logits.

    Values are taken in units of the mean cost of a demonstrated move. Unchanged when the graph
    turns, is mirrored, moved or enlarged, and when all costs are multiplied by a number.

    Args:
        going: (N, K) value of going to each neighbour, see `model.value_iteration`.
        cost: (N, K) costs of the edges.
        action: (N,) int64, the demonstrated neighbour's column; 0 where none is.
        weight: (N,) 1 where there is a demonstration, else 0. Nodes that no value has reached
            teach nothing and are left out.
        sharpness: What a detour as long as a mean move takes from a logit.
    """
    taken = cost.gather(1, action[:, None])[:, 0]
    typical = (weight * taken).sum() / weight.sum().clamp_min(1.)
    weight = weight * (going.gather(1, action[:, None])[:, 0] > UNREACHED / 2)
    return move_loss(going * (sharpness / typical), action, weight)


def move_loss(score: Tensor, action: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy over demonstrated nodes.

    Args:
        score: (N, K) logits of going to each neighbour.
        action: (N,) int64, the demonstrated neighbour's column; 0 where none is.
        weight: (N,) 1 where there is a demonstration, else 0.
    """
    loss = torch.nn.functional.cross_entropy(score, action, reduction='none')
    # A value that is UNREACHED makes a loss of its size, and that times 0 is not small enough.
    return torch.where(weight > 0, weight * loss, 0.).sum() / weight.sum().clamp_min(1.)


def displacement_loss(displacement: Tensor, offset: Tensor, action: Tensor, weight: Tensor
                      ) -> Tensor:
    """Mean squared distance to the demonstrated neighbour [m^2]; turns and mirrors leave it.

    Args:
        displacement: (N, 2) [m].
        offset: (N, K, 2) the way to each neighbour [m].
        action: (N,) int64, the demonstrated neighbour's column; 0 where none is.
        weight: (N,) 1 where there is a demonstration, else 0.
    """
    shown = offset.gather(1, action[:, None, None].expand(-1, 1, 2))[:, 0]
    distance = (displacement - shown).square().sum(1)
    return (weight * distance).sum() / weight.sum().clamp_min(1.)
