"""Self-supervised pre-training of the shared BEV network, after E-SSL3D (Hegde et al., ECCV 2024).

One step, in the order of the paper: two views of a scan and the scan before it go through the
network; points find themselves in the other view, the turn of the first is told, and points keep
their features while they move. The generative competitor asks what lies behind surfaces.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch import Tensor

from eq_eval.training.initial import refuse_other_scans
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.pretraining_samples import PretrainingBatch
from eq_eval.training.pretraining_samples import PretrainingStream
from eq_eval.training.pretraining_samples import View
from eq_eval.training.recipe import PretrainingRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.unlabeled import UnlabeledScans
from eq_perception.pretraining.model import Pretrainer
from eq_perception.pretraining.model import Projected
from eq_perception.pretraining.objectives import flow_consistency
from eq_perception.pretraining.objectives import point_info_nce
from eq_perception.pretraining.objectives import rotation_bin
from eq_perception.pretraining.objectives import spread

COLLAPSED = .1      # spread of embeddings below which they tell nothing apart
TASK = 'lidar_pretraining'      # of the bundle: its heads have learnt nothing


def start_pretraining(recipe: PretrainingRecipe) -> Training:
    """Prepares a run with random weights."""
    limit = float(np.deg2rad(recipe.augmentation.yaw_degrees))

    def losses(model: nn.Module, batch: PretrainingBatch) -> dict[str, Tensor]:
        if not isinstance(model, Pretrainer):
            raise TypeError(f'{type(model).__name__} is no Pretrainer')
        return pretraining_losses(model, batch, limit)

    return Training(recipe, lambda: Pretrainer(recipe.detector, recipe.objectives), losses)


def pretrain(recipe: PretrainingRecipe, store: ScanStore, folder: Path,
             progress: Progress | None = None, recorded: UnlabeledScans | None = None
             ) -> Training:
    """Runs (or continues) a pre-training.

    Args:
        recipe: The run.
        store: Simulated scenes; the recipe's fraction of them is used. May be empty beside
            recordings.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.
        recorded: Scans of recordings; `recipe.recorded` names them.

    Returns:
        The finished run.

    Raises:
        InputError: The run in `folder` learns from other scans.
    """
    refuse_other_scans(recipe, folder)
    stream = PretrainingStream(store.subset(recipe.fraction), recorded, recipe.detector,
                               recipe.objectives, recipe.augmentation, recipe.batch_size,
                               recipe.seed)
    return run_training(start_pretraining(recipe), stream, folder, progress)


def pretraining_losses(model: Pretrainer, batch: PretrainingBatch, limit: float
                       ) -> dict[str, Tensor]:
    """Terms of a batch; the networks run in bfloat16, the objectives do not.

    Args:
        model: Its target follows with every call in training mode.
        batch: What is asked.
        limit: Largest turn of a view [rad].

    Returns:
        ``total``, the asked of ``contrastive``, ``rotation``, ``flow``, ``occupancy``, and beside
        them, to be looked at: ``spread`` of the embeddings, and as parts of 1 ``rotation_right``
        and ``occupancy_right``.
    """
    asked = model.objectives
    if model.training:
        model.follow()
    field = _features(model.online, batch.first)
    terms: dict[str, Tensor] = {}
    seen: dict[str, Tensor] = {}
    if batch.second is not None:                                            # L_pnce
        here = model.online.embed(_rows(field, batch.matched[:, 0]))
        there = model.online.embed(_rows(_features(model.online, batch.second),
                                         batch.matched[:, 1]))
        samples = [torch.from_numpy(batch.sample == number)
                   for number in range(len(batch.yaw))]
        terms['contrastive'] = torch.stack([
            point_info_nce(here[own], there[own], asked.temperature)
            for own in samples]).mean()
        seen['spread'] = spread(here)
    if asked.rotation:                                                      # L_ce
        logits = model.rotation(field.float().mean((2, 3)))
        truth = rotation_bin(torch.from_numpy(batch.yaw), asked.bins, limit)
        terms['rotation'] = nn.functional.cross_entropy(logits, truth)
        seen['rotation_right'] = (logits.argmax(1) == truth).float().mean()
    if batch.earlier is not None:                                           # L_flow
        with torch.no_grad():
            target = model.target.embed(_rows(_features(model.target, batch.earlier),
                                              batch.flow[:, 0]))
        predicted = nn.functional.normalize(model.predictor(
            model.online.embed(_rows(field, batch.flow[:, 1]))), dim=-1)
        terms['flow'] = flow_consistency(predicted, target, field[:, 0].numel())
        seen['spread'] = spread(target)
    if asked.occupancy:
        logits = model.occupancy(
            _rows(field, batch.queried), torch.from_numpy(batch.offset)[:, None],
            torch.from_numpy(batch.height)[:, None])[:, 0]
        occupied = torch.from_numpy(batch.occupied)
        terms['occupancy'] = nn.functional.binary_cross_entropy_with_logits(logits, occupied)
        seen['occupancy_right'] = ((logits > 0) == (occupied > .5)).float().mean()
    terms['total'] = torch.stack([getattr(asked, name) * term
                                  for name, term in terms.items()]).sum()
    return terms | {name: value.detach() for name, value in seen.items()}


def _features(network: Projected, view: View) -> Tensor:
    with torch.autocast('cpu', torch.bfloat16):
        return network.features(torch.from_numpy(view.points), torch.from_numpy(view.index))


def _rows(field: Tensor, cells: np.ndarray) -> Tensor:
    """Features (N, channels) float32 of cells that are numbered through all samples."""
    flat = field.permute(0, 2, 3, 1).flatten(0, 2)
    return flat[torch.from_numpy(cells)].float()


def outcome(folder: Path) -> dict[str, float | bool | None]:
    """Reads how a run ended from its log.

    Args:
        folder: That of the run.

    Returns:
        The last averages of the terms, and ``collapsed``: whether embeddings of all points are
        nearly the same; None where no objective needs embeddings, or nothing was logged.
    """
    log = folder / 'log.jsonl'
    lines = log.read_text().splitlines() if log.exists() else []
    last = json.loads(lines[-1]) if lines else {}
    found = {name: last[name] for name in last if name not in ('step', 'seconds', 'total')}
    return found | {'collapsed': found['spread'] < COLLAPSED if 'spread' in found else None}
