"""Trains the segmenter: detection and panoptic heads together, on one shared network."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch import Tensor

from eq_core.runtime.bundle import Bundle
from eq_eval.training.calibration import take_trained
from eq_eval.training.initial import refuse_other_scans
from eq_eval.training.initial import take_weights
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.recorded import RecordedScans
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.segmenter_samples import PanopticBatch
from eq_eval.training.segmenter_samples import SegmenterStream
from eq_perception.panoptic.losses import panoptic_loss
from eq_perception.panoptic.model import BevSegmenter

SEGMENTATION = 'panoptic_segmentation'      # the task of a segmenter's bundle


def start_segmenter(recipe: SegmenterRecipe, initial: Bundle | None = None) -> Training:
    """Prepares a run.

    Args:
        recipe: The run.
        initial: A trained segmenter whose weights are taken, or a detector of the same network,
            whose weights the shared part takes.

    Raises:
        ConfigError: The weights are of another network.
    """
    def build() -> BevSegmenter:
        model = BevSegmenter(recipe.segmenter)
        if initial is not None and initial.manifest.task == SEGMENTATION:
            take_weights(model, initial)
        elif initial is not None:
            take_trained(model.bev, initial)
        return model

    return Training(recipe, build,
                    partial(segmenter_losses, semantic_weight=recipe.semantic_weight))


def segmenter_losses(model: nn.Module, batch: PanopticBatch, semantic_weight: float = 1.
                     ) -> dict[str, Tensor]:
    """Loss terms of a batch; the network runs in bfloat16, the losses do not."""
    with torch.autocast('cpu', torch.bfloat16):
        fields = model(torch.from_numpy(batch.pillar_points),
                       torch.from_numpy(batch.pillar_index),
                       torch.from_numpy(batch.pillar_cells),
                       torch.from_numpy(batch.pillar_columns),
                       torch.from_numpy(batch.point_features),
                       torch.from_numpy(batch.point_row))
    return panoptic_loss(fields, batch.targets, batch.panoptic, semantic_weight)


def train_segmenter(recipe: SegmenterRecipe, store: ScanStore, folder: Path,
                    initial: Bundle | None = None, progress: Progress | None = None,
                    recorded: RecordedScans | None = None) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        store: Training scenes with classes of points; the recipe's fraction of them is used.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        initial: What it starts from, see `start_segmenter`.
        progress: Called with step and averaged losses now and then.
        recorded: Real scans that every second sample is drawn from; `recipe.recorded` names them.

    Returns:
        The finished run.

    Raises:
        InputError: The run in `folder` learns from other scans.
    """
    refuse_other_scans(recipe, folder)
    stream = SegmenterStream(store.subset(recipe.fraction), recipe, recorded)
    return run_training(start_segmenter(recipe, initial), stream, folder, progress)
