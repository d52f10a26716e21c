"""The training loop of every network: resumable, logged, averaged."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import json
from pathlib import Path
from time import monotonic
from typing import Any
from typing import Protocol

import torch
from torch import nn
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from eq_eval.training.recipe import TrainingRecipe

CHECKPOINT_SECONDS = 120.
LOG_EVERY = 20
GRADIENT_LIMIT = 20.

Progress = Callable[[int, dict[str, float]], None]


class Stream(Protocol):
    """Where batches come from."""

    def batches(self, first: int, last: int) -> Iterator[Any]:
        """Yields batches `first` .. `last` - 1, each a pure function of its number."""


class Training:
    """State of a run: weights, their average, optimiser, schedule, step."""

    def __init__(self, recipe: TrainingRecipe, build: Callable[[], nn.Module],
                 losses: Callable[[nn.Module, Any], dict[str, Tensor]]) -> None:
        """Starts from the weights that `build` draws from the recipe's seed.

        Args:
            recipe: The run.
            build: Makes the network.
            losses: From network and batch to the loss terms, their sum under ``'total'``.
        """
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.recipe, self.step, self.seconds = recipe, 0, 0.
        self.model, self._losses = build(), losses
        self.average = AveragedModel(
            self.model, multi_avg_fn=moving_average(recipe.averaging), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, recipe.iterations + 1, pct_start=recipe.warm_up)

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Returns the loss terms of a batch, their sum under ``'total'``."""
        self.model.train()
        return self._losses(self.model, batch)

    def update(self, batch: Any) -> dict[str, Tensor]:
        """Takes one optimiser step and returns the loss terms."""
        terms = self.losses(batch)
        self.optimizer.zero_grad()
        terms['total'].backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_LIMIT)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        self.step += 1
        return terms

    def save(self, path: Path) -> None:
        """Writes a checkpoint in one piece."""
        partial = path.with_suffix('.partial')
        torch.save({'model': self.model.state_dict(), 'average': self.average.state_dict(),
                    'optimizer': self.optimizer.state_dict(),
                    'schedule': self.schedule.state_dict(),
                    'step': self.step, 'seconds': self.seconds}, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Continues from a checkpoint of the same recipe."""
        state = torch.load(path, weights_only=True)
        for name in ('model', 'average', 'optimizer', 'schedule'):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state['step'], state['seconds']

    def exported(self) -> Any:
        """Returns the averaged network, in eval mode."""
        return self.average.module.eval()


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average that soon forgets where a run began.

    After n steps it decays by at most (1 + n) / (10 + n), so that the weights of a short run are
    not averaged with those it started from. Integers (tables of indices, counts) are the newest:
    averaged, 3 and 3 may round to 2.

    Args:
        decay: Decay of a long run, in [0, 1).
    """
    def update(averaged: Any, current: Any, done: Any) -> None:
        ramp = (1 + int(done)) / (10 + int(done))
        floating = averaged[0].is_floating_point()      # tensors come grouped by their type
        get_ema_multi_avg_fn(min(decay, ramp) if floating else 0.)(averaged, current, done)
    return update


def run_training(training: Training, stream: Stream, folder: Path,
                 progress: Progress | None = None) -> Training:
    """Runs (or continues) a training to its end.

    Args:
        training: Its state at the start; a checkpoint in `folder` replaces it.
        stream: Batches.
        folder: Receives ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / 'checkpoint.pt', folder / 'log.jsonl'
    (folder / 'recipe.json').write_text(json.dumps(training.recipe.to_dict(), indent=1))
    if checkpoint.exists():
        training.restore(checkpoint)
    clock = saved = monotonic()
    losses: list[dict[str, float]] = []
    for batch in stream.batches(training.step, training.recipe.iterations):
        losses.append({name: float(term.detach())
                       for name, term in training.update(batch).items()})
        now = monotonic()
        training.seconds, clock = training.seconds + now - clock, now
        if training.step % LOG_EVERY == 0:
            row = {name: sum(one[name] for one in losses) / len(losses) for name in losses[0]}
            row['seconds'] = training.seconds
            with log.open('a') as file:
                file.write(json.dumps({'step': training.step, **row}) + '\n')
            losses.clear()
            if progress is not None:
                progress(training.step, row)
        if now - saved > CHECKPOINT_SECONDS:
            training.save(checkpoint)
            saved = now
    training.save(checkpoint)
    return training
