"""Intersection over union of the classes of points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_eval.metrics.point_labels import IS_THING
from eq_eval.metrics.point_labels import NUM_CLASSES
from eq_eval.metrics.point_labels import PointLabels
from eq_perception.panoptic.classes import CLASS_NAMES

Array = NDArray[np.float64]


class SemanticIou:
    """Counts points by predicted and true class over many scans.

    Behley et al., SemanticKITTI, ICCV 2019, equation 1.
    """

    def __init__(self) -> None:
        self._confusion = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)  # [predicted, true]

    def add(self, labels: PointLabels) -> None:
        """Takes one scan into account."""
        cell = labels.semantic * NUM_CLASSES + labels.true_semantic
        self._confusion += np.bincount(cell, minlength=NUM_CLASSES ** 2).reshape(
            NUM_CLASSES, NUM_CLASSES)

    def classes(self) -> tuple[int, ...]:
        """Train ids that occur in the truth."""
        return tuple(np.flatnonzero(self._confusion.sum(0)).tolist())

    def iou(self) -> Array:
        """(20,) IoU of each class, NaN where it is neither predicted nor true.

        A point predicted as unlabelled (id 0, which no mean looks at) is a miss of its true class
        and no false alarm of another.
        """
        hit = self._confusion.diagonal()
        union = self._confusion.sum(0) + self._confusion.sum(1) - hit
        return np.divide(hit, union, out=np.full(NUM_CLASSES, np.nan), where=union > 0)


def mean_over(values: Array, classes: Iterable[int]) -> float | None:
    """Mean over those of `classes` that have a value; None where none has."""
    chosen = values[list(classes)]
    chosen = chosen[~np.isnan(chosen)]
    return float(chosen.mean()) if len(chosen) else None


def mean_over_all(values: Array) -> float:
    """Mean over the 19 classes as semantic-kitti-api forms it: no value counts as 0."""
    return float(np.nan_to_num(values[1:]).mean())


def things_of(classes: Iterable[int]) -> list[int]:
    """Those of `classes` that are classes of countable objects."""
    return [label for label in classes if IS_THING[label]]


def stuff_of(classes: Iterable[int]) -> list[int]:
    """Those of `classes` that are not."""
    return [label for label in classes if not IS_THING[label]]


def by_name(values: Array) -> dict[str, float | None]:
    """Class to value, None where a class has none."""
    return {name: None if np.isnan(value) else float(value)
            for name, value in zip(CLASS_NAMES[1:], values[1:], strict=True)}


def judged_classes(counts: SemanticIou, classes: tuple[int, ...] | None) -> tuple[int, ...]:
    """The classes to take means over: those given, or those that occur in the truth.

    Raises:
        InputError: No scan had a labelled point, or an id is none of 1..19.
    """
    occurring = counts.classes()
    if not occurring:
        raise InputError('no labelled point to compare with')
    strange = [label for label in classes or () if not 1 <= label < NUM_CLASSES]
    if strange:
        raise InputError(f'{strange[0]} is no train id to judge, expected 1..{NUM_CLASSES - 1}')
    return occurring if classes is None else classes
