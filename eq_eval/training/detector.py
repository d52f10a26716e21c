"""Trains the detector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch import Tensor

from eq_core.errors import ConfigError
from eq_core.runtime.bundle import Bundle
from eq_eval.training.calibration import take_trained
from eq_eval.training.frame_samples import FrameSamples
from eq_eval.training.initial import refuse_other_scans
from eq_eval.training.labeled_frames import LabeledFrames
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.recipe import Recipe
from eq_eval.training.samples import Batch
from eq_eval.training.samples import SampleStream
from eq_eval.training.scan_store import ScanStore
from eq_perception.detection.losses import detection_loss
from eq_perception.detection.model import BevDetector

# What may keep its weights: parts of the network by the beginnings of their names. Statistics of
# normalisation follow the new data in any case.
FROZEN: Mapping[str, tuple[str, ...]] = {
    'nothing': (), 'encoder': ('encoder.',), 'backbone': ('encoder.', 'stages.'),
    'all but heads': ('encoder.', 'stages.', 'laterals.', 'shared.')}


def start_detector(recipe: Recipe, initial: Bundle | None = None) -> Training:
    """Prepares a run.

    Args:
        recipe: The run.
        initial: A trained detector whose weights are taken, as they were before they were
            calibrated; random ones if None.

    Raises:
        ConfigError: The weights are of another network, or nothing of the name can be frozen.
    """
    if recipe.frozen not in FROZEN:
        raise ConfigError(f'frozen must be one of {", ".join(FROZEN)}, got {recipe.frozen!r}')

    def build() -> BevDetector:
        model = BevDetector(recipe.detector)
        if initial is not None:
            take_trained(model, initial)
        for name, weight in model.named_parameters():
            weight.requires_grad_(not name.startswith(FROZEN[recipe.frozen]))
        return model

    return Training(recipe, build, detector_losses)


def detector_losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Loss terms of a batch; the network runs in bfloat16, the losses do not."""
    with torch.autocast('cpu', torch.bfloat16):
        fields = model(torch.from_numpy(batch.pillar_points), torch.from_numpy(batch.pillar_index))
    return detection_loss(fields, batch.targets)


def train_detector(recipe: Recipe, store: ScanStore, folder: Path,
                   progress: Progress | None = None, initial: Bundle | None = None,
                   frames: LabeledFrames | None = None) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        store: Training scenes; the recipe's fraction of them is used. May be empty beside frames.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.
        initial: What it starts from, see `start_detector`.
        frames: Real scans that every second sample is drawn from; `recipe.recorded` names them.

    Returns:
        The finished run.

    Raises:
        InputError: The run in `folder` learns from other scans.
    """
    refuse_other_scans(recipe, folder)
    real = None if frames is None else FrameSamples(
        frames, recipe.detector, recipe.augmentation, recipe.pasted)
    stream = SampleStream(store.subset(recipe.fraction), recipe.detector, recipe.augmentation,
                          recipe.batch_size, recipe.seed, real)
    return run_training(start_detector(recipe, initial), stream, folder, progress)
