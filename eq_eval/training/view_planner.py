"""Trains the network of costs from camera views through value iteration, from shown moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch import Tensor

from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import ViewPlannerRecipe
from eq_navigation.model import value_iteration
from eq_navigation.view_model import both_ends
from eq_navigation.view_model import ViewCost
from eq_navigation.view_model import with_stop

MIRROR = np.array([0, 3, 2, 1])     # which view a mirror puts in the place of each


@dataclass(frozen=True, eq=False)
class ViewDemonstration:
    """Places that were looked around at, and what somebody did there, in the robot's directions.

    Column v of everything belongs to view v: front, left, back, right.

    Attributes:
        views: (N, 4, 3, H, W) uint8.
        neighbor: (N, 4) int64, the place in each direction; anything where `mask` is False.
        mask: (N, 4) bool, whether there is one. Walls may stand between.
        action: (N,) int64, the direction that was gone in; 4 where the way ended.
    """

    views: NDArray[np.uint8]
    neighbor: NDArray[np.int64]
    mask: NDArray[np.bool_]
    action: NDArray[np.int64]

    def turned(self, heading: NDArray[np.int64]) -> ViewDemonstration:
        """The same if the robot had faced otherwise.

        Args:
            heading: (N,) quarter turns to the left that the robot makes at each place.
        """
        column = (np.arange(4) + heading[:, None]) % 4
        node = np.arange(len(heading))[:, None]
        return ViewDemonstration(
            self.views[node, column], self.neighbor[node, column], self.mask[node, column],
            np.where(self.action < 4, (self.action - heading) % 4, self.action))

    def mirrored(self) -> ViewDemonstration:
        """The same in the mirrored world, where left is right."""
        action = np.append(MIRROR, 4)[self.action]
        return ViewDemonstration(self.views[:, MIRROR, ..., ::-1], self.neighbor[:, MIRROR],
                                 self.mask[:, MIRROR], action)

    @classmethod
    def joined(cls, shown: list[ViewDemonstration]) -> ViewDemonstration:
        """Puts mazes beside each other, without moves between them."""
        first = np.cumsum([0, *(len(each.mask) for each in shown[:-1])])
        return cls(np.concatenate([each.views for each in shown]),
                   np.concatenate([each.neighbor + start
                                   for each, start in zip(shown, first, strict=True)]),
                   np.concatenate([each.mask for each in shown]),
                   np.concatenate([each.action for each in shown]))


@dataclass(frozen=True)
class ViewStream:
    """Batch number -> batch, drawn from a list; a pure function of the seed."""

    shown: list[ViewDemonstration]
    recipe: ViewPlannerRecipe

    def batches(self, first: int, last: int) -> Iterator[ViewDemonstration]:
        """Yields batches `first` .. `last` - 1."""
        for number in range(first, last):
            rng = np.random.default_rng([self.recipe.seed, number])
            chosen = rng.integers(len(self.shown), size=self.recipe.batch_size)
            # The mirror is a symmetry of the world that no network here has built in.
            batch = ViewDemonstration.joined([
                self.shown[row].mirrored() if mirror else self.shown[row]
                for row, mirror in zip(chosen, rng.random(len(chosen)) < .5, strict=True)])
            heading = rng.integers(4, size=len(batch.mask))
            yield batch.turned(heading) if self.recipe.turned else batch


def costs(model: nn.Module, batch: ViewDemonstration) -> Tensor:
    """Returns (N, 5) costs of moving in each direction and of stopping; any without a move."""
    cost = model(torch.from_numpy(batch.views).float() / 255)
    move = both_ends(cost['move'], torch.from_numpy(batch.neighbor), torch.from_numpy(batch.mask))
    return torch.cat([move, cost['stop']], 1)


def going(model: nn.Module, batch: ViewDemonstration) -> Tensor:
    """Returns (N, 5) values of moving in each direction and of stopping."""
    neighbor, mask = with_stop(torch.from_numpy(batch.neighbor), torch.from_numpy(batch.mask))
    cost = nn.functional.pad(costs(model, batch), (0, 0, 0, 1))
    stopped = torch.tensor([len(batch.mask)])
    return value_iteration(cost, neighbor, mask, stopped)[:-1]


def view_losses(model: nn.Module, batch: ViewDemonstration) -> dict[str, Tensor]:
    """Loss of a batch: places are judged, values travel, the shown move should be best."""
    loss = nn.functional.cross_entropy(going(model, batch), torch.from_numpy(batch.action))
    return {'imitation': loss, 'total': loss}


def train_view_planner(recipe: ViewPlannerRecipe, shown: list[ViewDemonstration], folder: Path
                       ) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        shown: Demonstrations with upright headings.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
    """
    return run_training(Training(recipe, lambda: ViewCost(recipe.network), view_losses),
                        ViewStream(shown, recipe), folder)
