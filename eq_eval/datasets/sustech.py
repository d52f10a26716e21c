"""Frames in the form of the SUSTechPOINTS labelling tool: a scan and a JSON list of boxes.

In its example drive the vehicle heads along -y (things at rest come towards it from there), so
everything is turned by a quarter. The sensor is tilted by about three degrees against the ground.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.class_map import map_classes
from eq_eval.datasets.class_map import SUSTECH
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import numbered_files
from eq_eval.datasets.files import read_text
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

FORWARD_FROM_SENSOR = np.array([[0., -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def open_folder(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder with ``NNNNNN.npz`` and ``NNNNNN.json``.

    Boxes lie all around the vehicle and keep their identity; how far apart in time the frames are
    is not told, so that velocities are unknown.

    Raises:
        InputError: A file is missing or damaged.
    """
    files = numbered_files(root, '*.npz')

    def read(index: int, path: Path) -> LabeledScan:
        stamp = index * SCAN_PERIOD
        points = load_points(path, stamp, 'lidar').transformed(FORWARD_FROM_SENSOR)
        boxes = read_boxes(path.with_suffix('.json'), stamp).transformed(FORWARD_FROM_SENSOR)
        return LabeledScan(
            points, np.eye(4), boxes, sequence=root.name, index=index, class_names=LABEL_NAMES,
            num_points=count_points_in_boxes(points.xyz, boxes))

    return Recording(root.name, 'sustech', len(files), read_each(files, read, skip_bad),
                     has_boxes=True)


def read_boxes(path: Path, stamp: int = 0) -> Boxes3D:
    """Reads a label file as it stands; small roll and pitch are left out.

    Raises:
        InputError: The file does not hold boxes.
    """
    try:
        rows = json.loads(read_text(path))
        category = [row['obj_type'] for row in rows]
        values = np.array([[_vector(row, name) for name in ('position', 'scale', 'rotation')]
                           for row in rows], np.float64).reshape(-1, 3, 3)
        track = [int(row['obj_id']) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error
    label, kept = map_classes(category, SUSTECH, str(path))
    return Boxes3D(center=values[:, 0], size=values[:, 1], yaw=values[:, 2, 2], label=label,
                   track_id=np.array(track, np.int64), frame_id='lidar',
                   stamp=stamp).select(kept)


def _vector(row: dict[str, dict[str, dict[str, float]]], name: str) -> NDArray[np.float64]:
    """(3,) x y z of a named part."""
    return np.array([row['psr'][name][axis] for axis in 'xyz'])
