"""Single KITTI-360 scans with the boxes of cars.

Liao et al., KITTI-360: A novel dataset and benchmarks for urban scene understanding in 2D and 3D,
TPAMI 2022. The boxes are loose, also hidden cars have one, and nobody checked that every car is
there: good for recall and axis, not for precision. Their heading is known up to a half turn.
"""

from __future__ import annotations

from itertools import combinations
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.compact_npz import load_points
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import numbered_files
from eq_eval.datasets.files import read_table
from eq_eval.datasets.files import read_text
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

MIN_POINTS = 10
Array = NDArray[np.float64]


def open_cars(root: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder with ``velodyne``, ``boxes_cam0`` and ``calib_cam_to_velo.txt``.

    Boxes with fewer than 10 points are left out.

    Raises:
        InputError: Files are missing or damaged.
    """
    files = numbered_files(root / 'velodyne', '*.npz')
    transform = np.eye(4)
    transform[:3] = read_table(root / 'calib_cam_to_velo.txt', 12).reshape(3, 4)

    def read(index: int, path: Path) -> LabeledScan:
        stamp = index * SCAN_PERIOD
        points = load_points(path, stamp)
        boxes = _read_boxes(root / 'boxes_cam0' / f'{path.stem}.json', transform, stamp)
        count = count_points_in_boxes(points.xyz, boxes)
        return LabeledScan(
            points, np.eye(4), boxes.select(count >= MIN_POINTS), sequence=root.name, index=index,
            num_points=count[count >= MIN_POINTS])

    return Recording(root.name, 'kitti_360', len(files), read_each(files, read, skip_bad),
                     has_boxes=True, complete=False)


def box_of_corners(corners: Array) -> tuple[Array, Array, float]:
    """Fits an upright box to the corners of a cuboid in any order.

    Args:
        corners: (8, 3) [m], z up.

    Returns:
        (3,) centre, (3,) length, width, height, and the yaw of the longer horizontal axis.
    """
    edges = corners[1:] - corners[0]
    # The three edges that meet in a corner are orthogonal; diagonals are longer.
    best = min(combinations(range(7), 3), key=lambda rows: _edge_cost(edges[list(rows)]))
    axes = edges[list(best)]
    upright = int(np.argmax(np.abs(axes[:, 2]) / np.linalg.norm(axes, axis=1)))
    flat = sorted((axes[row] for row in range(3) if row != upright), key=np.linalg.norm)
    length, width = np.linalg.norm(flat[1]), np.linalg.norm(flat[0])
    size = np.array([length, width, np.linalg.norm(axes[upright])])
    return corners.mean(0), size, float(np.arctan2(flat[1][1], flat[1][0]))


def _edge_cost(edges: Array) -> float:
    """Zero for orthogonal edges, plus a little for their length."""
    norm = np.linalg.norm(edges, axis=1)
    unit = edges / norm[:, None]
    skew = np.abs(unit @ unit.T - np.eye(3)).max()
    return float(skew + 1e-3 * norm.sum())


def _read_boxes(path: Path, transform: Array, stamp: int) -> Boxes3D:
    """Boxes of a label file in the LiDAR's frame."""
    try:
        rows = json.loads(read_text(path))
        corners = np.array([row['corners_cam0'] for row in rows], np.float64).reshape(-1, 8, 3)
        identity = [int(row['index']) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error
    fitted = [box_of_corners(box @ transform[:3, :3].T + transform[:3, 3]) for box in corners]
    if not fitted:
        return Boxes3D.empty('velodyne', stamp)
    return Boxes3D(
        center=np.array([center for center, _, _ in fitted]),
        size=np.array([size for _, size, _ in fitted]), yaw=np.array([yaw for *_, yaw in fitted]),
        label=np.zeros(len(fitted), np.int64), track_id=np.array(identity), frame_id='velodyne',
        stamp=stamp)
