"""The objectives of pre-training, each a function of what the network says of some points.

Numbers of equations are those of E-SSL3D (Hegde et al., ECCV 2024) as far as they follow it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor


def point_info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """PointInfoNCE (Xie et al., ECCV 2020): each point finds itself among those of another view.

    Args:
        first: (N, width) unit embeddings of points in one view.
        second: (N, width) of the same points in the other.
        temperature: Divides the similarities.

    Returns:
        Cross-entropy, summed over points as published, averaged over both ways round.
    """
    similarity = first @ second.T / temperature
    own = torch.arange(len(first))
    return torch.stack([nn.functional.cross_entropy(logits, own, reduction='sum')
                        for logits in (similarity, similarity.T)]).mean()


def flow_consistency(predicted: Tensor, target: Tensor, cells: int) -> Tensor:
    """Squared distance of embeddings before and after the scene has moved, over all cells.

    Args:
        predicted: (N, width) unit embeddings in the later scan, where the points went.
        target: (N, width) of the target network in the earlier scan, where they were.
        cells: Cells of the map, H W.
    """
    return (predicted - target.detach()).square().sum() / cells


def rotation_bin(yaw: Tensor, bins: int, limit: float) -> Tensor:
    """Class (B,) int64 of angles (B,) in [-limit, limit]."""
    return ((yaw / limit + 1) / 2 * bins).long().clamp(0, bins - 1)


def spread(embedding: Tensor) -> Tensor:
    """How far embeddings lie apart: about 1 if evenly over the sphere, 0 if all are the same.

    Args:
        embedding: (N, width) unit vectors.
    """
    return (1 - embedding.mean(0).square().sum()).clamp(min=0)
