"""Training losses; each is unchanged when prediction and target turn together."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eq_perception.detection.targets import Targets

WEIGHTS = {'heatmap': 1., 'offset': 1., 'height': .5, 'log_size': 1., 'axis': .5, 'heading': .3,
           'velocity': .3, 'covariance': .05}
ROUND_LABELS = (2,)          # pedestrians: nearly square boxes, their axis says little
ROUND_WEIGHT = .1
MAX_LOG_VARIANCE = 4.


def detection_loss(fields: Mapping[str, Tensor], targets: Sequence[Targets]) -> dict[str, Tensor]:
    """Computes every term and their weighted sum under ``'total'``.

    Args:
        fields: The network's answer, each (B, C, h, w).
        targets: One per sample.
    """
    heatmap = torch.as_tensor(np.stack([target.heatmap for target in targets]))
    background = torch.as_tensor(np.stack([target.background for target in targets]))
    terms = {'heatmap': focal_loss(fields['heatmap'].float(), heatmap, background)}
    terms.update(_regression_terms(fields, targets))
    terms['total'] = torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()
    return terms


def focal_loss(logits: Tensor, heatmap: Tensor, background: Tensor) -> Tensor:
    """Penalty-reduced focal loss of CornerNet (Law and Deng 2018, eq. 1; alpha 2, beta 4)."""
    log_score = torch.nn.functional.logsigmoid(logits)
    log_rest = torch.nn.functional.logsigmoid(-logits)
    score = logits.sigmoid()
    positive = heatmap.eq(1)
    hit = -(1 - score) ** 2 * log_score * positive
    miss = -(score ** 2) * log_rest * (1 - heatmap) ** 4 * background[:, None] * ~positive
    return (hit.sum() + miss.sum()) / positive.sum().clamp(min=1)


def _regression_terms(fields: Mapping[str, Tensor], targets: Sequence[Targets]
                      ) -> dict[str, Tensor]:
    sample = torch.as_tensor(np.repeat(np.arange(len(targets)),
                                       [len(target.cell) for target in targets]))
    want = {name: torch.as_tensor(np.concatenate([getattr(target, name) for target in targets]))
            for name in ('cell', 'weight', 'label', 'offset', 'height', 'log_size', 'yaw',
                         'velocity', 'velocity_weight')}
    got = {name: field.flatten(2)[sample, :, want['cell']].float()
           for name, field in fields.items() if name != 'heatmap'}
    weight = want['weight']
    total = weight.sum().clamp(min=1)
    is_round = torch.isin(want['label'], torch.tensor(ROUND_LABELS))
    heading_weight = weight * torch.where(is_round, ROUND_WEIGHT, 1.)
    miss = got['offset'] - want['offset']
    smooth = torch.nn.functional.smooth_l1_loss
    size = smooth(got['log_size'], want['log_size'], reduction='none', beta=.1).sum(1)
    height = smooth(got['height'][:, 0], want['height'], reduction='none', beta=.2)
    moving = weight * want['velocity_weight']
    return {
        'offset': (weight * _length(miss)).sum() / total,
        'height': (weight * height).sum() / total,
        'log_size': (weight * size).sum() / total,
        'axis': (heading_weight * _length(got['axis'] - _unit(2 * want['yaw']))).sum() / total,
        'heading': (heading_weight * _length(got['heading'] - _unit(want['yaw']))).sum() / total,
        'velocity': ((moving * _length(got['velocity'] - want['velocity'])).sum()
                     / moving.sum().clamp(min=1)),
        'covariance': (weight * gaussian_nll(miss.detach(), got['log_variance'][:, 0],
                                             got['deviator'])).sum() / total,
    }


def _unit(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], -1)


def _length(vector: Tensor) -> Tensor:
    """Smooth Euclidean length: unlike a sum over x and y it knows no axes."""
    return (vector.square().sum(-1) + 1e-4).sqrt()


def gaussian_nll(miss: Tensor, log_variance: Tensor, deviator: Tensor) -> Tensor:
    """Negative log likelihood under the covariance ``exp(a I + [[p, q], [q, -p]])``.

    The exponent's trace part is invariant and its deviatoric part turns with frequency 2, so the
    covariance turns as a tensor and is positive definite by construction.

    Args:
        miss: (M, 2) [m].
        log_variance: (M,) a.
        deviator: (M, 2) p and q.
    """
    log_variance = log_variance.clamp(-2 * MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
    size = (deviator.square().sum(-1) + 1e-8).sqrt()
    bounded = size.clamp(max=3.)
    x, y = miss.unbind(-1)
    p, q = (deviator / size[:, None]).unbind(-1)
    quadratic = torch.exp(-log_variance) * (
        bounded.cosh() * (x * x + y * y)
        - bounded.sinh() * (p * (x * x - y * y) + 2 * q * x * y))
    return log_variance + quadratic / 2
