"""Batch normalisation where a batch is two tables."""

from __future__ import annotations

from torch import nn

from eq_core.nn.steerable3d import SteerableBatchNorm3d

NORMS = (nn.BatchNorm2d, SteerableBatchNorm3d)


def settle(model: nn.Module) -> None:
    """Lets normalisation go by its moving statistics from now on, until `model.train`.

    A batch is one or two tables, and statistics of its own tell an object by themselves; they
    would not be there when the policy acts.
    """
    for module in model.modules():
        if isinstance(module, NORMS):
            module.eval()
