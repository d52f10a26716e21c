"""Trains a planar policy of pick and place from demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn
from torch import Tensor

from eq_core.runtime.bundle import Bundle
from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.training.initial import take_weights
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.policy_samples import PolicyBatch
from eq_eval.training.policy_samples import PolicyStream
from eq_eval.training.recipe import PolicyRecipe
from eq_manipulation.planar.losses import pick_loss
from eq_manipulation.planar.losses import place_loss
from eq_manipulation.planar.losses import place_scores
from eq_manipulation.planar.model import PlanarNetworks
from eq_manipulation.two_networks import PARTS

MOMENTUM = .05      # of normalisation; batches are small


def policy_losses(model: nn.Module, batch: PolicyBatch, settled: bool = False
                  ) -> dict[str, Tensor]:
    """Returns the losses of pick and place, their sum under ``'total'``.

    Args:
        model: The networks.
        batch: Some demonstrations.
        settled: Whether normalisation goes by its moving statistics. A batch is two tables, and
            a crop is looked at alone: statistics of its own tell an object by themselves, and
            would not be there when the policy acts.
    """
    for norm in _norms(model) if settled else ():
        norm.eval()
    scene = model.scene(batch.picture)
    pick = pick_loss(scene['pick'], batch.pick)
    place = sum((place_loss(place_scores(phi, crop, model.crop), corner, angle)
                 for phi, crop, corner, angle, placing in zip(
                     scene['place_features'], batch.crop, batch.corner, batch.angle,
                     batch.placing, strict=True) if placing),
                pick.new_zeros(())) / len(batch.angle)
    return {'pick': pick, 'place': place, 'total': pick + place}


def _networks(recipe: PolicyRecipe) -> PlanarNetworks:
    model = PlanarNetworks(recipe.policy)
    for norm in _norms(model):
        norm.momentum = MOMENTUM
    return model


def _norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def train_policy(recipe: PolicyRecipe, shown: Sequence[Demonstration], folder: Path,
                 progress: Progress | None = None, initial: Path | None = None) -> Training:
    """Trains, or continues a training.

    Args:
        recipe: The run.
        shown: Demonstrations.
        folder: Keeps checkpoint and log.
        progress: Called with step and losses now and then.
        initial: Folder of a policy whose weights it starts from; `recipe.initial` names them.

    Raises:
        ConfigError: Those are weights of other networks.
    """
    def build() -> PlanarNetworks:
        model = _networks(recipe)
        if initial is not None:
            for part in PARTS:
                take_weights(getattr(model, part), Bundle.load(initial / part))
        return model

    training = Training(recipe, build, lambda model, batch: policy_losses(
        model, batch, training.step >= recipe.settled * recipe.iterations))
    return run_training(training, PolicyStream(shown, recipe), folder, progress)
