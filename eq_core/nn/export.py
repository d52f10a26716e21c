"""Turning an equivariant network into plain layers that every inference engine knows."""

from __future__ import annotations

import copy

from torch import nn


def export_plain(model: nn.Module) -> nn.Module:
    """Materialises tied weights and folds normalisation.

    Args:
        model: Any module; children that have an ``export()`` method are replaced by its result.

    Returns:
        A copy in eval mode, made of plain torch layers, computing the same function.
    """
    plain = copy.deepcopy(model).eval()
    _replace_children(plain)
    return plain


def _replace_children(module: nn.Module) -> None:
    for name, child in module.named_children():
        export = getattr(child, 'export', None)
        if callable(export):
            setattr(module, name, export())
        else:
            _replace_children(child)
