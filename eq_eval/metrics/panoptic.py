"""Panoptic quality of single scans, as SemanticKITTI defines it.

Kirillov et al., Panoptic Segmentation, CVPR 2019; Behley et al., A Benchmark for LiDAR-based
Panoptic Segmentation based on KITTI, ICRA 2021. The numbers equal those of semantic-kitti-api (see
``test/metrics``); how classes enter the means is told by `PanopticResult`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from eq_core.errors import InputError
from eq_eval.metrics.point_labels import IS_THING
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

MIN_POINTS = 50  # of semantic-kitti-api's evaluate_panoptic.py
MIN_IOU = 0.5    # beyond which a match is unique


@dataclass(frozen=True)
class PanopticResult:
    """Scores over many scans, in [0, 1].

    Means are over `classes`; a class of which there is nothing to judge (no segment of 50 points
    and no match) has no value and is left out. The ``*_all_classes`` figures are those of
    semantic-kitti-api: over all 19 classes, of which one without a value counts as 0.

    Attributes:
        PQ: Mean panoptic quality, None where no segment could be judged (as SQ and RQ).
        SQ: Mean segmentation quality: IoU of matched segments, 0 for a class without a match.
        RQ: Mean recognition quality: F1 of segments.
        mIoU: Mean IoU of points.
        PQ_things: Mean over the classes of countable objects, None where there are none.
        PQ_stuff: Mean over the others, None where there are none.
        PQ_all_classes: semantic-kitti-api's PQ.
        SQ_all_classes: Its SQ.
        RQ_all_classes: Its RQ.
        mIoU_all_classes: Its mIoU.
        class_PQ: Class to PQ, None without a value.
        class_IoU: Class to IoU of points, None where neither true nor predicted.
        classes: Names of the classes in the means.
        num_scans: Scans evaluated.
    """

    PQ: float | None
    SQ: float | None
    RQ: float | None
    mIoU: float | None
    PQ_things: float | None
    PQ_stuff: float | None
    PQ_all_classes: float
    SQ_all_classes: float
    RQ_all_classes: float
    mIoU_all_classes: float
    class_PQ: dict[str, float | None]
    class_IoU: dict[str, float | None]
    classes: tuple[str, ...]
    num_scans: int

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return {**vars(self), 'classes': list(self.classes)}


class PanopticQuality:
    """Collects the segments of scan after scan.

    A segment is the set of points of one class and, for things, one object; points of a thing
    without an object (id 0) are a segment too. Points whose true class is unlabelled do not count.

    Args:
        min_points: A segment without a match counts as missed or false from this size on.

    Raises:
        InputError: `min_points` is not positive.

    Example:
        >>> car = np.full(60, 1), np.full(60, 7)
        >>> quality = PanopticQuality()
        >>> quality.add(*car, *car)
        >>> quality.result().PQ
        1.0
    """

    def __init__(self, min_points: int = MIN_POINTS) -> None:
        if min_points < 1:
            raise InputError(f'min_points must be positive, got {min_points}')
        self._min_points = min_points
        self._semantic = SemanticIou()
        self._iou = np.zeros(NUM_CLASSES)
        self._matched, self._false, self._missed = np.zeros((3, NUM_CLASSES), np.int64)
        self._num_scans = 0

    def add(self, semantic: Labels, instance: Labels, true_semantic: Labels,
            true_instance: Labels) -> None:
        """Takes one scan into account.

        Args:
            semantic: (N,) predicted train ids.
            instance: (N,) predicted objects, 0 = none; ignored on stuff.
            true_semantic: (N,) true train ids; points of id 0 do not count.
            true_instance: (N,) true objects, 0 = none; ignored on stuff.

        Raises:
            InputError: The lengths differ, or an id is out of range.
        """
        labels = PointLabels.of_scan(semantic, instance, true_semantic, true_instance)
        self._num_scans += 1
        self._semantic.add(labels)
        found, found_class = _segments(labels.semantic, labels.instance)
        sought, sought_class = _segments(labels.true_semantic, labels.true_instance)
        found_size = np.bincount(found, minlength=len(found_class))
        sought_size = np.bincount(sought, minlength=len(sought_class))
        shared = coo_array((np.ones(len(found), np.int64), (found, sought)),
                           shape=(len(found_class), len(sought_class))).tocsr().tocoo()
        row, column = shared.coords
        iou = shared.data / (found_size[row] + sought_size[column] - shared.data)
        match = (found_class[row] == sought_class[column]) & (iou > MIN_IOU)
        label = found_class[row[match]]
        self._matched += _count(label)
        self._iou += np.bincount(label, iou[match], NUM_CLASSES)
        found_size[row[match]] = sought_size[column[match]] = 0  # neither false nor missed
        self._false += _count(found_class[found_size >= self._min_points])
        self._missed += _count(sought_class[sought_size >= self._min_points])

    def result(self, classes: tuple[int, ...] | None = None) -> PanopticResult:
        """Scores of all scans so far.

        Args:
            classes: Train ids to take the means over; those that occur in the truth if None.

        Raises:
            InputError: No scan had a labelled point, or a class is none of 1..19.
        """
        classes = judged_classes(self._semantic, classes)
        parts = self._matched + (self._false + self._missed) / 2
        judged = parts > 0
        judged[0] = False
        quality = np.full((3, NUM_CLASSES), np.nan)
        pq, sq, rq = quality
        sq[judged] = self._iou[judged] / np.maximum(self._matched[judged], 1)
        rq[judged] = self._matched[judged] / parts[judged]
        pq[:] = sq * rq
        iou = self._semantic.iou()
        return PanopticResult(
            PQ=mean_over(pq, classes), SQ=mean_over(sq, classes), RQ=mean_over(rq, classes),
            mIoU=mean_over(iou, classes), PQ_things=mean_over(pq, things_of(classes)),
            PQ_stuff=mean_over(pq, stuff_of(classes)),
            PQ_all_classes=mean_over_all(pq), SQ_all_classes=mean_over_all(sq),
            RQ_all_classes=mean_over_all(rq), mIoU_all_classes=mean_over_all(iou),
            class_PQ=by_name(pq), class_IoU=by_name(iou),
            classes=tuple(CLASS_NAMES[label] for label in classes), num_scans=self._num_scans)


def _segments(semantic: Integers, instance: Integers) -> tuple[Integers, Integers]:
    """Numbers the segments of a scan.

    Returns:
        (N,) segment of each point and (S,) class of each segment. The first 20 segments are the
        stuff classes (most points, which need no sorting), empty ones included.
    """
    segment = semantic.copy()
    thing = np.flatnonzero(IS_THING[semantic])
    key, inverse = np.unique(instance[thing] * NUM_CLASSES + semantic[thing], return_inverse=True)
    segment[thing] = NUM_CLASSES + inverse
    return segment, np.concatenate([np.arange(NUM_CLASSES), key % NUM_CLASSES])


def _count(label: Integers) -> Integers:
    """(20,) how often each class occurs."""
    return np.bincount(label, minlength=NUM_CLASSES)
