"""Runs a segmenter over labelled sequences and scores it: offline, streamed, and turned."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from itertools import groupby
from time import perf_counter
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.lstq import LstqResult
from eq_eval.metrics.lstq import SegmentationTrackingQuality
from eq_eval.metrics.panoptic import PanopticQuality
from eq_eval.metrics.panoptic import PanopticResult
from eq_eval.metrics.point_labels import PointLabels
from eq_eval.metrics.semantic_iou import by_name
from eq_eval.metrics.semantic_iou import judged_classes
from eq_eval.metrics.semantic_iou import mean_over
from eq_eval.metrics.semantic_iou import mean_over_all
from eq_eval.metrics.semantic_iou import SemanticIou
from eq_eval.metrics.streaming import Answer
from eq_eval.metrics.streaming import regular_stamps
from eq_eval.metrics.streaming import schedule
from eq_eval.metrics.streaming import streamed
from eq_eval.rotation import turned
from eq_eval.tracking_evaluation import TrackScores
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import train_ids
from eq_perception.panoptic.segmenter import PanopticScan


class AnySegmenter(Protocol):
    """What can be evaluated."""

    def reset(self) -> None:
        """Forgets the sequence before."""

    def segment(self, points: Points, pose: NDArray[np.float64] | None = None) -> PanopticScan:
        """Segments the next scan."""


@dataclass(frozen=True)
class SegmenterProtocols:
    """What is asked of the sequences.

    Attributes:
        rate: Scans per second of the streaming protocol.
        allowance: Time after a scan at which its answer is asked for, in periods; with 1 an
            answer that is ready before the next scan counts in full.
        with_poses: Whether the segmenter is told the odometry.
        rotations: Angles by which the first sequence is turned [degrees].
        rotated_scans: Scans of it.
        with_amota: Whether AMOTA of the tracks is computed, too, which takes a while.
    """

    rate: float = 10.
    allowance: float = 1.
    with_poses: bool = True
    rotations: tuple[float, ...] = ()
    rotated_scans: int = 100
    with_amota: bool = False


def evaluate_segmenter(segmenter: AnySegmenter, scans: Iterable[LabeledScan],
                       protocols: SegmenterProtocols | None = None,
                       progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Scores a segmenter.

    Args:
        segmenter: Anything that gives points a class and an object.
        scans: Scans with classes and objects of points, or boxes with identities, or whatever
            part of these a data set has; sequence after sequence.
        protocols: What is asked of them.
        progress: Told the number of scans done.

    Returns:
        What the labels allow. For points those of `Scores`, and for sequences of several scans
        the same of the streamed answers as `streaming_LSTQ` and `streaming`; for boxes with
        identities `tracking`, see `TrackScores`; latencies; with rotations also `rotation`, see
        `turn_agreement`.

    Raises:
        InputError: There is no scan, or none has labels.
    """
    asked = protocols if protocols is not None else SegmenterProtocols()
    offline, live, tracks = Scores(), Scores(), TrackScores()
    latency: list[float] = []
    first: list[LabeledScan] = []
    done = 0
    for _, group in groupby(scans, key=lambda scan: scan.sequence):
        sequence = list(group)
        first = first or sequence
        answers, seconds = run_sequence(segmenter, sequence, asked.with_poses)
        for scan, answer in zip(sequence, answers, strict=True):
            offline.add(scan, _labels(answer))
            tracks.add(scan, answer.objects)
        if len(sequence) > 1 and any(scan.semantic is not None for scan in sequence):
            for scan, current in zip(
                    sequence, _streamed(segmenter, sequence, answers, seconds, asked),
                    strict=True):
                live.add(scan, current)
        latency += seconds
        done += len(sequence)
        progress(done)
    if not done:
        raise InputError('there is no scan to segment', 'no_labels')
    tracking = tracks.result(asked.with_amota)
    if not offline.num_scans and tracking is None:
        raise InputError('no scan has labels to compare with', 'no_labels')
    milliseconds = 1e3 * np.array(latency)
    result: dict[str, Any] = {
        'scans': done, 'latency_ms': {f'p{share}': float(np.percentile(milliseconds, share))
                                      for share in (50, 90, 99)}}
    if offline.num_scans:
        result |= offline.result()
    if live.num_scans:
        streaming = live.result()
        result |= {'streaming': streaming, 'streaming_LSTQ': streaming['LSTQ']}
    if tracking is not None:
        result['tracking'] = tracking
    if asked.rotations:
        result['rotation'] = {str(angle): turn_agreement(
            segmenter, first[:asked.rotated_scans], angle, asked.with_poses)
            for angle in asked.rotations}
    return result


class Scores:
    """All metrics of per-point answers, accumulated scan by scan.

    Some data sets tell the classes of points but not their objects. Classes are judged in every
    scan that has them, objects only in those that have both.

    Attributes:
        num_scans: Scans with classes so far.
        panoptic_scans: Those of them with objects.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._semantic = SemanticIou()
        self._quality = PanopticQuality()
        self._tracking = SegmentationTrackingQuality()
        self.num_scans = self.panoptic_scans = 0

    def add(self, scan: LabeledScan, answer: Answer) -> None:
        """Compares the answer with the labels of a scan; scans without labels are left out."""
        if scan.semantic is None:
            return
        truth = train_ids(scan.semantic)
        none = np.zeros(len(truth), np.uint32)
        self._semantic.add(PointLabels.of_scan(*answer, truth, none))
        self.num_scans += 1
        if scan.instance is None:
            return
        self._quality.add(*answer, truth, scan.instance)
        self._tracking.add(scan.sequence, *answer, truth, scan.instance)
        self.panoptic_scans += 1

    def result(self) -> dict[str, Any]:
        """The figures; None for those of objects where no scan has objects.

        `LSTQ` and `PQ` with their parts are over the scans with objects; `mIoU`, `class_IoU` and
        `classes` over all with classes.
        """
        objects: dict[str, Any] = {'class_PQ': {}, 'num_objects': 0}
        if self.panoptic_scans:
            objects = self._quality.result().as_dict() | self._tracking.result().as_dict()
        iou = self._semantic.iou()
        classes = judged_classes(self._semantic, None)
        unknown = {each.name: None for kind in (PanopticResult, LstqResult)
                   for each in fields(kind)}
        return unknown | objects | {
            'mIoU': mean_over(iou, classes), 'mIoU_all_classes': mean_over_all(iou),
            'class_IoU': by_name(iou), 'classes': [CLASS_NAMES[label] for label in classes],
            'num_scans': self.num_scans, 'panoptic_scans': self.panoptic_scans}


def _labels(answer: PanopticScan) -> Answer:
    """Train ids and objects of the points."""
    return answer.semantic, answer.instance


def run_sequence(segmenter: AnySegmenter, scans: Sequence[LabeledScan], with_poses: bool = True
                 ) -> tuple[list[PanopticScan], list[float]]:
    """Segments a sequence from its beginning.

    Returns:
        The answer to each scan, and the time each took [s].
    """
    segmenter.reset()
    answers, seconds = [], []
    for scan in scans:
        began = perf_counter()
        found = segmenter.segment(scan.points, scan.pose if with_poses else None)
        seconds.append(perf_counter() - began)
        answers.append(found)
    return answers, seconds


def _streamed(segmenter: AnySegmenter, scans: list[LabeledScan],
              answers: list[PanopticScan], seconds: list[float], asked: SegmenterProtocols
              ) -> Iterator[Answer]:
    """Answers that are current at each scan, one worker taking always the newest."""
    plan = schedule(regular_stamps(len(scans), asked.rate), np.array(seconds),
                    asked.allowance / asked.rate)
    seen = plan.processed.tolist()
    if len(seen) < len(scans):
        # The segmenter remembers, so that scans it never saw must not help it.
        answers, _ = run_sequence(segmenter, [scans[index] for index in seen], asked.with_poses)
    return streamed(scans, dict(zip(seen, map(_labels, answers), strict=True)), plan)


def turn_agreement(segmenter: AnySegmenter, scans: Sequence[LabeledScan], degrees: float,
                   with_poses: bool = True) -> dict[str, float]:
    """Compares the answers to a sequence with those to the same sequence turned.

    Returns:
        Shares of points whose class differs (`semantic`), of points that belong to an object in
        either and whose object differs (`instance`), and of scans with the very same set of
        objects (`same_ids`).
    """
    upright, _ = run_sequence(segmenter, scans, with_poses)
    # Ids are never used again, so both runs are numbered by first appearance.
    aside, _ = run_sequence(segmenter, [turned(scan, degrees) for scan in scans], with_poses)
    different, owned, moved, points, same = 0, 0, 0, 0, 0
    names: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for first, second in zip(upright, aside, strict=True):
        ids = tuple(_renamed(answer.instance, known) for answer, known in
                    zip((first, second), names, strict=True))
        either = (ids[0] > 0) | (ids[1] > 0)
        different += int((first.semantic != second.semantic).sum())
        points += len(first.semantic)
        owned += int(either.sum())
        moved += int((ids[0] != ids[1])[either].sum())
        same += int(np.array_equal(np.unique(ids[0]), np.unique(ids[1])))
    return {'semantic': different / points, 'instance': moved / max(owned, 1),
            'same_ids': same / len(scans)}


def _renamed(instance: NDArray[np.uint32], known: dict[int, int]) -> NDArray[np.int64]:
    """Numbers objects 1, 2, ... in the order in which they first appear."""
    values, where = np.unique(instance, return_inverse=True)
    for value in values.tolist():
        if value:
            known.setdefault(value, len(known) + 1)
    return np.array([known.get(value, 0) for value in values.tolist()])[where]
