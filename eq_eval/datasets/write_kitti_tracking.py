"""Writes proposed tracks as a sequence of the KITTI tracking benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from eq_core.errors import InputError
from eq_eval.datasets.kitti_tracking import OWN_POSES
from eq_eval.datasets.new_folder import new_folder
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_kitti import calibration_text
from eq_eval.datasets.write_kitti import camera_of
from eq_eval.datasets.write_kitti import label_rows
from eq_eval.datasets.write_kitti import write_velodyne


def write_kitti_tracking(scans: Iterable[LabeledScan], root: Path) -> int:
    """Writes ``velodyne``, ``label_02.txt``, ``calib.txt``, and ``poses_odometry.txt`` if known.

    All boxes are written, also those outside the camera's image, with their scores behind them.
    Frames bear the scans' positions in the recording, so that those of KITTI keep their numbers.

    Args:
        scans: The scans of one sequence; boxes with `track_id` in the LiDAR's frame.
        root: New or empty folder.

    Returns:
        Number of scans written.

    Raises:
        ConfigError: The folder holds something.
        InputError: Two scans have the same position, or there is none.
    """
    new_folder(root)
    (root / 'velodyne').mkdir()
    labels, poses = [], []
    calibration = ''
    for scan in scans:
        path = root / 'velodyne' / f'{scan.index:06d}.bin'
        if path.exists():
            raise InputError(f'two scans have the position {scan.index}, the second one in '
                             f'{scan.sequence}; expected a single sequence')
        camera = camera_of(scan)
        write_velodyne(scan, path)
        labels += label_rows(scan, camera, proposals=True, frame=scan.index)
        poses.append((scan.index, scan.pose))
        calibration = calibration or calibration_text(camera, full_circle=True)
    if not poses:
        raise InputError(f'there is no scan to write to {root}')
    (root / 'calib.txt').write_text(calibration, encoding='utf-8')
    (root / 'label_02.txt').write_text(''.join(f'{row}\n' for row in labels), encoding='utf-8')
    if not all(np.array_equal(pose, np.eye(4)) for _, pose in poses):
        (root / OWN_POSES).write_text(''.join(
            f'{index} ' + ' '.join(f'{value:.9f}' for value in pose[:3].ravel()) + '\n'
            for index, pose in poses), encoding='utf-8')
    return len(poses)
