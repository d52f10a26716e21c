"""SemanticKITTI: a sequence with a class and an instance for every point.

Behley et al., SemanticKITTI: A dataset for semantic scene understanding of LiDAR sequences, ICCV
2019. `LabeledScan.semantic` holds the raw ids (10 car, 252 moving car, ...).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_eval.datasets.compact_npz import load_columns
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import poses_of
from eq_eval.datasets.files import read_array
from eq_eval.datasets.files import read_table
from eq_eval.datasets.kitti import load_velodyne
from eq_eval.datasets.kitti import velodyne_files
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_tracking import POSES
from eq_eval.datasets.kitti_tracking import read_poses
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_perception.panoptic.classes import RAW_OF_TRAIN


def open_sequence(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a sequence folder: ``velodyne``, and where there are ``labels``, poses, ``calib.txt``.

    Labels lie in ``labels/*.label`` or, as classes of part of the points without instances, in
    ``semantic_partial/*.npz``. Scans without a label file are read without labels.

    Raises:
        InputError: There is no scan, or the poses do not fit.
    """
    files = velodyne_files(root)
    poses = _poses(root, files)
    stamps = _stamps(root, len(files))

    def read(index: int, path: Path) -> LabeledScan:
        points = load_velodyne(path, stamps[index])
        semantic, instance = _labels(root, path, len(points))
        return LabeledScan(points, poses[index], semantic=semantic, instance=instance,
                           sequence=root.name, index=index)

    return Recording(root.name, 'semantic_kitti', len(files), read_each(files, read, skip_bad))


def read_label_file(path: Path, count: int) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Reads a ``.label`` file.

    Args:
        path: The file; uint32 a point, low 16 bits class, high 16 bits instance.
        count: Points of the scan.

    Returns:
        (N,) raw class ids and (N,) instance ids.

    Raises:
        InputError: The file is damaged or labels another number of points.
    """
    packed = read_array(path, '<u4')
    if len(packed) != count:
        raise InputError(f'{path} labels {len(packed)} points ({path.stat().st_size} bytes), '
                         f'the scan has {count}', 'bad_file')
    return (packed & 0xFFFF).astype(np.uint16), (packed >> 16).astype(np.uint32)


def _labels(root: Path, scan: Path, count: int) -> tuple[NDArray[np.uint16] | None,
                                                         NDArray[np.uint32] | None]:
    """Labels of a scan from wherever they lie."""
    full = root / 'labels' / f'{scan.stem}.label'
    if full.exists():
        return read_label_file(full, count)
    partial = root / 'semantic_partial' / f'{scan.stem}.npz'
    if not partial.exists():
        return None, None
    columns = load_columns(partial)
    if 'train_id' not in columns or len(columns['train_id']) != count:
        raise InputError(f'{partial} labels {len(columns.get("train_id", ()))} points, '
                         f'the scan has {count}', 'bad_file')
    train = columns['train_id']
    known = train < len(RAW_OF_TRAIN)
    return np.where(known, RAW_OF_TRAIN[np.where(known, train, 0)], 0).astype(np.uint16), None


def _poses(root: Path, files: list[Path]) -> NDArray[np.float64]:
    """(N, 4, 4) world <- sensor: derived poses by number, the benchmark's by row, or identity."""
    if (root / POSES).exists():
        return read_poses(root / POSES, [int(path.stem) for path in files])
    if not (root / 'poses.txt').exists():
        return np.tile(np.eye(4), (len(files), 1, 1))
    camera = poses_of(read_table(root / 'poses.txt', 12))
    if len(camera) < len(files):
        raise InputError(f'{root / "poses.txt"} holds {len(camera)} poses, '
                         f'there are {len(files)} scans', 'bad_file')
    # The benchmark's poses are those of the left camera.
    calibration = root / 'calib.txt'
    mount = (KittiCalibration.read(calibration).camera_from_velodyne if calibration.exists()
             else np.eye(4))
    rows = [int(path.stem) if path.stem.isdigit() and int(path.stem) < len(camera) else position
            for position, path in enumerate(files)]
    return np.linalg.inv(mount) @ camera[rows] @ mount


def _stamps(root: Path, count: int) -> list[int]:
    """Time of each scan [ns]: from ``times.txt`` [s] where it is there, else ten a second."""
    path = root / 'times.txt'
    if not path.exists():
        return [index * SCAN_PERIOD for index in range(count)]
    times = read_table(path, 1)[:, 0]
    if len(times) < count:
        raise InputError(f'{path} holds {len(times)} times, there are {count} scans', 'bad_file')
    return [round(time * 1e9) for time in times]


def is_sequence(root: Path) -> bool:
    """Whether a folder looks like a sequence rather than like the object benchmark."""
    marks = ('labels', 'semantic_partial', 'poses.txt', POSES)
    return (root / 'velodyne').is_dir() and any((root / mark).exists() for mark in marks)
