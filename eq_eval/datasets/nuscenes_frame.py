"""Single nuScenes LiDAR frames with boxes in a table.

Caesar et al., nuScenes, CVPR 2020. Its LiDAR frame has x right and y forward; everything is turned
by a quarter into x forward, y left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.class_map import map_classes
from eq_eval.datasets.class_map import NUSCENES
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.csv_table import numbers
from eq_eval.datasets.csv_table import read_csv
from eq_eval.datasets.files import numbered_files
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

FORWARD_FROM_RIGHT = np.array([[0., 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
_COLUMNS = ('x', 'y', 'z', 'length', 'width', 'height', 'yaw', 'vx', 'vy', 'num_lidar_pts')


def open_frame(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder with one ``*.npz`` and its ``boxes.csv``.

    The points of a box are nuScenes' own count.

    Raises:
        InputError: A file is missing or damaged.
    """
    files = numbered_files(root, '*.npz')[:1]

    def read(index: int, path: Path) -> LabeledScan:
        stamp = int(path.stem.rsplit('_', 1)[-1]) * 1000 if path.stem[-1:].isdigit() else 0
        points = load_points(path, stamp, 'LIDAR_TOP')
        table = root / 'boxes.csv'
        rows = read_csv(table, ('category', *_COLUMNS))
        label, kept = map_classes([row['category'] for row in rows], NUSCENES, str(table))
        values = numbers(rows, _COLUMNS, table)[kept]
        boxes = Boxes3D(center=values[:, :3], size=values[:, 3:6], yaw=values[:, 6],
                        label=label[kept], velocity=np.nan_to_num(values[:, 7:9]),
                        frame_id='LIDAR_TOP', stamp=stamp).transformed(FORWARD_FROM_RIGHT)
        return LabeledScan(
            points.transformed(FORWARD_FROM_RIGHT), np.eye(4), boxes, sequence=root.name,
            index=index, class_names=LABEL_NAMES, num_points=values[:, 9].astype(np.int64))

    return Recording(root.name, 'nuscenes_frame', len(files), read_each(files, read, skip_bad),
                     has_boxes=True, has_velocity=True)
