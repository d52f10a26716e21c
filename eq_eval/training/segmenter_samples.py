"""From stored scenes to inputs and targets of the segmenter."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_eval.training.augmentation import augment
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.samples import Batch
from eq_eval.training.samples import SWEEP_CHANCES
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scenes import SCANS_PER_SEQUENCE
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import Pillars
from eq_perception.detection.preprocess import stack_sweeps
from eq_perception.detection.targets import make_targets
from eq_perception.detection.targets import Targets
from eq_perception.panoptic.classes import train_ids
from eq_perception.panoptic.preprocess import pillar_cells
from eq_perception.panoptic.preprocess import point_rows
from eq_perception.panoptic.targets import make_panoptic_targets
from eq_perception.panoptic.targets import PanopticTargets


@dataclass(frozen=True)
class PanopticBatch(Batch):
    """A batch of the detector, and chosen points of its newest scans."""

    pillar_cells: NDArray[np.int64]
    point_features: NDArray[np.float32]
    point_row: NDArray[np.int64]
    panoptic: list[PanopticTargets]


@dataclass(frozen=True)
class SegmenterStream:
    """Batch number -> batch, a pure function of the seed.

    Attributes:
        store: Scenes with classes and instances of points.
        recipe: The run.
    """

    store: ScanStore
    recipe: SegmenterRecipe

    def batch(self, number: int) -> PanopticBatch:
        """Makes batch `number`."""
        size, seed = self.recipe.batch_size, self.recipe.seed
        samples = []
        for place in range(size):
            epoch, position = divmod(number * size + place, len(self.store))
            order = np.random.default_rng([seed, epoch]).permutation(len(self.store))
            rng = np.random.default_rng([seed, number, place, 1])
            samples.append(self._sample(int(order[position]), rng))
        return _joined(samples, self.recipe.segmenter.detector)

    def _sample(self, sequence: int, rng: np.random.Generator
                ) -> tuple[Pillars, Targets, PanopticTargets]:
        newest = int(rng.integers(SCANS_PER_SEQUENCE))
        config = self.recipe.segmenter
        chances = np.array(SWEEP_CHANCES[:min(newest + 1, config.detector.max_sweeps)])
        sweeps = 1 + int(rng.choice(len(chances), p=chances / chances.sum()))
        stack = self.store.load(sequence, [newest - age for age in range(sweeps)])
        scan = stack[0]
        if (scan.boxes is None or scan.num_points is None or scan.semantic is None
                or scan.instance is None):
            raise ValueError(f'{self.store.names[sequence]}: training needs boxes, and the class '
                             'and instance of every point')
        stacked = stack_sweeps([each.points for each in stack], [each.pose for each in stack])
        points, boxes, kept = augment(stacked, scan.boxes, self.recipe.augmentation, rng)
        pillars = pillarize(points, config.detector, max_pillars=0)
        targets = make_targets(boxes, scan.num_points, pillars.ground, config.detector, sweeps > 1)
        kept = kept[:len(scan.points)]      # the newest scan comes first
        newest_points = points.select(np.arange(kept.sum()))
        rows = point_rows(newest_points, pillars, config)
        panoptic = make_panoptic_targets(
            rows, train_ids(scan.semantic[kept]), scan.instance[kept], boxes, config,
            self.recipe.points_per_scan, rng)
        return pillars, targets, panoptic

    def batches(self, first: int, last: int) -> Iterator[PanopticBatch]:
        """Yields batches `first` .. `last` - 1, the next one being made meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.batch, first)
            for number in range(first + 1, last + 1):
                ready = coming.result()
                if number < last:
                    coming = pool.submit(self.batch, number)
                yield ready


def _joined(samples: list[tuple[Pillars, Targets, PanopticTargets]], config: DetectorConfig
            ) -> PanopticBatch:
    """Puts samples behind each other: pillars, cells and points all know their sample."""
    cells = config.head_size ** 2
    first_row = np.cumsum([0, *(len(pillars.points) for pillars, _, _ in samples)])
    # An empty cell points past the rows of its sample; in the batch it must past all of them.
    index = [np.where(pillars.index == len(pillars.points), first_row[-1],
                      pillars.index + first)
             for (pillars, _, _), first in zip(samples, first_row[:-1], strict=True)]
    row = [np.where(each.row == len(pillars.points), first_row[-1], each.row + first)
           for (pillars, _, each), first in zip(samples, first_row[:-1], strict=True)]
    around = [pillar_cells(pillars, config) + number * cells
              for number, (pillars, _, _) in enumerate(samples)]
    return PanopticBatch(
        np.concatenate([pillars.points for pillars, _, _ in samples]), np.stack(index),
        [targets for _, targets, _ in samples],
        np.concatenate(around), np.concatenate([each.features for _, _, each in samples]),
        np.concatenate(row),
        [each for _, _, each in samples])
