"""What the panoptic heads should answer for the labelled points of one scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.panoptic.classes import THINGS
from eq_perception.panoptic.classes import UNLABELED
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.preprocess import PointRows


@dataclass(frozen=True)
class PanopticTargets:
    """Targets of one sample; its chosen points.

    Attributes:
        columns: (P, 40) float32, of all pillars, see `PointRows`.
        features: (M, 11) float32, rows of `PointRows.features`.
        row: (M,) int64, pillar of each point.
        cell: (M,) int64, its output cell; 0 where `offset_weight` is.
        semantic: (M,) int64 train ids; never unlabelled.
        weight: (M,) float32, how many labelled points of the scan each stands for.
        offset: (M, 2) float32, centre of the point's instance minus centre of its cell [m].
        offset_weight: (M,) float32, 0 for points of no instance; every instance weighs the same.
    """

    columns: NDArray[np.float32]
    features: NDArray[np.float32]
    row: NDArray[np.int64]
    cell: NDArray[np.int64]
    semantic: NDArray[np.int64]
    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    offset_weight: NDArray[np.float32]


def make_panoptic_targets(rows: PointRows, semantic: NDArray[np.uint8],
                          instance: NDArray[np.integer], boxes: Boxes3D,
                          config: SegmenterConfig, count: int, rng: np.random.Generator
                          ) -> PanopticTargets:
    """Draws points evenly over the classes that are there, and tells what they belong to.

    Args:
        rows: All points of the scan, see `point_rows`.
        semantic: (N,) train ids.
        instance: (N,) track ids, 0 for none.
        boxes: The objects; `track_id` are the instances.
        config: Grid.
        count: Points that are drawn.
        rng: Source of the draw.
    """
    labelled = np.flatnonzero(semantic[rows.kept] != UNLABELED)
    there = np.bincount(semantic[rows.kept[labelled]], minlength=UNLABELED + 1)
    if len(labelled) > count:
        classes = semantic[rows.kept[labelled]]
        # Rare classes are drawn more often, by the root of their share: an even draw would show
        # the network a hundred roads for each person, an equal one as many persons as roads.
        share = there[classes] ** -.5
        labelled = rng.choice(labelled, count, replace=False, p=share / share.sum())
    point = rows.kept[labelled]
    cell, classes = rows.head_cell[point], semantic[point]
    centre, owner = _centres(instance[point], boxes)
    thing = (owner >= 0) & np.isin(classes, THINGS) & (cell >= 0)
    cell = np.where(thing, cell, 0)
    number = np.bincount(owner[thing], minlength=len(boxes) + 1)
    offset_weight = np.where(thing, 1 / np.maximum(number[np.maximum(owner, 0)], 1), 0)
    weight = (there / np.maximum(np.bincount(classes, minlength=len(there)), 1))[classes]
    return PanopticTargets(
        rows.columns, rows.features[labelled], rows.row[labelled], cell, classes.astype(np.int64),
        weight.astype(np.float32),
        np.where(thing[:, None], centre - config.detector.head_grid.centre(cell), 0
                 ).astype(np.float32),
        offset_weight.astype(np.float32))


def _centres(instance: NDArray[np.integer], boxes: Boxes3D
             ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns each point's instance centre (M, 2) and row in `boxes` (-1 without)."""
    if not len(boxes):
        return np.zeros((len(instance), 2)), np.full(len(instance), -1)
    order = np.argsort(boxes.track_id)
    place = np.minimum(np.searchsorted(boxes.track_id, instance, sorter=order), len(boxes) - 1)
    owner = order[place]
    found = (instance > 0) & (boxes.track_id[owner] == instance)
    return boxes.center[owner, :2], np.where(found, owner, -1)
