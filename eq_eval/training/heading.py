"""Trains the second look that tells directions, on what a detector finds in simulated scenes."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch import Tensor

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.evaluation import AnyDetector
from eq_eval.metrics.center_matching import match_by_center
from eq_eval.training.loop import Progress
from eq_eval.training.loop import run_training
from eq_eval.training.loop import Training
from eq_eval.training.prefetch import prefetched
from eq_eval.training.recipe import HeadingRecipe
from eq_eval.training.scan_store import ScanStore
from eq_perception.detection.heading import HeadingConfig
from eq_perception.detection.heading import look
from eq_perception.detection.heading import MANY
from eq_perception.detection.heading_model import HeadingNetwork

STORED_POINTS = 128         # kept of each object, to draw from
LIMIT = 2.                  # a detection is of a truth whose centre is that near [m]
LEAST_COSINE = .5           # of a wrong axis neither end is the front
# Scans of a sequence that are stacked, newest first: each alone, and all three.
STACKS: tuple[tuple[int, ...], ...] = ((0,), (1,), (2,), (2, 1, 0))
ACROSS = (1, 3, 5)          # columns of the state that a mirror changes the sign of


@dataclass(frozen=True, eq=False)
class Objects:
    """What a detector found and which way it points.

    Attributes:
        points: (N, STORED_POINTS, 4) float32, as `heading.Looks`.
        state: (N, features) float32, likewise.
        front: (N,) float32, 1 where the detector has the direction right, -1 where it is reversed.
    """

    points: NDArray[np.float32]
    state: NDArray[np.float32]
    front: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.front)


def collect(detector: AnyDetector, store: ScanStore, config: HeadingConfig) -> Iterator[Objects]:
    """Finds the objects of each sequence that a detector finds, too.

    Args:
        detector: Finds boxes, which are off as they will be when the directions are told.
        store: Training scenes.
        config: What is looked at.
    """
    stored = replace(config, points=STORED_POINTS)
    for sequence in range(len(store)):
        parts = []
        for indices in STACKS:
            scans = store.load(sequence, indices)
            newest = scans[0]
            if newest.boxes is None or newest.num_points is None:
                raise InputError(f'{store.names[sequence]} has no boxes', 'no_labels')
            found = detector.detect(newest.points, *(scan.points for scan in scans[1:]),
                                    poses=[scan.pose for scan in scans])
            looks = look(newest.points, found, detector.class_names, stored, len(scans) > 1)
            cosine = agreement(found, newest.boxes)[looks.box]
            clear = np.abs(cosine) > LEAST_COSINE
            parts.append(Objects(looks.points[clear], looks.state[clear],
                                 np.sign(cosine[clear]).astype(np.float32)))
        yield join(parts)


def agreement(found: Boxes3D, truth: Boxes3D) -> NDArray[np.float64]:
    """Returns (N,) cosine of the error of each yaw; 0 where the detection is of no truth."""
    cosine = np.zeros(len(found))
    for label in np.unique(found.label):
        rows, wanted = np.flatnonzero(found.label == label), truth.select(truth.label == label)
        taken = match_by_center(found.select(rows), wanted, LIMIT)
        hit = taken >= 0
        cosine[rows[hit]] = np.cos(found.yaw[rows[hit]] - wanted.yaw[taken[hit]])
    return cosine


def join(parts: Sequence[Objects]) -> Objects:
    """Puts objects one after another."""
    return Objects(*(np.concatenate([getattr(part, name) for part in parts])
                     for name in ('points', 'state', 'front')))


@dataclass(frozen=True)
class HeadingBatch:
    """Inputs of the network, (M, points, 4) and (M, features), and (M,) the right signs."""

    points: NDArray[np.float32]
    state: NDArray[np.float32]
    front: NDArray[np.float32]


@dataclass(frozen=True)
class HeadingStream:
    """Batch number -> batch, a pure function of the seed.

    Attributes:
        objects: To draw from.
        recipe: The run.
    """

    objects: Objects
    recipe: HeadingRecipe

    def batch(self, number: int) -> HeadingBatch:
        """Makes batch `number`."""
        rng = np.random.default_rng([self.recipe.seed, number])
        chosen = rng.integers(len(self.objects), size=self.recipe.batch_size)
        state = self.objects.state[chosen].copy()
        points = self._points(chosen, state, rng)
        mirror = np.where(rng.random(len(chosen)) < .5, np.float32(-1), np.float32(1))
        points[:, :, 1] *= mirror[:, None]
        state[:, ACROSS] *= mirror[:, None]
        unknown = rng.random(len(chosen)) < self.recipe.forgotten
        state[unknown, 4] = 0
        state[rng.random(len(chosen)) < self.recipe.forgotten, 2:4] *= 0
        return HeadingBatch(points, state, self.objects.front[chosen])

    def _points(self, chosen: NDArray[np.int64], state: NDArray[np.float32],
                rng: np.random.Generator) -> NDArray[np.float32]:
        """Draws points of each object, of some only a part, and shakes the frame of its box."""
        recipe, size = self.recipe, len(chosen)
        here = np.minimum(np.rint(np.exp(state[:, 9] * MANY)), STORED_POINTS)
        share = np.where(rng.random(size) < recipe.thinned, rng.uniform(.1, 1., size), 1.)
        left = np.maximum(np.rint(here * share), 1)
        state[:, 9] += np.log(left / here) / MANY
        # Any `left` of the first `here` points, which are all that differ.
        chance = rng.random((size, STORED_POINTS))
        chance[np.arange(STORED_POINTS) >= here[:, None]] = 2.
        order = np.argsort(chance, 1)
        slot = (np.arange(recipe.heading.points) % left[:, None]).astype(np.int64)
        drawn = np.take_along_axis(order, slot, 1)
        points = np.take_along_axis(self.objects.points[chosen], drawn[:, :, None], 1).copy()
        turn = rng.normal(0, recipe.yaw_noise, size)[:, None]
        x, y = points[:, :, 0].copy(), points[:, :, 1].copy()
        points[:, :, 0] = x * np.cos(turn) - y * np.sin(turn)
        points[:, :, 1] = x * np.sin(turn) + y * np.cos(turn)
        points[:, :, :3] += rng.normal(0, recipe.shift_noise, (size, 1, 3)) * (1, 1, .5)
        points[:, :, :3] *= rng.uniform(.95, 1.05, (size, 1, 1))
        gain = rng.uniform(.5, 1.5, size) * (rng.random(size) >= recipe.forgotten)
        points[:, :, 3] = np.minimum(points[:, :, 3] * gain[:, None], 1)
        return points

    def batches(self, first: int, last: int) -> Iterator[HeadingBatch]:
        """Yields batches `first` .. `last` - 1, the next one being made meanwhile."""
        return prefetched(self.batch, first, last)


def heading_losses(model: nn.Module, batch: HeadingBatch) -> dict[str, Tensor]:
    """Likelihood of the directions; the network runs in bfloat16, the loss does not."""
    with torch.autocast('cpu', torch.bfloat16):
        direction = model(torch.from_numpy(batch.points), torch.from_numpy(batch.state))
    log_odds, sign = direction['direction'][:, 0].float(), torch.from_numpy(batch.front)
    return {'total': nn.functional.softplus(-sign * log_odds).mean(),
            'reversed': (log_odds.detach().sign() != sign).float().mean()}


def train_heading(recipe: HeadingRecipe, detector: AnyDetector, store: ScanStore, folder: Path,
                  progress: Progress | None = None) -> Training:
    """Runs (or continues) a training.

    Args:
        recipe: The run.
        detector: Finds the boxes that are looked at.
        store: Training scenes; the recipe's fraction of them is used.
        folder: Receives ``objects.npz``, ``checkpoint.pt``, ``recipe.json`` and ``log.jsonl``.
        progress: Called with step and averaged losses now and then.

    Raises:
        InputError: The scenes have no boxes, or the detector finds none of them.
    """
    objects = kept(folder / 'objects.npz', recipe, detector, store.subset(recipe.fraction))
    training = Training(recipe, lambda: HeadingNetwork(recipe.heading), heading_losses)
    return run_training(training, HeadingStream(objects, recipe), folder, progress)


def kept(path: Path, recipe: HeadingRecipe, detector: AnyDetector, store: ScanStore) -> Objects:
    """Collects objects once; a repeated command reads those of the same detector and scenes."""
    looked = recipe.heading
    source = json.dumps([recipe.detector, len(store), looked.class_names, looked.margin,
                         looked.least_score])
    if path.exists():
        with np.load(path, allow_pickle=False) as data:
            if str(data['source']) == source:
                return Objects(data['points'], data['state'], data['front'])
    objects = join(list(collect(detector, store, recipe.heading)))
    if not len(objects):
        raise InputError(f'{recipe.detector} finds no object of {recipe.heading.class_names}',
                         'no_labels')
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, points=objects.points, state=objects.state, front=objects.front, source=source)
    return objects
