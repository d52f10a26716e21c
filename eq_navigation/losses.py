"""Learning to plan from demonstrations: the demonstrated neighbour should be the best one."""

from __future__ import annotations

import torch
from torch import Tensor

from eq_navigation.model import UNREACHED


def imitation_loss(going: Tensor, action: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy over demonstrated nodes, with values as logits.

    Unchanged when the graph turns, is mirrored or moved, as values are.

    Args:
        going: (N, K) value of going to each neighbour, see `model.value_iteration`.
        action: (N,) int64, the demonstrated neighbour's column; 0 where none is.
        weight: (N,) 1 where there is a demonstration, else 0. Nodes that no value has reached
            yet teach nothing and are left out.
    """
    chosen = going.gather(1, action[:, None])[:, 0]
    weight = weight * (chosen > UNREACHED / 2)
    loss = torch.nn.functional.cross_entropy(going, action, reduction='none')
    # A value that is UNREACHED makes a loss of its size, and that times 0 is not small enough.
    return torch.where(weight > 0, weight * loss, 0.).sum() / weight.sum().clamp_min(1.)
