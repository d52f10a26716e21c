"""From stored scenes and recorded scans to inputs and targets of the segmenter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.scan import LabeledScan
from eq_eval.training.augmentation import augment
from eq_eval.training.prefetch import prefetched
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.recorded import RecordedScans
from eq_eval.training.samples import Batch
from eq_eval.training.samples import join_pillars
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
    pillar_columns: NDArray[np.float32]
    point_features: NDArray[np.float32]
    point_row: NDArray[np.int64]
    panoptic: list[PanopticTargets]


@dataclass(frozen=True)
class SegmenterStream:
    """Batch number -> batch, a pure function of the seed.

    Attributes:
        store: Scenes with classes and instances of points; may be empty beside recorded scans.
        recipe: The run.
        recorded: Every second sample is drawn from these, so that what only the scenes tell
            (boxes, rare classes) is not forgotten. Without boxes no detection is learnt.
    """

    store: ScanStore
    recipe: SegmenterRecipe
    recorded: RecordedScans | None = None

    def batch(self, number: int) -> PanopticBatch:
        """Makes batch `number`."""
        size, seed = self.recipe.batch_size, self.recipe.seed
        samples = []
        for place in range(size):
            rng = np.random.default_rng([seed, number, place, 1])
            samples.append(self._sample(self._stack(number * size + place, rng), rng))
        return _joined(samples, self.recipe.segmenter.detector)

    def _stack(self, position: int, rng: np.random.Generator) -> list[LabeledScan]:
        """Draws a scan for a position in the run, newest first, with sweeps before it."""
        if self.recorded is not None and (position % 2 or not len(self.store)):
            count, load = len(self.recorded), self.recorded.load
        else:
            epoch, place = divmod(position, len(self.store))
            order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.store))
            count, load = SCANS_PER_SEQUENCE, partial(self.store.load, int(order[place]))
        newest = int(rng.integers(count))
        most = min(newest + 1, self.recipe.segmenter.detector.max_sweeps)
        chances = np.array(SWEEP_CHANCES[:most])
        sweeps = 1 + int(rng.choice(len(chances), p=chances / chances.sum()))
        return load([newest - age for age in range(sweeps)])

    def _sample(self, stack: list[LabeledScan], rng: np.random.Generator
                ) -> tuple[Pillars, Targets, PanopticTargets]:
        config, scan = self.recipe.segmenter, stack[0]
        if scan.semantic is None:
            raise ValueError(f'{scan.sequence}, scan {scan.index}: no classes of points')
        known, num_points, instance = _objects(scan)
        stacked = stack_sweeps([each.points for each in stack], [each.pose for each in stack])
        seen = augment(stacked, known, self.recipe.augmentation, rng)
        pillars = pillarize(seen.points, config.detector, max_pillars=0)
        targets = make_targets(seen.boxes, num_points, pillars.ground, config.detector,
                               len(stack) > 1)
        if scan.boxes is None:      # nobody can tell where no object is
            targets = replace(targets, background=np.zeros_like(targets.background))
        kept = seen.kept[:len(scan.points)]     # the newest scan comes first
        newest_points = seen.points.select(np.arange(kept.sum()))
        rows = point_rows(newest_points, pillars, config)
        panoptic = make_panoptic_targets(
            rows, train_ids(scan.semantic[kept]), instance[kept], seen.boxes, config,
            self.recipe.points_per_scan, rng)
        return pillars, targets, panoptic

    def batches(self, first: int, last: int) -> Iterator[PanopticBatch]:
        """Yields batches `first` .. `last` - 1, the next one being made meanwhile."""
        return prefetched(self.batch, first, last)


def _objects(scan: LabeledScan) -> tuple[Boxes3D, NDArray[np.int64], NDArray[np.integer]]:
    """Boxes, LiDAR points in each, and the instance of every point; none where boxes are not told.

    Raises:
        ValueError: There are boxes without the rest.
    """
    if scan.boxes is None:
        return Boxes3D.empty(), np.zeros(0, np.int64), np.zeros(len(scan.points), np.uint32)
    if scan.num_points is None or scan.instance is None:
        raise ValueError(f'{scan.sequence}, scan {scan.index}: boxes without their numbers of '
                         'points, or points without instances')
    return scan.boxes, scan.num_points, scan.instance


def _joined(samples: list[tuple[Pillars, Targets, PanopticTargets]], config: DetectorConfig
            ) -> PanopticBatch:
    """Puts samples behind each other: pillars, cells and points all know their sample."""
    cells = config.head_size ** 2
    first_row = np.cumsum([0, *(len(pillars.points) for pillars, _, _ in samples)])
    points, index = join_pillars([(pillars.points, pillars.index) for pillars, _, _ in samples])
    row = [np.where(each.row == len(pillars.points), first_row[-1], each.row + first)
           for (pillars, _, each), first in zip(samples, first_row[:-1], strict=True)]
    around = [pillar_cells(pillars, config) + number * cells
              for number, (pillars, _, _) in enumerate(samples)]
    return PanopticBatch(
        points, index,
        [targets for _, targets, _ in samples],
        np.concatenate(around), np.concatenate([each.columns for _, _, each in samples]),
        np.concatenate([each.features for _, _, each in samples]),
        np.concatenate(row),
        [each for _, _, each in samples])
