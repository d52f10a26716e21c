"""Writes labelled scans as a sequence folder of SemanticKITTI."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_eval.datasets.new_folder import new_folder
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_kitti import CAMERA
from eq_eval.datasets.write_kitti import write_velodyne


def write_semantic_kitti(scans: Iterable[LabeledScan], root: Path) -> int:
    """Writes ``velodyne``, ``labels``, ``poses.txt``, ``times.txt`` and ``calib.txt``.

    Poses are, as in the odometry benchmark, those of the camera in its first frame.

    Args:
        scans: The scans with `semantic` (SemanticKITTI raw ids) and `instance` (below 65536).
        root: New or empty folder.

    Returns:
        Number of scans written.

    Raises:
        ConfigError: The folder holds something.
        InputError: A scan has no point labels, or an instance id needs more than 16 bits.
    """
    new_folder(root)
    for name in ('velodyne', 'labels'):
        (root / name).mkdir()
    mount = CAMERA.camera_from_velodyne
    (root / 'calib.txt').write_text(_calibration(), encoding='utf-8')
    first: NDArray[np.float64] = np.eye(4)
    count = 0
    with (root / 'poses.txt').open('w', encoding='utf-8') as poses, \
            (root / 'times.txt').open('w', encoding='utf-8') as times:
        for scan in scans:
            if count == 0:
                first = np.asarray(np.linalg.inv(scan.pose), np.float64)
            write_velodyne(scan, root / 'velodyne' / f'{count:06d}.bin')
            (root / 'labels' / f'{count:06d}.label').write_bytes(packed_labels(scan))
            camera = mount @ first @ scan.pose @ np.linalg.inv(mount)
            poses.write(' '.join(f'{value:.9e}' for value in camera[:3].ravel()) + '\n')
            times.write(f'{scan.points.stamp * 1e-9:.6e}\n')
            count += 1
    return count


def packed_labels(scan: LabeledScan) -> bytes:
    """The bytes of a ``.label`` file: uint32 a point, low half class, high half instance.

    Raises:
        InputError: The scan has no point labels, or an instance id needs more than 16 bits.
    """
    if scan.semantic is None or scan.instance is None:
        raise InputError(f'scan {scan.index} of {scan.sequence!r} has no point labels',
                         'missing_field')
    highest = int(scan.instance.max(initial=0))
    if highest > 0xFFFF:
        raise InputError(f'instance ids must be below 65536, scan {scan.index} has {highest}')
    packed = scan.semantic.astype('<u4') | scan.instance.astype('<u4') << np.uint32(16)
    return packed.astype('<u4').tobytes()


def _calibration() -> str:
    """Calibration of the odometry benchmark."""
    matrices = {f'P{number}': CAMERA.projection for number in range(4)}
    matrices['Tr'] = CAMERA.camera_from_velodyne[:3]
    return ''.join(f'{name}: ' + ' '.join(f'{v:.12e}' for v in matrix.ravel()) + '\n'
                   for name, matrix in matrices.items())
