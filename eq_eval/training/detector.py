"""Trains the detector."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch import Tensor

from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import Recipe
from eq_eval.training.samples import Batch
from eq_eval.training.samples import SampleStream
from eq_eval.training.scan_store import ScanStore
from eq_perception.detection.losses import detection_loss
from eq_perception.detection.model import BevDetector


def start_detector(recipe: Recipe) -> Training:
    """Prepares a run from random weights."""
    return Training(recipe, lambda: BevDetector(recipe.detector), detector_losses)


def detector_losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Loss terms of a batch; the network runs in bfloat16, the losses do not."""
    with torch.autocast('cpu', torch.bfloat16):
        fields = model(torch.from_numpy(batch.pillar_points), torch.from_numpy(batch.pillar_index))
    return detection_loss(fields, batch.targets)


def train_detector(recipe: Recipe, store: ScanStore, folder: Path,
                   progress: Progress | None = None) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        store: Training scenes; the recipe's fraction of them is used.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.

    Returns:
        The finished run.
    """
    stream = SampleStream(store.subset(recipe.fraction), recipe.detector, recipe.augmentation,
                          recipe.batch_size, recipe.seed)
    return run_training(start_detector(recipe), stream, folder, progress)
