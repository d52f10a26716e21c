"""Trains a spatial policy of pick and place from demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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
from eq_manipulation.spatial.losses import near_loss
from eq_manipulation.spatial.losses import pick_loss
from eq_manipulation.spatial.losses import place_losses
from eq_manipulation.spatial.losses import turned
from eq_manipulation.spatial.model import SpatialNetworks


def spatial_losses(model: nn.Module, batch: SpatialBatch) -> dict[str, Tensor]:
    """Returns the losses of pick (position, rotation) and place, and their sum."""
    scene, count = model.scene(batch.picture), len(batch.pick)
    picks = [pick_loss(scene['pick'][row], batch.pick[row], batch.basis[row])
             for row in range(count)]
    compare = _places_by_pictures if model.config.turn_before else _places_by_features
    places = compare(model, scene['place_features'], batch)
    names = ('pick', 'pick_turn', 'place', 'place_turn', 'place_near')
    parts = (*zip(*picks, strict=True), *zip(*places, strict=True))     # the twin has no last one
    terms = {name: sum(part, batch.pick.new_zeros(())) / count
             for name, part in zip(names, parts, strict=False)}
    return {**terms, 'total': sum(terms.values(), batch.pick.new_zeros(()))}


def _places_by_features(model: nn.Module, phi: Tensor, batch: SpatialBatch
                        ) -> list[tuple[Tensor, ...]]:
    counts, rows = model.config.features, []
    for row, psi in enumerate(model.crop(batch.crop)['crop_features']):
        rows.append((*place_losses(phi[row], partial(turned, psi, counts=counts),
                                   batch.coarse[row], batch.turns[row], batch.fine_places[row, 0]),
                     near_loss(phi[row], psi, counts, batch.fine[row], batch.fine_places[row])))
    return rows


def _places_by_pictures(model: nn.Module, phi: Tensor, batch: SpatialBatch
                        ) -> list[tuple[Tensor, ...]]:
    """The plain twin: every turn is another picture, and poses between cells have none."""
    def copies(crop: Tensor, rotations: Tensor) -> Tensor:
        pictures = turned(crop, rotations, (len(crop),))
        return model.crop(pictures)['crop_features']

    return [place_losses(phi[row], partial(copies, crop), batch.coarse[row], batch.turns[row],
                         batch.fine_places[row, 0]) for row, crop in enumerate(batch.crop)]


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
