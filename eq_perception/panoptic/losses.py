"""Training losses of the panoptic heads; unchanged when prediction and target turn together."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eq_perception.detection.losses import detection_loss
from eq_perception.detection.losses import focal_loss
from eq_perception.detection.targets import Targets
from eq_perception.panoptic.targets import PanopticTargets

WEIGHTS = {'detection': 1., 'centerness': .5, 'instance_offset': 1.}


def panoptic_loss(fields: Mapping[str, Tensor], targets: Sequence[Targets],
                  panoptic: Sequence[PanopticTargets], semantic_weight: float = 1.
                  ) -> dict[str, Tensor]:
    """Computes every term and their weighted sum under ``'total'``.

    Args:
        fields: The network's answer; ``'semantics'`` for the targets' points, in their order.
        targets: Boxes of each sample.
        panoptic: Points of each sample.
        semantic_weight: Of the losses of the points' classes beside the others.
    """
    detection = detection_loss(
        {name: fields[name] for name in fields
         if name not in ('centerness', 'instance_offset', 'semantics')}, targets)
    heatmap = torch.as_tensor(np.stack([each.heatmap.max(0, keepdims=True) for each in targets]))
    background = torch.as_tensor(np.stack([each.background for each in targets]))
    logits = fields['semantics'].float()
    classes = torch.as_tensor(np.concatenate([each.semantic for each in panoptic]))
    weight = torch.as_tensor(np.concatenate([each.weight for each in panoptic]))
    terms = {
        'detection': detection.pop('total'),
        'semantic': weighted_cross_entropy(logits, classes, weight.sqrt()),
        'lovasz': lovasz_softmax(logits.softmax(-1), classes, weight),
        'centerness': focal_loss(fields['centerness'].float(), heatmap, background),
        'instance_offset': offset_loss(fields['instance_offset'], panoptic)}
    weights = {**WEIGHTS, 'semantic': semantic_weight, 'lovasz': semantic_weight}
    total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    return {**detection, **terms, 'total': total}


def offset_loss(field: Tensor, panoptic: Sequence[PanopticTargets]) -> Tensor:
    """Mean length of the miss over instances; a length knows no axes.

    Args:
        field: (B, 2, h, w).
        panoptic: Points of each sample.
    """
    losses, instances = [], 0.
    for sample, each in enumerate(panoptic):
        chosen = np.flatnonzero(each.offset_weight)
        cell = torch.as_tensor(each.cell[chosen])
        weight = torch.as_tensor(each.offset_weight[chosen])
        miss = (field[sample].flatten(1)[:, cell].T.float()
                - torch.as_tensor(each.offset[chosen]))
        losses.append((weight * (miss.square().sum(-1) + 1e-4).sqrt()).sum())
        instances += float(each.offset_weight.sum())
    return torch.stack(losses).sum() / max(1., instances)


def weighted_cross_entropy(logits: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """Mean over points of different weight.

    Points are drawn with the root of their class's share. Weights that undo the draw would have
    rare classes unlearnt, none would have them seen everywhere; their root lies between.

    Args:
        logits: (N, C).
        classes: (N,) int64.
        weight: (N,).
    """
    loss = torch.nn.functional.cross_entropy(logits, classes, label_smoothing=.02,
                                             reduction='none')
    return (weight * loss).sum() / weight.sum()


def lovasz_softmax(probability: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """Surrogate of the mean IoU over the classes present (Berman et al. 2018, eq. 8 and 9).

    Args:
        probability: (N, C).
        classes: (N,) int64.
        weight: (N,), how many points each stands for.
    """
    losses = []
    for label in classes.unique():
        wanted = (classes == label).float()
        error, order = (wanted - probability[:, label]).abs().sort(descending=True)
        losses.append((error * _jaccard_gradient(wanted[order], weight[order])).sum())
    return torch.stack(losses).mean()


def _jaccard_gradient(wanted: Tensor, weight: Tensor) -> Tensor:
    """Steps of the Jaccard loss as errors are admitted from the largest on (ibid., eq. 6)."""
    inside, outside = wanted * weight, (1 - wanted) * weight
    total = inside.sum()
    jaccard = 1 - (total - inside.cumsum(0)) / (total + outside.cumsum(0))
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
