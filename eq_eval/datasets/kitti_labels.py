"""KITTI's label files, and what only KITTI knows of a scan: the boxes in the image."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.class_map import CLASS_NAMES
from eq_eval.datasets.class_map import KITTI
from eq_eval.datasets.class_map import map_classes
from eq_eval.datasets.files import read_text
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.scan import LabeledScan

Array = NDArray[np.float64]

DONT_CARE = 'DontCare'


@dataclass(frozen=True, eq=False)
class KittiRows:
    """Rows of a label file as they stand there.

    Attributes:
        category: (N,) names.
        frame: (N,) int64, -1 in the object benchmark.
        track_id: (N,) int64, -1 where there is none.
        truncation: (N,) share outside the image.
        occlusion: (N,) 0 visible .. 3 unknown.
        image_box: (N, 4) left, top, right, bottom [px].
        size: (N, 3) height, width, length [m].
        bottom: (N, 3) bottom centre in the rectified camera's frame [m].
        rotation_y: (N,) heading about the camera's y [rad].
    """

    category: NDArray[np.str_]
    frame: NDArray[np.int64]
    track_id: NDArray[np.int64]
    truncation: Array
    occlusion: NDArray[np.int64]
    image_box: Array
    size: Array
    bottom: Array
    rotation_y: Array

    def select(self, index: NDArray[np.bool_]) -> KittiRows:
        """Keeps the rows of a mask."""
        return KittiRows(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """What the camera saw of the boxes of a scan, for the official difficulty.

    Attributes:
        calibration: Projects detections into the image.
        image_box: (M, 4) of the scan's boxes [px].
        truncation: (M,) share outside the image.
        occlusion: (M,) 0 visible .. 3 unknown.
        dont_care: (K, 4) parts of the image that nobody labelled [px].
        category: (M,) KITTI's own names of the boxes.
    """

    calibration: KittiCalibration
    image_box: Array
    truncation: Array
    occlusion: NDArray[np.int64]
    dont_care: Array
    category: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class KittiScan(LabeledScan):
    """A scan with KITTI's image labels."""

    image: ImageLabels | None = None


def vans_as_cars(scan: LabeledScan) -> LabeledScan:
    """Counts vans as cars, as SemanticKITTI and the simulation do; other data sets as they are."""
    if not isinstance(scan, KittiScan) or scan.image is None or scan.boxes is None:
        return scan
    van = scan.image.category == 'Van'
    return replace(scan, boxes=replace(
        scan.boxes, label=np.where(van, CLASS_NAMES.index('car'), scan.boxes.label)))


def read_rows(path: Path, tracking: bool) -> KittiRows:
    """Reads a label file of the object or the tracking benchmark.

    Raises:
        InputError: A row has the wrong number of columns or holds no numbers.
    """
    extra = 2 if tracking else 0
    names, numbers = [], []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) not in (15 + extra, 16 + extra):
            raise InputError(f'{path}, line {number}: {len(words)} columns, expected {15 + extra} '
                             f'or, with a score, {16 + extra}', 'bad_file')
        try:
            values = [float(word) for word in words[:extra] + words[extra + 1:extra + 15]]
        except ValueError as error:
            raise InputError(f'{path}, line {number}: {error}', 'bad_file') from error
        names.append(words[extra])
        numbers.append(values if tracking else [-1., -1., *values])
    table = np.array(numbers).reshape(-1, 16)
    return KittiRows(
        np.array(names, np.str_), table[:, 0].astype(np.int64), table[:, 1].astype(np.int64),
        table[:, 2], table[:, 3].astype(np.int64), table[:, 5:9], table[:, 9:12],
        table[:, 12:15], table[:, 15])


def boxes_of(rows: KittiRows, calibration: KittiCalibration, source: Path, frame_id: str,
             stamp: int) -> tuple[Boxes3D, ImageLabels]:
    """Turns rows into boxes in the LiDAR's frame, label indexing `class_map.LABEL_NAMES`.

    Raises:
        InputError: A class is unknown.
    """
    cared = rows.category != DONT_CARE
    kept = rows.select(cared)
    label, known = map_classes(kept.category.tolist(), KITTI, str(source))
    kept, label = kept.select(known), label[known]
    height, width, length = kept.size.T
    middle = kept.bottom - np.array([0., .5, 0.]) * height[:, None]
    heading = np.stack([np.cos(kept.rotation_y), np.zeros(len(label)),
                        -np.sin(kept.rotation_y)], 1)
    transform = calibration.velodyne_from_camera
    direction = heading @ transform[:3, :3].T
    boxes = Boxes3D(
        center=middle @ transform[:3, :3].T + transform[:3, 3],
        size=np.stack([length, width, height], 1),
        yaw=np.arctan2(direction[:, 1], direction[:, 0]), label=label, track_id=kept.track_id,
        frame_id=frame_id, stamp=stamp)
    return boxes, ImageLabels(calibration, kept.image_box, kept.truncation, kept.occlusion,
                              rows.image_box[~cared], kept.category)
