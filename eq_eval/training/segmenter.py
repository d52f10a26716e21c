"""Trains the segmenter: detection and panoptic heads together, on one shared network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch import Tensor

from eq_core.runtime.bundle import Bundle
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.segmenter_samples import PanopticBatch
from eq_eval.training.segmenter_samples import SegmenterStream
from eq_perception.panoptic.losses import panoptic_loss
from eq_perception.panoptic.model import BevSegmenter


def start_segmenter(recipe: SegmenterRecipe, detector: Bundle | None = None) -> Training:
    """Prepares a run.

    Args:
        recipe: The run.
        detector: A trained detector of the same network, whose weights the shared part takes.
    """
    def build() -> BevSegmenter:
        model = BevSegmenter(recipe.segmenter)
        if detector is not None:
            model.bev.load_state_dict({name: torch.from_numpy(value.copy())
                                       for name, value in detector.weights().items()})
        return model

    return Training(recipe, build, segmenter_losses)


def segmenter_losses(model: nn.Module, batch: PanopticBatch) -> dict[str, Tensor]:
    """Loss terms of a batch; the network runs in bfloat16, the losses do not."""
    with torch.autocast('cpu', torch.bfloat16):
        fields = model(torch.from_numpy(batch.pillar_points),
                       torch.from_numpy(batch.pillar_index),
                       torch.from_numpy(batch.pillar_cells),
                       torch.from_numpy(batch.point_features),
                       torch.from_numpy(batch.point_row))
    return panoptic_loss(fields, batch.targets, batch.panoptic)


def train_segmenter(recipe: SegmenterRecipe, store: ScanStore, folder: Path,
                    detector: Bundle | None = None, progress: Progress | None = None
                    ) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        store: Training scenes with classes of points; the recipe's fraction of them is used.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        detector: Weights that the shared network starts from.
        progress: Called with step and averaged losses now and then.

    Returns:
        The finished run.
    """
    stream = SegmenterStream(store.subset(recipe.fraction), recipe)
    return run_training(start_segmenter(recipe, detector), stream, folder, progress)
