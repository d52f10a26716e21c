"""Labels for a recording from another one with the same scans, such as for a bag made of KITTI."""

from __future__ import annotations

from collections.abc import Iterator
import dataclasses
from hashlib import blake2b

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan


def with_labels_of(recording: Recording, labelled: Recording) -> Recording:
    """Gives the scans of a recording the labels of equal scans.

    Scans are equal when all coordinates are, to a millimetre; their stamps and frames may differ.

    Args:
        recording: Scans to label.
        labelled: Where the labels are; it is read through once.

    Raises:
        InputError: While reading: a scan is in no labelled one.
    """
    known = {fingerprint(scan.points): _without_points(scan) for scan in labelled.scans()}

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        for scan in recording.scans():
            truth = known.get(fingerprint(scan.points))
            if truth is None:
                raise InputError(f'{recording.name}, scan {scan.index}: no equal scan in '
                                 f'{labelled.name}', 'no_labels')
            boxes = truth.boxes if truth.boxes is None else dataclasses.replace(
                truth.boxes, frame_id=scan.points.frame_id, stamp=scan.points.stamp)
            yield dataclasses.replace(truth, points=scan.points, boxes=boxes, index=scan.index,
                                      sequence=scan.sequence)
        lost += recording.lost

    return dataclasses.replace(
        recording, load=load, has_boxes=labelled.has_boxes, complete=labelled.complete,
        has_velocity=labelled.has_velocity, lost=[])


def fingerprint(points: Points) -> bytes:
    """Sixteen bytes that stand for the coordinates, in order and to a millimetre."""
    millimetres = np.rint(points.xyz.T.astype(np.float64) * 1000).astype('<i4')
    return blake2b(np.ascontiguousarray(millimetres).tobytes(), digest_size=16).digest()


def _without_points(scan: LabeledScan) -> LabeledScan:
    """The scan's labels only."""
    return dataclasses.replace(scan, points=Points.from_xyz(np.zeros((0, 3), np.float32)))
