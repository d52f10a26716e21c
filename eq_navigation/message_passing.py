"""Value iteration by message passing on geometric graphs (Zhao et al. 2024, arXiv 2309.13043).

The paper's planner, with hidden fields that are regular representations of C_N or D_N; ours,
whose maximum runs over neighbours, is in `model.py`. It differs from the published code:

- nodes know where their neighbours are, and not where they are themselves;
- the last layer obeys the law like all others;
- values travel as many steps as the map asks for (`iterations_for`), and an iteration goes half
  of the way to the new ones: the values at rest are the same. With that, and a tanh that bounds
  what an iteration says, so deep a recursion is learnt without normalising over batches.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch import Tensor

from eq_core.groups.representation import FieldType
from eq_core.groups.representation import regular
from eq_core.groups.representation import scalars
from eq_core.groups.representation import vectors
from eq_core.nn.linear import dense
from eq_core.nn.linear import GroupLinear
from eq_navigation.config import MessagePassingConfig
from eq_navigation.model import UNREACHED


class Messages(nn.Module):
    """Messages of all edges before their ReLU, linear in both ends and the way between them.

    Law: group G; two ends `in_type`, offsets frequency 1 -> `out_type` regular.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType) -> None:
        """Builds the layer."""
        super().__init__()
        self.ends = GroupLinear(twice(in_type), out_type)
        self.way = GroupLinear(vectors(out_type.group, 1), out_type, False)

    def forward(self, field: Tensor, neighbor: Tensor, mask: Tensor, offset: Tensor) -> Tensor:
        """Maps (N, channels), (N, K), (N, K) and (N, K, 2) to (N * K, channels).

        Without an edge the answer is -inf, of which the ReLU lets nothing by.
        """
        message = self.ends(ends(field, neighbor)) + self.way(offset).flatten(0, 1)
        return message.masked_fill(~mask.reshape(-1, 1), -math.inf)


class MessagePassing(nn.Module):
    """One round of messages, ``phi(f_i, mean_j psi(x_j - x_i, f_i, f_j))``.

    The last linear map of psi and the first of phi are one here, since only a mean lies between
    them; that saves most of the work on edges.

    Law: group G, translations and permutations of nodes; `in_type`, offsets frequency 1 ->
    `out_type`.
    """

    def __init__(self, in_type: FieldType, hidden: FieldType, out_type: FieldType) -> None:
        """Builds the layer."""
        super().__init__()
        self.message, self.own = Messages(in_type, hidden), GroupLinear(in_type, hidden)
        self.heard = GroupLinear(hidden, hidden, False)
        self.answer = GroupLinear(hidden, out_type)

    def forward(self, field: Tensor, neighbor: Tensor, mask: Tensor, offset: Tensor) -> Tensor:
        """Maps (N, in_type.channels) to (N, out_type.channels)."""
        heard = mean_heard(self.message(field, neighbor, mask, offset), mask, degree(mask))
        return self.answer(nn.functional.elu(self.own(field) + self.heard(heard)))


class MessagePassingPlanner(nn.Module):
    """From what is known of nodes to where to go from each.

    ``r = h(f)``, then K times ``V <- (V + max_a q_a([r, V])) / 2``, for every group element
    by itself, then the action from the last q. What r contributes to q is the same in all
    iterations and computed once.

    Law: C_N or D_N about any point, translations, permutations of nodes; features trivial,
    offsets frequency 1 -> displacement frequency 1, scores of N directions permuted.
    """

    def __init__(self, config: MessagePassingConfig) -> None:
        """Builds the network with random weights."""
        super().__init__()
        self.config, group = config, config.symmetry
        hidden, value = regular(group, config.hidden), regular(group, config.values)
        quality = regular(group, config.values * config.actions)
        self.encode = MessagePassing(scalars(group, config.features), hidden, hidden)
        self.message, self.own = Messages(hidden, hidden), GroupLinear(hidden, hidden)
        self.value_message = GroupLinear(twice(value), hidden, False)
        self.known = GroupLinear(regular(group, config.hidden + config.values), hidden, False)
        self.quality = GroupLinear(hidden, quality)
        self.decide = MessagePassing(quality, hidden, hidden)
        self.displacement = GroupLinear(hidden, vectors(group, 1))
        self.direction = GroupLinear(hidden, regular(group, config.direction_fields))

    def forward(self, feature: Tensor, neighbor: Tensor, mask: Tensor, offset: Tensor,
                iterations: int | None = None) -> dict[str, Tensor]:
        """Plans.

        Args:
            feature: (N, F), of which one number must tell the goal.
            neighbor: (N, K) int64; any row where `mask` is False.
            mask: (N, K) bool.
            offset: (N, K, 2) the way to each neighbour [m].
            iterations: Steps that a value travels; those of the configuration if None.

        Returns:
            ``'displacement'`` -> (N, 2) the way to the next node [m], ``'scores'`` -> (N, D) of
            the directions 2 pi d / D.
        """
        graph, count = (neighbor, mask, offset), degree(mask)
        reward = nn.functional.elu(self.encode(feature, *graph))
        message, own = self.message(reward, *graph), self.own(reward)
        told, known = dense(self.value_message)[0].T, dense(self.known)[0].T
        last = dense(self.quality)
        quality = nn.functional.linear(torch.zeros_like(own), *last)
        value = torch.zeros_like(self._best(quality))
        for _ in range(self.config.iterations if iterations is None else iterations):
            heard = torch.addmm(message, ends(value, neighbor), told)
            heard = torch.cat([mean_heard(heard, mask, count), value], 1)
            quality = nn.functional.linear(torch.addmm(own, heard, known).tanh(), *last)
            value = (value + self._best(quality)) / 2
        decision = nn.functional.elu(self.decide(quality, *graph))
        return {'displacement': self.displacement(decision),
                'scores': self._by_angle(self.direction(decision))}

    def _best(self, quality: Tensor) -> Tensor:
        """Largest of the actions, for every value field and group element by itself."""
        config = self.config
        return quality.reshape(-1, config.values, config.actions, config.symmetry.order).amax(
            2).flatten(1)

    def _by_angle(self, field: Tensor) -> Tensor:
        """Orders regular fields by direction; an element and its mirror image share theirs."""
        group, count = self.config.symmetry, self.config.direction_fields
        split = field.reshape(-1, count, group.order // group.rotations, group.rotations)
        return split.mean(2).transpose(1, 2).reshape(-1, self.config.directions)


def twice(field: FieldType) -> FieldType:
    """Type of the features of both ends of an edge."""
    return FieldType(field.representation, 2 * field.multiplicity)


def ends(field: Tensor, neighbor: Tensor) -> Tensor:
    """Maps (N, C) features of nodes to (N * K, 2 C) of both ends of each edge."""
    own = field[:, None].expand(-1, neighbor.shape[1], -1)
    return torch.cat([own, nn.functional.embedding(neighbor, field)], -1).flatten(0, 1)


def degree(mask: Tensor) -> Tensor:
    """Maps (N, K) to (N, 1), the number of neighbours, 1 without any."""
    return mask.sum(1, keepdim=True).clamp_min(1)


def mean_heard(message: Tensor, mask: Tensor, count: Tensor) -> Tensor:
    """Maps (N * K, C) messages to (N, C), the mean over neighbours after a ReLU."""
    return message.relu().reshape(*mask.shape, -1).sum(1) / count


def iterations_for(nodes: int) -> int:
    """Steps that carry a value across a map: twice the edge of a square of so many nodes."""
    return math.ceil(2 * math.sqrt(nodes))


def neighbor_scores(scores: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
    """Scores of going to each neighbour, those of the direction that it lies in.

    Args:
        scores: (N, D) of the directions 2 pi d / D.
        offset: (N, K, 2).
        mask: (N, K).

    Returns:
        (N, K); `UNREACHED` without an edge.
    """
    count = scores.shape[1]
    turns = torch.atan2(offset[..., 1], offset[..., 0]) / (2 * math.pi)
    direction = torch.round(turns * count).long() % count
    return torch.where(mask, scores.gather(1, direction), UNREACHED)
