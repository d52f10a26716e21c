"""Scores the tracked objects of a segmenter against labelled boxes with identities."""

from __future__ import annotations

from collections import defaultdict
import dataclasses
from typing import Any

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import CLASS_NAMES
from eq_eval.datasets.class_map import IGNORE
from eq_eval.datasets.kitti_labels import vans_as_cars
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.metrics.tracking import evaluate_amota
from eq_eval.metrics.tracking import evaluate_clear
from eq_eval.metrics.tracking import evaluate_hota
from eq_eval.metrics.tracking import TrackedScan

# What is told of each class besides HOTA's own figures.
_OF_AMOTA = {'AMOTA': 'amota', 'AMOTP': 'amotp'}


class TrackScores:
    """Collects tracks and labelled boxes, scan by scan.

    Scans without boxes, or with boxes whose identity is not known, are left out, and so are
    sequences of a single scan, in which nothing can be tracked.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._sequences: dict[str, list[TrackedScan]] = defaultdict(list)

    def add(self, scan: LabeledScan, objects: Boxes3D) -> None:
        """Takes one scan into account.

        Args:
            scan: A scan; those of a sequence in their order.
            objects: Its tracks, in its frame; labels index `class_map.CLASS_NAMES`.
        """
        if scan.boxes is not None and (scan.boxes.track_id >= 0).all():
            self._sequences[scan.sequence].append(tracked_scan(objects, scan))

    def result(self, with_amota: bool = True) -> dict[str, Any] | None:
        """Means over the classes that occur, and the figures of each.

        Args:
            with_amota: Whether AMOTA is computed, too, which takes a while.

        Returns:
            None where no sequence has labelled tracks; `unavailable` tells which package is
            missing.
        """
        sequences = {name: scans for name, scans in self._sequences.items() if len(scans) > 1}
        if not any(len(scan.truth) for scans in sequences.values() for scan in scans):
            return None
        result: dict[str, Any] = {'num_scans': sum(len(scans) for scans in sequences.values())}
        classes: dict[str, dict[str, Any]] = defaultdict(dict)
        try:
            hota = evaluate_hota(sequences, CLASS_NAMES)
            clear = evaluate_clear(sequences, CLASS_NAMES)
            result |= hota.as_dict() | clear.as_dict()
            for name in hota.class_figures:
                classes[name] |= hota.class_figures[name] | clear.class_figures[name]
            if with_amota:
                amota = evaluate_amota(sequences, CLASS_NAMES)
                result |= amota.as_dict()
                for name, row in amota.class_figures.items():
                    classes[name] |= {ours: row[theirs] for ours, theirs in _OF_AMOTA.items()}
        except InputError as error:
            if error.reason != 'missing_package':
                raise
            result['unavailable'] = str(error)
        return result | ({'class_figures': dict(classes)} if classes else {})


def tracked_scan(objects: Boxes3D, scan: LabeledScan) -> TrackedScan:
    """Keeps what can be judged of a scan: what its labels cover and its points show.

    Beyond `judged.judge`, an object without a LiDAR point is ignored: it is no miss if its track
    ends there, and no false alarm if its track goes on.
    """
    scan = vans_as_cars(scan)
    if scan.boxes is None:
        raise InputError(f'{scan.sequence}, scan {scan.index}: no boxes to compare with')
    seen = (count_points_in_boxes(scan.points.xyz, scan.boxes) if scan.num_points is None
            else scan.num_points)
    names = (*scan.class_names, IGNORE)
    boxes = dataclasses.replace(
        scan.boxes, label=np.where(seen > 0, scan.boxes.label, len(scan.class_names)))
    judged = judge(objects, dataclasses.replace(scan, boxes=boxes, class_names=names), CLASS_NAMES)
    return TrackedScan(judged.prediction.select(~judged.excused),
                       judged.truth.select(judged.truth.label < len(CLASS_NAMES)), scan.pose,
                       scan.points.stamp)
