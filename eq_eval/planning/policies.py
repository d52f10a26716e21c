"""Planners that answer with moves and not with costs: how they are taught, and what they plan."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
import tempfile

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.planner import Demonstration
from eq_eval.training.planner import DemonstrationStream
from eq_eval.training.planner import PlannerBatch
from eq_eval.training.recipe import TrainingRecipe
from eq_navigation.losses import displacement_loss
from eq_navigation.losses import move_loss
from eq_navigation.message_passing import neighbor_scores

TOGETHER = 50   # maps that are planned on at once


def answer(model: nn.Module, batch: PlannerBatch, **settings: int) -> dict[str, Tensor]:
    """What a network says of each node, told which one is the goal; `settings` are its own."""
    goal = torch.zeros_like(batch.feature[:, :1])
    goal[batch.goal] = 1
    said: dict[str, Tensor] = model(torch.cat([batch.feature, goal], 1), batch.neighbor,
                                    batch.mask, batch.offset, **settings)
    return said


def policy_losses(model: nn.Module, batch: PlannerBatch) -> dict[str, Tensor]:
    """Loss of a batch: the demonstrated move should be the best, and the displacement its own."""
    said = answer(model, batch)
    going = neighbor_scores(said['scores'], batch.offset, batch.mask)
    terms = {'imitation': move_loss(going, batch.action, batch.weight)}
    if 'displacement' in said:
        terms['displacement'] = displacement_loss(said['displacement'], batch.offset,
                                                  batch.action, batch.weight)
    return {**terms, 'total': torch.stack(list(terms.values())).sum()}


def learn_policy(build: Callable[[], nn.Module], recipe: TrainingRecipe,
                 shown: list[Demonstration]) -> tuple[nn.Module, float]:
    """Trains a network on demonstrations; returns it and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        run = run_training(Training(recipe, build, policy_losses),
                           DemonstrationStream(shown, recipe), Path(folder))
        trained: nn.Module = run.exported()
        return trained, run.seconds


@torch.no_grad()
def plans(model: nn.Module, maps: list[Demonstration], **settings: int
          ) -> Iterator[NDArray[np.int64]]:
    """Yields the (N,) next nodes of every map, those of the highest scores."""
    for first in range(0, len(maps), TOGETHER):
        part = maps[first:first + TOGETHER]
        batch = PlannerBatch.of(part)
        scores = answer(model.eval(), batch, **settings)['scores']
        going = neighbor_scores(scores, batch.offset, batch.mask)
        best, row = going.argmax(1).numpy(), 0
        for each in part:
            count = len(each.graph)
            yield each.graph.neighbor[np.arange(count), best[row:row + count]]
            row += count


def operations(model: nn.Module, shown: Demonstration) -> float:
    """Multiplications and additions of matrix products and convolutions, per node."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        answer(model, PlannerBatch.of([shown]))
    return counter.get_total_flops() / len(shown.graph)
