"""Sweeps of an Argoverse 2 sensor log.

Wilson et al., Argoverse 2: Next generation datasets for self-driving perception and forecasting,
NeurIPS 2021 datasets. The ego frame has x forward, y left, z up and its origin at the rear axle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import ARGOVERSE2
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.class_map import map_classes
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.csv_table import numbers
from eq_eval.datasets.csv_table import read_csv
from eq_eval.datasets.files import numbered_files
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.track_velocity import with_track_velocities

FRAME_ID = 'ego_vehicle'
BOXES, POSES = 'annotations.csv.gz', 'city_SE3_egovehicle.csv.gz'
_QUATERNION = ('qw', 'qx', 'qy', 'qz')
_PLACE = ('tx_m', 'ty_m', 'tz_m')
_SIZE = ('length_m', 'width_m', 'height_m')


def open_log(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a log folder with ``lidar_<ns>.npz``, ``annotations`` and ego poses.

    Velocities come from the tracks over all annotated stamps.

    Raises:
        InputError: A file is missing or damaged.
    """
    files = numbered_files(root, 'lidar_*.npz')
    poses = _poses(root / POSES)
    frames = _boxes(root / BOXES, poses)

    def read(index: int, path: Path) -> LabeledScan:
        stamp = int(path.stem.split('_')[-1])
        if stamp not in frames or stamp not in poses:
            raise InputError(f'{path}: no boxes or pose for stamp {stamp}', 'bad_file')
        points = load_points(path, stamp, FRAME_ID)
        boxes = frames[stamp]
        return LabeledScan(
            points, poses[stamp], boxes, sequence=root.name, index=index, class_names=LABEL_NAMES,
            num_points=count_points_in_boxes(points.xyz, boxes))

    return Recording(root.name, 'argoverse2', len(files), read_each(files, read, skip_bad),
                     has_boxes=True, has_velocity=True)


def rotation_of(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices of unit quaternions.

    Args:
        quaternion: (N, 4) w x y z.

    Returns:
        (N, 3, 3).
    """
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    return np.stack([
        np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1),
        np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1),
        np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1)], -2)


def _poses(path: Path) -> dict[int, NDArray[np.float64]]:
    """(4, 4) city <- ego of each stamp."""
    rows = read_csv(path, ('timestamp_ns', *_QUATERNION, *_PLACE))
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3, :3] = rotation_of(numbers(rows, _QUATERNION, path))
    poses[:, :3, 3] = numbers(rows, _PLACE, path)
    return {int(row['timestamp_ns']): pose for row, pose in zip(rows, poses, strict=True)}


def _boxes(path: Path, poses: dict[int, NDArray[np.float64]]) -> dict[int, Boxes3D]:
    """Boxes of each stamp that has a pose."""
    rows = read_csv(path, ('timestamp_ns', 'track', 'category', *_SIZE, *_QUATERNION, *_PLACE))
    label, kept = map_classes([row['category'] for row in rows], ARGOVERSE2, str(path))
    stamps = np.array([int(row['timestamp_ns']) for row in rows], np.int64)
    axis = rotation_of(numbers(rows, _QUATERNION, path))[:, :, 0]
    center, size = numbers(rows, _PLACE, path), numbers(rows, _SIZE, path)
    track = numbers(rows, ('track',), path)[:, 0].astype(np.int64)
    frames = []
    for stamp in sorted(set(stamps.tolist()) & set(poses)):
        here = kept & (stamps == stamp)
        frames.append(Boxes3D(
            center=center[here], size=size[here], yaw=np.arctan2(axis[here, 1], axis[here, 0]),
            label=label[here], track_id=track[here], frame_id=FRAME_ID, stamp=stamp))
    moving = with_track_velocities(frames, [poses[boxes.stamp] for boxes in frames])
    return {boxes.stamp: boxes for boxes in moving}
