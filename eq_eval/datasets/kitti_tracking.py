"""A sequence of the KITTI tracking benchmark: boxes with identities, hence with velocities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import poses_of
from eq_eval.datasets.files import read_table
from eq_eval.datasets.kitti import FRAME_ID
from eq_eval.datasets.kitti import load_velodyne
from eq_eval.datasets.kitti import velodyne_files
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import boxes_of
from eq_eval.datasets.kitti_labels import ImageLabels
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.kitti_labels import read_rows
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.track_velocity import with_track_velocities

POSES = 'poses_kiss_icp.txt'
OWN_POSES = 'poses_odometry.txt'  # what `write_kitti_tracking` writes


def open_tracking(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder with ``velodyne``, ``label_02.txt``, ``calib.txt`` and poses.

    Only what the front camera sees is labelled: each scan has its `field_of_view`. Poses are
    rows of a frame number and a 3x4 matrix; without them there are no velocities.

    Raises:
        InputError: Scans, labels or calibration are missing or damaged.
    """
    files = velodyne_files(root)
    frames = [int(path.stem) for path in files]
    calibration = KittiCalibration.read(root / 'calib.txt')
    tables = [root / name for name in (OWN_POSES, POSES) if (root / name).exists()]
    poses = read_poses(tables[0], frames) if tables else None
    boxes, images = _labels(root / 'label_02.txt', frames, calibration)
    if poses is not None:
        boxes = with_track_velocities(boxes, list(poses))

    def read(index: int, path: Path) -> KittiScan:
        points = load_velodyne(path, frames[index] * SCAN_PERIOD)
        return KittiScan(
            points, np.eye(4) if poses is None else poses[index], boxes[index],
            sequence=root.name, index=frames[index], class_names=LABEL_NAMES,
            num_points=count_points_in_boxes(points.xyz, boxes[index]),
            field_of_view=calibration.field_of_view(), image=images[index])

    return Recording(root.name, 'kitti_tracking', len(files), read_each(files, read, skip_bad),
                     has_boxes=True, has_velocity=poses is not None)


def read_poses(path: Path, frames: Sequence[int]) -> NDArray[np.float64]:
    """Reads the poses of some frames.

    Returns:
        (N, 4, 4) world <- sensor.

    Raises:
        InputError: A frame has no pose.
    """
    table = read_table(path, 13)
    by_frame = dict(zip(table[:, 0].astype(int).tolist(), poses_of(table[:, 1:]), strict=True))
    missing = [frame for frame in frames if frame not in by_frame]
    if missing:
        raise InputError(f'{path}: no pose for frames {missing[:5]}', 'bad_file')
    return np.array([by_frame[frame] for frame in frames])


def _labels(path: Path, frames: Sequence[int], calibration: KittiCalibration,
            ) -> tuple[list[Boxes3D], list[ImageLabels]]:
    """Boxes and image labels of each frame."""
    rows = read_rows(path, tracking=True)
    boxes, images = [], []
    for frame in frames:
        box, image = boxes_of(rows.select(rows.frame == frame), calibration, path, FRAME_ID,
                              frame * SCAN_PERIOD)
        boxes.append(box)
        images.append(image)
    return boxes, images
