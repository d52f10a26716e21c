"""The KITTI object benchmark: one scan, one label file and one calibration per frame.

Geiger et al., Are we ready for autonomous driving? The KITTI vision benchmark suite, CVPR 2012.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import read_array
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import boxes_of
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.kitti_labels import read_rows
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording

FRAME_ID = 'velodyne'
_FOLDERS = ('velodyne', 'velodyne_fov', 'velodyne_reduced')


def load_velodyne(path: Path, stamp: int = 0) -> Points:
    """Reads one scan: ``.bin`` (x y z reflectance, float32) or ``.npz`` columns.

    Raises:
        InputError: The file is missing or damaged.
    """
    if path.suffix == '.npz':
        return load_points(path, stamp, FRAME_ID)
    table = read_array(path, '<f4', columns=4)
    return Points.from_xyz(table[:, :3], table[:, 3], FRAME_ID, stamp)


def velodyne_files(root: Path) -> list[Path]:
    """Scans of a folder, by the number in their names; full scans go before front views.

    Raises:
        InputError: There is none.
    """
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for pattern in ('*.bin', '*.npz'):
            for path in sorted((root / folder).glob(pattern)):
                found.setdefault(path.stem, path)
    if not found:
        raise InputError(f'{root} has no velodyne/*.bin or *.npz', 'missing_file')
    return [found[stem] for stem in sorted(found)]


def open_object(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder with ``velodyne``, and ``label_2`` and ``calib`` where there are labels.

    Only what the front camera sees is labelled: each scan has its `field_of_view`.

    Raises:
        InputError: There is no scan.
    """
    files = velodyne_files(root)
    labelled = (root / 'label_2').is_dir()

    def read(index: int, path: Path) -> KittiScan:
        stamp = index * SCAN_PERIOD
        points = load_velodyne(path, stamp)
        if not labelled:
            return KittiScan(points, np.eye(4), sequence=root.name, index=index)
        calibration = KittiCalibration.read(root / 'calib' / f'{path.stem}.txt')
        source = root / 'label_2' / f'{path.stem}.txt'
        boxes, image = boxes_of(read_rows(source, tracking=False), calibration, source, FRAME_ID,
                                stamp)
        return KittiScan(
            points, np.eye(4), boxes, sequence=root.name, index=index, class_names=LABEL_NAMES,
            num_points=count_points_in_boxes(points.xyz, boxes),
            field_of_view=calibration.field_of_view(), image=image)

    return Recording(root.name, 'kitti_object', len(files), read_each(files, read, skip_bad),
                     has_boxes=labelled)
