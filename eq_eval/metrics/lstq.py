"""LiDAR segmentation and tracking quality (LSTQ), as SemanticKITTI defines it.

Ayguen et al., 4D Panoptic LiDAR Segmentation, CVPR 2021, equations 6 to 9. nuScenes has a metric
of the same name that counts predicted points of thing classes only; both agree where the predicted
classes are right (see ``test/metrics``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from eq_eval.metrics.point_labels import Labels
from eq_eval.metrics.point_labels import NUM_CLASSES
from eq_eval.metrics.point_labels import PointLabels
from eq_eval.metrics.semantic_iou import by_name
from eq_eval.metrics.semantic_iou import judged_classes
from eq_eval.metrics.semantic_iou import mean_over
from eq_eval.metrics.semantic_iou import mean_over_all
from eq_eval.metrics.semantic_iou import SemanticIou
from eq_eval.metrics.semantic_iou import stuff_of
from eq_eval.metrics.semantic_iou import things_of
from eq_perception.panoptic.classes import CLASS_NAMES

Integers = NDArray[np.int64]

MIN_POINTS = 50


@dataclass(frozen=True)
class LstqResult:
    """Scores over many scans of many sequences, in [0, 1].

    Means are over `classes`; the ``*_all_classes`` figures are over all 19, of which one that does
    not occur counts as 0.

    Attributes:
        LSTQ: sqrt(S_cls S_assoc), None where the truth has no object.
        S_assoc: Association score, class-agnostic, None where the truth has no object.
        S_cls: Classification score: mean IoU of points.
        IoU_things: Mean IoU over the classes of countable objects, None where there are none.
        IoU_stuff: Mean IoU over the others, None where there are none.
        LSTQ_all_classes: LSTQ with `S_cls_all_classes`.
        S_cls_all_classes: Mean IoU over all 19 classes.
        class_IoU: Class to IoU, None where neither true nor predicted.
        classes: Names of the classes in the means.
        num_objects: True tubes: objects of a class and sequence with points enough in a scan.
        num_scans: Scans evaluated.
    """

    LSTQ: float | None
    S_assoc: float | None
    S_cls: float | None
    IoU_things: float | None
    IoU_stuff: float | None
    LSTQ_all_classes: float | None
    S_cls_all_classes: float
    class_IoU: dict[str, float | None]
    classes: tuple[str, ...]
    num_objects: int
    num_scans: int

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return {**vars(self), 'classes': list(self.classes)}


class SegmentationTrackingQuality:
    """Collects objects over the scans of several sequences.

    A true tube t is an object of one class in one sequence: its points in those scans in which it
    has more than `min_points`. A predicted tube s is all points with one instance id in a
    sequence, of whatever predicted class. Points whose true class is unlabelled do not count.

    Args:
        min_points: A scan counts for a true object only with more points of it than this.

    Example:
        >>> quality = SegmentationTrackingQuality()
        >>> for track in (1, 2):  # the same car gets another id in the second scan
        ...     quality.add('08', np.full(60, 1), np.full(60, track), np.full(60, 1),
        ...                 np.full(60, 7))
        >>> quality.result().S_assoc
        0.5
    """

    def __init__(self, min_points: int = MIN_POINTS) -> None:
        self._min_points = min_points
        self._semantic = SemanticIou()
        self._sequences: dict[str, _Sequence] = defaultdict(_Sequence)
        self._num_scans = 0

    def add(self, sequence: str, semantic: Labels, instance: Labels, true_semantic: Labels,
            true_instance: Labels) -> None:
        """Takes one scan into account; the scans of a sequence may come in any order.

        Args:
            sequence: Name within which instance ids hold.
            semantic: (N,) predicted train ids.
            instance: (N,) predicted objects, 0 = none.
            true_semantic: (N,) true train ids; points of id 0 do not count.
            true_instance: (N,) true objects, 0 = none; ignored on stuff.

        Raises:
            InputError: The lengths differ, or an id is out of range.
        """
        labels = PointLabels.of_scan(semantic, instance, true_semantic, true_instance)
        self._num_scans += 1
        self._semantic.add(labels)
        self._sequences[sequence].add(labels, self._min_points)

    def result(self, classes: tuple[int, ...] | None = None) -> LstqResult:
        """Scores of all scans so far.

        Args:
            classes: Train ids to take the means over; those that occur in the truth if None.

        Raises:
            InputError: No scan had a labelled point, or a class is none of 1..19.
        """
        classes = judged_classes(self._semantic, classes)
        iou = self._semantic.iou()
        parts = [sequence.association() for sequence in self._sequences.values()]
        total, num_objects = sum(part[0] for part in parts), sum(part[1] for part in parts)
        assoc = total / num_objects if num_objects else None
        cls, cls_all = mean_over(iou, classes), mean_over_all(iou)
        return LstqResult(
            LSTQ=_geometric(cls, assoc), S_assoc=assoc, S_cls=cls,
            IoU_things=mean_over(iou, things_of(classes)),
            IoU_stuff=mean_over(iou, stuff_of(classes)),
            LSTQ_all_classes=_geometric(cls_all, assoc), S_cls_all_classes=cls_all,
            class_IoU=by_name(iou), classes=tuple(CLASS_NAMES[label] for label in classes),
            num_objects=num_objects, num_scans=self._num_scans)


class _Sequence:
    """Points of true tubes, of predicted tubes, and of their overlaps, summed at the end."""

    def __init__(self) -> None:
        self._true: list[tuple[Integers, Integers]] = []       # tubes, points in one scan
        self._predicted: list[tuple[Integers, Integers]] = []
        self._shared: list[tuple[Integers, Integers, Integers]] = []

    def add(self, labels: PointLabels, min_points: int) -> None:
        """Counts the points of one scan."""
        marked = labels.instance > 0
        found, found_size = np.unique(labels.instance[marked], return_counts=True)
        self._predicted.append((found, found_size))
        thing = np.flatnonzero(labels.true_instance)
        sought, inverse, size = np.unique(
            labels.true_instance[thing] * NUM_CLASSES + labels.true_semantic[thing],
            return_inverse=True, return_counts=True)
        large = size > min_points
        self._true.append((sought[large], size[large]))
        both = large[inverse] & (labels.instance[thing] > 0)
        shared = coo_array(
            (np.ones(int(both.sum()), np.int64),
             (inverse[both], np.searchsorted(found, labels.instance[thing[both]]))),
            shape=(len(sought), len(found))).tocsr().tocoo()
        self._shared.append((sought[shared.coords[0]], found[shared.coords[1]], shared.data))

    def association(self) -> tuple[float, int]:
        """Sum over true tubes of 1 / |t| sum_s TPA TPA / (|t| + |s| - TPA), and their number."""
        sought, sought_size = _totals(self._true)
        found, found_size = _totals(self._predicted)
        if len(sought) == 0:
            return 0., 0
        row, column, count = (np.concatenate(parts) for parts in
                              zip(*self._shared, strict=True))
        shared = coo_array(
            (count, (np.searchsorted(sought, row), np.searchsorted(found, column))),
            shape=(len(sought), len(found))).tocsr().tocoo()
        row, column = shared.coords
        iou = shared.data / (sought_size[row] + found_size[column] - shared.data)
        return float((shared.data * iou / sought_size[row]).sum()), len(sought)


def _totals(parts: list[tuple[Integers, Integers]]) -> tuple[Integers, Integers]:
    """Distinct ids in ascending order and the sum of their counts."""
    ids, inverse = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.concatenate([part[1] for part in parts])
    totals = np.zeros(len(ids), np.int64)
    np.add.at(totals, inverse, counts)
    return ids, totals


def _geometric(first: float | None, second: float | None) -> float | None:
    """Square root of the product, None where a factor is missing."""
    return None if first is None or second is None else float(np.sqrt(first * second))
