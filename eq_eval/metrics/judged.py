"""Brings detections and labels of a scan into the form that the metrics take.

Data sets label only what they care for: a part of the circle, some classes, some regions. What a
detector says beyond that is neither right nor wrong and is taken out here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import points_in_boxes
from eq_eval.datasets.kitti_labels import ImageLabels
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.kitti import ImageDifficulty
from eq_eval.rotation import within

EXCUSE_MARGIN = 0.5  # [m]; a centre this far outside an ignored box still belongs to it
DONT_CARE_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Judged:
    """A scan ready for the metrics; labels index the detector's classes.

    Attributes:
        prediction: D detections inside the labelled part of the scan.
        truth: G truths; label ``len(class_names)`` marks those that are ignored.
        num_points: (G,) LiDAR points in each truth.
        excused: (D,) detections on ignored truths.
        image: For KITTI's official difficulty, None elsewhere.
    """

    prediction: Boxes3D
    truth: Boxes3D
    num_points: NDArray[np.int64]
    excused: NDArray[np.bool_]
    image: ImageDifficulty | None = None


def judge(prediction: Boxes3D, scan: LabeledScan, class_names: tuple[str, ...]) -> Judged:
    """Takes out what cannot be judged.

    Outside `scan.field_of_view` detections are dropped and truths ignored; truths of foreign
    classes are ignored; a detection on an ignored truth is excused unless a truth of its own class
    is nearer; a detection that lies mostly in a DontCare region of KITTI's image is dropped.

    Args:
        prediction: Detections, in the frame of the scan.
        scan: A scan with boxes.
        class_names: Classes of the detector.

    Raises:
        InputError: The scan has no boxes.
    """
    if scan.boxes is None:
        raise InputError(f'{scan.sequence}, scan {scan.index}: no boxes to compare with')
    truth = dataclasses.replace(scan.boxes, label=_labels(scan, class_names))
    seen = within(_azimuth(truth), scan.field_of_view)
    truth = dataclasses.replace(truth, label=np.where(seen, truth.label, len(class_names)))
    prediction = prediction.select(within(_azimuth(prediction), scan.field_of_view))
    image = scan.image if isinstance(scan, KittiScan) else None
    if image is not None and image.calibration.full_circle:
        image = None    # most labels are in no image
    if image is not None:
        prediction = prediction.select(~in_dont_care(prediction, image))
    num_points = scan.num_points
    if num_points is None:
        num_points = np.array([len(index) for index in points_in_boxes(scan.points.xyz, truth)])
    return Judged(prediction, truth, num_points.astype(np.int64),
                  _excused(prediction, truth, len(class_names)),
                  None if image is None else _difficulty(prediction, image))


def _labels(scan: LabeledScan, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels of the scan's boxes in the detector's numbering."""
    table = [class_names.index(name) if name in class_names else len(class_names)
             for name in scan.class_names]
    boxes = scan.boxes if scan.boxes is not None else Boxes3D.empty()
    return np.array(table, np.int64)[boxes.label]


def _azimuth(boxes: Boxes3D) -> NDArray[np.float64]:
    """(N,) direction in which the centres lie [rad]."""
    return np.arctan2(boxes.center[:, 1], boxes.center[:, 0])


def _excused(prediction: Boxes3D, truth: Boxes3D, ignored: int) -> NDArray[np.bool_]:
    """Detections whose centre lies in an ignored box and near no truth of their class."""
    excused = np.zeros(len(prediction), bool)
    neutral = truth.select(truth.label == ignored)
    # Footprints only: heights of vans and trams differ from those of cars.
    flat = dataclasses.replace(neutral, center=neutral.center * [1, 1, 0])
    for index, center in zip(points_in_boxes(prediction.center * [1, 1, 0], flat, EXCUSE_MARGIN),
                             neutral.center[:, :2], strict=True):
        for position in index:
            own = truth.center[truth.label == prediction.label[position], :2]
            place = prediction.center[position, :2]
            nearest = np.linalg.norm(own - place, axis=1).min(initial=np.inf)
            excused[position] |= nearest > np.linalg.norm(center - place)
    return excused


def in_dont_care(found: Boxes3D, image: ImageLabels) -> NDArray[np.bool_]:
    """Boxes of whose image half or more lies in one region that nobody labelled."""
    boxes = image.calibration.image_boxes(found)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    low = np.maximum(boxes[:, None, :2], image.dont_care[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], image.dont_care[None, :, 2:])
    shared = (high - low).clip(0.).prod(2).max(1, initial=0.)
    return np.asarray((area > 0) & (shared >= DONT_CARE_SHARE * area))


def _difficulty(prediction: Boxes3D, image: ImageLabels) -> ImageDifficulty:
    """What decides KITTI's official difficulty."""
    boxes = image.calibration.image_boxes(prediction)
    return ImageDifficulty(image.image_box[:, 3] - image.image_box[:, 1], image.occlusion,
                           image.truncation, boxes[:, 3] - boxes[:, 1])
