"""Trains a spatial policy of pick and place from demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn
from torch import Tensor

from eq_eval.manipulation.spatial.demonstrations import SpatialDemonstration
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import SpatialRecipe
from eq_eval.training.spatial_samples import SpatialBatch
from eq_eval.training.spatial_samples import SpatialStream
from eq_manipulation.spatial.losses import pick_loss
from eq_manipulation.spatial.losses import place_losses
from eq_manipulation.spatial.model import SpatialNetworks


def spatial_losses(model: nn.Module, batch: SpatialBatch) -> dict[str, Tensor]:
    """Returns the losses of pick (position, rotation) and place, and their sum."""
    scene = model.scene(batch.picture)
    psi = model.crop(batch.crop)['crop_features']
    count = len(batch.pick)
    picks = [pick_loss(scene['pick'][row], batch.pick[row], batch.basis[row])
             for row in range(count)]
    places = [place_losses(scene['place_features'][row], psi[row], model.config.features,
                           batch.coarse[row], batch.turns[row], batch.fine[row],
                           batch.fine_places[row])
              for row in range(count)]
    names = ('pick', 'pick_turn', 'place', 'place_turn', 'place_near')
    terms = {name: sum(part, batch.pick.new_zeros(())) / count for name, part in zip(
        names, (*zip(*picks, strict=True), *zip(*places, strict=True)), strict=True)}
    return {**terms, 'total': sum(terms.values(), batch.pick.new_zeros(()))}


def train_spatial(recipe: SpatialRecipe, shown: Sequence[SpatialDemonstration], folder: Path,
                  progress: Progress | None = None) -> Training:
    """Trains, or continues a training.

    Args:
        recipe: The run.
        shown: Demonstrations.
        folder: Keeps checkpoint and log.
        progress: Called with step and losses now and then.
    """
    training = Training(recipe, lambda: SpatialNetworks(recipe.policy), spatial_losses)
    return run_training(training, SpatialStream(shown, recipe), folder, progress)
