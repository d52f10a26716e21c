"""What a training starts from, and that a run keeps to what it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.runtime.bundle import Bundle
from eq_eval.training.recipe import PretrainingRecipe
from eq_eval.training.recipe import Recipe


def take_weights(model: nn.Module, initial: Bundle) -> None:
    """Fills a network with the weights of a bundle.

    Args:
        model: The network, or the part of it that the bundle is of.
        initial: The bundle.

    Raises:
        ConfigError: The weights are of another network.
    """
    try:
        model.load_state_dict({name: torch.from_numpy(value.copy())
                               for name, value in initial.weights().items()})
    except RuntimeError as error:
        raise ConfigError(f'{initial.path}: weights of another network: {error}') from error


def scans_seen(initial: Bundle | None) -> list[dict[str, Any]]:
    """Real scans that a model has learnt from; whoever starts from it has seen them, too."""
    return [] if initial is None else list(initial.manifest.training.get('recorded', []))


def refuse_other_scans(recipe: Recipe | PretrainingRecipe, folder: Path) -> None:
    """Refuses to go on with other scans: the run would not tell of those that it has seen before.

    Raises:
        InputError: The run in `folder` learns from others.
    """
    begun = folder / 'recipe.json'
    if not (begun.exists() and (folder / 'checkpoint.pt').exists()):
        return
    before = json.loads(begun.read_text()).get('recorded', '')
    if before != recipe.recorded:
        raise InputError(f'{folder} holds a run on {before or "no recording"}, not on '
                         f'{recipe.recorded or "no recording"}; choose another folder')


def initial_name(initial: Bundle | None) -> str:
    """Name and SHA-256 of the weights of a bundle, empty if there is none."""
    return '' if initial is None else (
        f'{initial.manifest.name} {initial.manifest.sha256["model.safetensors"]}')
