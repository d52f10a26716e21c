"""Trains the network of edge costs through value iteration, from demonstrated moves."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import cast

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch import Tensor

from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Stream
from eq_eval.training.loop import Training
from eq_eval.training.recipe import PlannerRecipe
from eq_eval.training.recipe import TrainingRecipe
from eq_navigation.graph import GeometricGraph
from eq_navigation.losses import imitation_loss
from eq_navigation.model import EdgeCost
from eq_navigation.model import value_iteration

GENTLE, RISE = 80, 80   # steps of a training before the loss gets sharper, and while it does


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A graph on which somebody showed the way.

    Attributes:
        graph: The graph.
        goal: Row of the goal.
        action: (N,) int64, column of the neighbour that was gone to; -1 where nobody was seen.
    """

    graph: GeometricGraph
    goal: int
    action: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlannerBatch:
    """Some demonstrations as one graph without edges between them.

    Attributes:
        feature: (N, F).
        neighbor: (N, K).
        mask: (N, K).
        offset: (N, K, 2) [m].
        goal: (B,) rows.
        action: (N,), 0 where there is no demonstration.
        weight: (N,) 1 where there is one, else 0.
        sharpness: See `losses.imitation_loss`.
    """

    feature: Tensor
    neighbor: Tensor
    mask: Tensor
    offset: Tensor
    goal: Tensor
    action: Tensor
    weight: Tensor
    sharpness: float = field(default=1., kw_only=True)

    @classmethod
    def of(cls, demonstrations: list[Demonstration], sharpness: float = 1.) -> PlannerBatch:
        """Puts graphs beside each other, their neighbourhoods padded to the widest."""
        graphs = [each.graph for each in demonstrations]
        first = np.cumsum([0, *(len(graph) for graph in graphs)])[:-1]
        width = max(graph.mask.shape[1] for graph in graphs)
        shown = np.concatenate([each.action for each in demonstrations])

        def stacked(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
            return np.concatenate([np.pad(part, [(0, 0), (0, width - part.shape[1])]
                                          + [(0, 0)] * (part.ndim - 2)) for part in parts])
        return cls(*(torch.from_numpy(value) for value in (
            np.concatenate([graph.feature for graph in graphs]),
            stacked(graph.neighbor + start for graph, start in zip(graphs, first, strict=True)),
            stacked(graph.mask for graph in graphs),
            stacked(graph.offset() for graph in graphs).astype(np.float32),
            np.array([each.goal for each in demonstrations]) + first,
            np.maximum(shown, 0), (shown >= 0).astype(np.float32))), sharpness=sharpness)


@dataclass(frozen=True)
class DemonstrationStream:
    """Batch number -> batch, drawn from a list; a pure function of the seed.

    Attributes:
        demonstrations: What is drawn from.
        recipe: Seed and size of batches.
        sharpness: Of the loss, see `PlannerRecipe`.
    """

    demonstrations: list[Demonstration]
    recipe: TrainingRecipe
    sharpness: float = 1.

    def batches(self, first: int, last: int) -> Iterator[PlannerBatch]:
        """Yields batches `first` .. `last` - 1."""
        for number in range(first, last):
            rng = np.random.default_rng([self.recipe.seed, number])
            chosen = rng.integers(len(self.demonstrations), size=self.recipe.batch_size)
            yield PlannerBatch.of([self.demonstrations[row] for row in chosen],
                                  self._sharpness(number))

    def _sharpness(self, number: int) -> float:
        """How sharply a batch tells good moves from bad ones: annealing, from 1 to `sharpness`.

        At 1 the loss falls all the way as walls get dearer. Sharp from the beginning it has a
        second minimum, walls a little cheaper than free ground, and half the seeds stay there.
        """
        return float(self.sharpness ** np.clip((number - GENTLE) / RISE, 0, 1))


def planner_losses(model: nn.Module, batch: PlannerBatch) -> dict[str, Tensor]:
    """Loss of a batch: places are judged, values travel, the demonstrated move should be best."""
    cost = cast(EdgeCost, model).edges(batch.feature, batch.neighbor, batch.offset)
    going = value_iteration(cost, batch.neighbor, batch.mask, batch.goal)
    loss = imitation_loss(going, cost, batch.action, batch.weight, batch.sharpness)
    return {'imitation': loss, 'total': loss}


def train_planner(recipe: PlannerRecipe, stream: Stream, folder: Path,
                  progress: Progress | None = None, network: type[EdgeCost] = EdgeCost
                  ) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        stream: Batches of demonstrations.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.
        network: What judges edges.
    """
    return run_training(Training(recipe, lambda: network(recipe.planner), planner_losses), stream,
                        folder, progress)
