"""From pairs of scans to what a network is asked about them, one random draw at a time."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.training.augmentation import augment
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.augmentation import Augmented
from eq_eval.training.prefetch import prefetched
from eq_eval.training.samples import join_pillars
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scene_flow import scene_flow
from eq_eval.training.scene_flow import seen_again
from eq_eval.training.unlabeled import Pair
from eq_eval.training.unlabeled import simulated_pair
from eq_eval.training.unlabeled import UnlabeledScans
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.grid import Grid
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import Pillars
from eq_perception.pretraining.config import Objectives

BEHIND = .05, .5    # a surface there is something, if that near [m]
IN_FRONT = .05, 3.  # there is nothing, up to that far, as the beam came through [m]

Rows = NDArray[np.int64]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """Pillars of the samples of a batch, as the detector takes them."""

    points: Float
    index: Rows


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What is asked of points; cells are those of the head's grid.

    Attributes:
        matched: (M, 2) cells of the same points in the first and the second view.
        flow: (F, 2) cells of points in the earlier scan and of where they went in the first view.
        queried: (Q,) cells of queries in the first view.
        offset: (Q, 2) of a query from the centre of its cell [m].
        height: (Q,) above ground [m].
        occupied: (Q,) whether the query is behind a surface, 1, or in front of it, 0.
    """

    matched: Rows
    flow: Rows
    queried: Rows
    offset: Float
    height: Float
    occupied: Float


@dataclass(frozen=True, kw_only=True)
class PretrainingBatch(Questions):
    """Views and questions; cells are numbered through all samples, sample * h * w + cell.

    Attributes:
        first: Later scans, changed at random.
        second: The same scans, changed otherwise; None where no contrast is asked for.
        earlier: Scans before them, changed as the first view; None where no flow is asked for.
        yaw: (B,) by which the first view was turned [rad].
        sample: (M,) sample of each matched point.
    """

    first: View
    second: View | None
    earlier: View | None
    yaw: Float
    sample: Rows


@dataclass(frozen=True, kw_only=True)
class _Sample(Questions):
    first: Pillars
    second: Pillars | None
    earlier: Pillars | None
    yaw: float


@dataclass(frozen=True)
class PretrainingStream:
    """Batch number -> batch, a pure function of the seed.

    Attributes:
        store: Simulated scenes to draw from, may be empty beside recordings.
        recorded: Every second sample is drawn from these scans, all if there are no scenes.
        config: The network's grid.
        objectives: What is asked.
        augmentation: Random changes of a view.
        batch_size: Pairs of a batch.
        seed: Seed of every draw.
    """

    store: ScanStore
    recorded: UnlabeledScans | None
    config: DetectorConfig
    objectives: Objectives
    augmentation: Augmentation
    batch_size: int
    seed: int

    def batch(self, number: int) -> PretrainingBatch:
        """Makes batch `number`."""
        samples = []
        for place in range(self.batch_size):
            rng = np.random.default_rng([self.seed, number, place, 2])
            real = self.recorded is not None and (place % 2 or not len(self.store))
            pair = (self.recorded.pair(rng) if self.recorded is not None and real
                    else simulated_pair(self.store, rng))
            samples.append(self._sample(pair, rng))
        return _joined(samples, self.config)

    def batches(self, first: int, last: int) -> Iterator[PretrainingBatch]:
        """Yields batches `first` .. `last` - 1, the next one being made meanwhile."""
        return prefetched(self.batch, first, last)

    def _sample(self, pair: Pair, rng: np.random.Generator) -> _Sample:
        earlier, later = pair
        grid, asked = self.config.head_grid, self.objectives
        seeds = rng.integers(2 ** 63, size=2)
        first, second = (augment(later.points, Boxes3D.empty(), self.augmentation,
                                 np.random.default_rng(seed)) for seed in seeds)
        pillars = pillarize(first.points, self.config, max_pillars=0)
        matched = np.zeros((0, 2), np.int64)
        other = before = None
        if asked.second_view:
            other = pillarize(second.points, self.config, max_pillars=0)
            both = np.flatnonzero(first.kept & second.kept)
            cells, inside = _cells([_place(later.points.xyz[both], view)
                                    for view in (first, second)], grid)
            matched = cells[_one_per_cell(cells[:, 0], inside, asked.points, rng)]
        flow = np.zeros((0, 2), np.int64)
        if asked.earlier:
            # The same generator anew, so that both scans are turned and moved alike.
            view = augment(earlier.points, Boxes3D.empty(), self.augmentation,
                           np.random.default_rng(seeds[0]))
            before = pillarize(view.points, self.config, max_pillars=0)
            xyz = earlier.points.xyz[view.kept]
            cells, inside = _cells([_place(xyz, first)], grid)
            chosen = _one_per_cell(cells[:, 0], inside, asked.points, rng)
            moved = scene_flow(xyz[chosen], earlier, later)
            again = seen_again(moved, later.points)
            cells, inside = _cells([_place(xyz[chosen][again], first),
                                    _place(moved[again], first)], grid)
            flow = cells[inside]
        queried, offset, height, occupied = self._queries(first, pillars.ground, rng)
        return _Sample(first=pillars, second=other, earlier=before, yaw=first.yaw, matched=matched,
                       flow=flow, queried=queried, offset=offset, height=height,
                       occupied=occupied)

    def _queries(self, view: Augmented, ground: NDArray[np.float64], rng: np.random.Generator
                 ) -> tuple[Rows, Float, Float, Float]:
        """Points behind and in front of surfaces, along the beams that met them."""
        grid = self.config.head_grid
        count = self.objectives.points if self.objectives.occupancy else 0
        chosen = rng.integers(len(view.points), size=count) if len(view.points) else np.zeros(
            0, np.int64)
        surface = view.points.xyz[chosen].astype(np.float64)
        beam = surface - view.origin
        length = np.maximum(np.linalg.norm(beam, axis=1, keepdims=True), 1e-6)
        occupied = rng.random(len(chosen)) < .5
        depth = np.where(occupied, rng.uniform(*BEHIND, len(chosen)),
                         -rng.uniform(*IN_FRONT, len(chosen)))
        query = surface + beam / length * np.maximum(depth[:, None], -length)
        height = query[:, 2] - query[:, :2] @ ground[:2] - ground[2]
        located, inside = grid.locate(query)
        inside &= (height > self.config.z_range[0]) & (height < self.config.z_range[1])
        cell = located[inside].astype(np.int64)
        return (cell, (query[inside, :2] - grid.centre(cell)).astype(np.float32),
                height[inside].astype(np.float32), occupied[inside].astype(np.float32))


def _place(xyz: NDArray[np.floating], view: Augmented) -> NDArray[np.float64]:
    """Where points (N, 3) of the scan stand in a view (N, 2)."""
    return np.asarray(xyz[:, :2] @ view.linear.T + view.origin[:2])


def _cells(places: Sequence[NDArray[np.float64]], grid: Grid) -> tuple[Rows, NDArray[np.bool_]]:
    """Cells (N, places) of points, and whether all are inside."""
    located = [grid.locate(place) for place in places]
    return (np.stack([cell for cell, _ in located], -1).astype(np.int64),
            np.logical_and.reduce([inside for _, inside in located]))


def _one_per_cell(cell: Rows, inside: NDArray[np.bool_], count: int, rng: np.random.Generator
                  ) -> Rows:
    """Positions of at most `count` points, no two of one cell: those could not be told apart."""
    shuffled = rng.permutation(np.flatnonzero(inside))
    first = np.unique(cell[shuffled], return_index=True)[1]
    return np.asarray(rng.permutation(shuffled[first])[:count])


def _joined(samples: Sequence[_Sample], config: DetectorConfig) -> PretrainingBatch:
    cells = config.head_size ** 2

    def rows(name: str) -> Rows:
        return np.concatenate([getattr(each, name) + number * cells
                               for number, each in enumerate(samples)])

    def column(name: str) -> Float:
        return np.concatenate([getattr(each, name) for each in samples])

    def view(pillars: Sequence[Pillars | None]) -> View | None:
        seen = [(each.points, each.index) for each in pillars if each is not None]
        return View(*join_pillars(seen)) if seen else None

    first = view([each.first for each in samples])
    if first is None:
        raise ValueError('a batch needs samples')
    return PretrainingBatch(
        first=first, second=view([each.second for each in samples]),
        earlier=view([each.earlier for each in samples]),
        yaw=np.array([each.yaw for each in samples], np.float32),
        sample=np.repeat(np.arange(len(samples)), [len(each.matched) for each in samples]),
        matched=rows('matched'), flow=rows('flow'), queried=rows('queried'),
        offset=column('offset'), height=column('height'), occupied=column('occupied'))
