"""The network that is pre-trained: the detector's shared part, and what is asked of it.

All heads but that of rotation are averaged over the group: whatever turn of the group a scene is
seen at, the embedding of a point in it is the same by construction. For a group beyond C1 the
objective of rotation is then the only one that could tell turns of the group, and it can only
learn them in its own weights.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.group import PlanarGroup
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.model import BevDetector
from eq_perception.pretraining.config import Objectives


class InvariantHead(nn.Module):
    """A network over a regular feature and a vector, averaged over the group.

    ``h(f, v) = mean over g of mlp(g^-1 f, g^-1 v)``, frame averaging over a finite group (Puny et
    al., ICLR 2022, eq. 4).

    Law: group G; `fields` regular + `vectors` frequency 1 + `scalars` trivial -> invariant.
    """

    seen_from: Tensor
    inverse_action: Tensor

    def __init__(self, group: PlanarGroup, fields: int, width: int, out: int, vectors: int = 0,
                 scalars: int = 0) -> None:
        """Builds the layers."""
        super().__init__()
        self.group, self.fields = group, fields
        # Statistics are of points and of group elements alike, so that the law holds.
        self.mlp = nn.Sequential(
            nn.Linear(fields * group.order + 2 * vectors + scalars, width),
            nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, out))
        self.register_buffer('seen_from', torch.as_tensor(group.compose), persistent=False)
        self.register_buffer('inverse_action', torch.as_tensor(
            group.matrices[group.inverse], dtype=torch.get_default_dtype()), persistent=False)

    def forward(self, feature: Tensor, vectors: Tensor | None = None,
                scalars: Tensor | None = None) -> Tensor:
        """Maps (N, fields * order), (N, vectors, 2) and (N, scalars) to (N, out)."""
        split = feature.reshape(len(feature), self.fields, self.group.order)
        seen = split[:, :, self.seen_from].permute(2, 0, 1, 3).flatten(2)     # (g, N, channels)
        parts = [seen]
        if vectors is not None:
            parts.append(torch.einsum('gde,nve->gnvd', self.inverse_action, vectors).flatten(2))
        if scalars is not None:
            parts.append(scalars.expand(self.group.order, *scalars.shape))
        answer = self.mlp(torch.cat(parts, -1).flatten(0, 1))
        return answer.unflatten(0, (self.group.order, len(feature))).mean(0)


class Projected(nn.Module):
    """The shared BEV network and the embedding of points in its feature map: f and m.

    Law: group G; the scene turns -> embeddings of its points stay, exactly for C1, C2, C4.
    """

    def __init__(self, config: DetectorConfig, width: int) -> None:
        """Builds the network with random weights."""
        super().__init__()
        group = PlanarGroup.from_name(config.group)
        self.network = BevDetector(config)
        self.projector = InvariantHead(group, config.channels[-1], width, width)

    def features(self, pillar_points: Tensor, pillar_index: Tensor) -> Tensor:
        """Computes the regular field (B, channels, h, w) that all heads of the detector share."""
        return self.network.features(self.network.encoder(pillar_points), pillar_index)

    def embed(self, rows: Tensor) -> Tensor:
        """Maps features (N, channels) to unit embeddings (N, width)."""
        return nn.functional.normalize(self.projector(rows), dim=-1)


class Pretrainer(nn.Module):
    """Online network, its slow target, predictor, rotation classifier and occupancy decoder.

    Law: that of `Projected`, in both networks; `occupancy` is invariant where offsets turn with
    the scene.

    Attributes:
        online: Is trained; its network is what a detector starts from.
        target: Moving average of it, for the scan before.
        predictor: q, from an online embedding to that of the target.
        rotation: s, from the mean feature of a view to logits of how much it was turned. It is
            not averaged over the group, or it would be blind to turns of the group.
        occupancy: From the feature of a cell, where in it and how high to a logit.
    """

    def __init__(self, config: DetectorConfig, objectives: Objectives) -> None:
        """Builds all parts with random weights."""
        super().__init__()
        self.config, self.objectives = config, objectives
        group, width = PlanarGroup.from_name(config.group), objectives.width
        channels = config.channels[-1] * group.order
        self.online = Projected(config, width)
        self.target = deepcopy(self.online).requires_grad_(False)
        self.predictor = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
                                       nn.Linear(width, width))
        self.rotation = nn.Sequential(nn.Linear(channels, width), nn.ReLU(),
                                      nn.Linear(width, objectives.bins))
        self.occupancy = InvariantHead(group, config.channels[-1], width, 1, vectors=1, scalars=1)

    @torch.no_grad()
    def follow(self) -> None:
        """Moves the target a little towards the online network."""
        decay = self.objectives.target_decay
        for slow, fast in zip(self.target.parameters(), self.online.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
