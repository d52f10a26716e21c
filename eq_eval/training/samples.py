"""From stored scenes to network inputs and targets, one random draw at a time."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_eval.training.augmentation import augment
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.frame_samples import FrameSamples
from eq_eval.training.frame_samples import Sample
from eq_eval.training.prefetch import prefetched
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scenes import SCANS_PER_SEQUENCE
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import stack_sweeps
from eq_perception.detection.targets import make_targets
from eq_perception.detection.targets import Targets

SWEEP_CHANCES = (.5, .15, .35)   # of training on 1, 2, 3 sweeps


@dataclass(frozen=True)
class Batch:
    """Inputs of several samples, pillars one after another, and their targets."""

    pillar_points: NDArray[np.float32]
    pillar_index: NDArray[np.int64]
    targets: list[Targets]


@dataclass(frozen=True)
class SampleStream:
    """Batch number -> batch, a pure function of the seed, so that a resumed run sees the same.

    Attributes:
        store: Scenes to draw from.
        config: The detector's grid.
        augmentation: Random changes.
        batch_size: Samples of a batch.
        seed: Seed of every draw.
        real: Every second sample is drawn from these frames, all if there are no scenes.
    """

    store: ScanStore
    config: DetectorConfig
    augmentation: Augmentation
    batch_size: int
    seed: int
    real: FrameSamples | None = None

    def batch(self, number: int) -> Batch:
        """Makes batch `number`."""
        pillars, targets = [], []
        for place in range(self.batch_size):
            position = number * self.batch_size + place
            rng = np.random.default_rng([self.seed, number, place, 1])
            if self.real is not None and (position % 2 or not len(self.store)):
                points, index, target = self.real.sample(rng)
            else:
                epoch, drawn = divmod(position, len(self.store))
                order = np.random.default_rng([self.seed, epoch]).permutation(len(self.store))
                points, index, target = self._sample(int(order[drawn]), rng)
            pillars.append((points, index))
            targets.append(target)
        return Batch(*join_pillars(pillars), targets)

    def _sample(self, sequence: int, rng: np.random.Generator) -> Sample:
        newest = int(rng.integers(SCANS_PER_SEQUENCE))
        chances = np.array(SWEEP_CHANCES[:min(newest + 1, self.config.max_sweeps)])
        sweeps = 1 + int(rng.choice(len(chances), p=chances / chances.sum()))
        stack = self.store.load(sequence, [newest - age for age in range(sweeps)])
        scan = stack[0]
        if scan.boxes is None or scan.num_points is None:
            raise ValueError(f'{self.store.names[sequence]}: training needs boxes')
        points = stack_sweeps([one.points for one in stack], [one.pose for one in stack])
        seen = augment(points, scan.boxes, self.augmentation, rng)
        pillars = pillarize(seen.points, self.config, max_pillars=0)
        target = make_targets(seen.boxes, scan.num_points, pillars.ground, self.config, sweeps > 1)
        return pillars.points, pillars.index, target

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yields batches `first` .. `last` - 1, the next one being made meanwhile."""
        return prefetched(self.batch, first, last)


def join_pillars(samples: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]
                 ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Puts the pillars of samples one after another.

    Args:
        samples: Pillars (P, K, F) and index (cells,) of each, P where a cell is empty.

    Returns:
        (sum of P, K, F) float32 and (B, cells) int64.
    """
    rows = np.cumsum([0, *(len(pillars) for pillars, _ in samples)])
    # An empty cell points past the rows of its sample; in the batch it must past all of them.
    index = [np.where(index == len(pillars), rows[-1], index + first)
             for (pillars, index), first in zip(samples, rows, strict=False)]
    return np.concatenate([pillars for pillars, _ in samples]), np.stack(index)
