"""Writes labelled scans as a folder of the KITTI object benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.new_folder import new_folder
from eq_eval.datasets.scan import LabeledScan

NAMES = {'car': 'Car', 'truck': 'Truck', 'pedestrian': 'Pedestrian', 'cyclist': 'Cyclist'}
# A camera like KITTI's: 1242 x 375 pixels, 8 cm below and 27 cm ahead of the LiDAR.
FOCAL, MIDDLE_U, MIDDLE_V = 721.5, 621., 187.5
CAMERA = KittiCalibration(
    np.array([[FOCAL, 0, MIDDLE_U, 0], [0, FOCAL, MIDDLE_V, 0], [0, 0, 1, 0]]),
    np.array([[0, -1, 0, 0], [0, 0, -1, -.08], [1, 0, 0, -.27], [0, 0, 0, 1.]]))
FEW_POINTS = 5  # below, the occlusion is written as unknown


def write_kitti(scans: Iterable[LabeledScan], root: Path) -> int:
    """Writes ``velodyne``, ``label_2`` and ``calib``.

    As in KITTI, only objects that show in the camera's image and hold a LiDAR point are labelled.
    Occlusion is 0 or, with fewer than five points, 3 (unknown).

    Args:
        scans: The scans; boxes in the LiDAR's frame.
        root: New or empty folder.

    Returns:
        Number of scans written.

    Raises:
        ConfigError: The folder holds something.
    """
    new_folder(root)
    for name in ('velodyne', 'label_2', 'calib'):
        (root / name).mkdir()
    count = 0
    for scan in scans:
        write_velodyne(scan, root / 'velodyne' / f'{count:06d}.bin')
        text = ''.join(f'{row}\n' for row in label_rows(scan))
        (root / 'label_2' / f'{count:06d}.txt').write_text(text, encoding='utf-8')
        (root / 'calib' / f'{count:06d}.txt').write_text(calibration_text(), encoding='utf-8')
        count += 1
    return count


def write_velodyne(scan: LabeledScan, path: Path) -> None:
    """Writes x, y, z and intensity as little-endian float32."""
    table = np.column_stack([scan.points.xyz, scan.points.intensity]).astype('<f4')
    path.write_bytes(table.tobytes())


def calibration_text() -> str:
    """The object benchmark's calibration file of `CAMERA`."""
    matrices = {f'P{number}': CAMERA.projection for number in range(4)}
    matrices |= {'R0_rect': np.eye(3), 'Tr_velo_to_cam': CAMERA.camera_from_velodyne[:3],
                 'Tr_imu_to_velo': np.eye(4)[:3]}
    return ''.join(f'{name}: ' + ' '.join(f'{v:.12e}' for v in matrix.ravel()) + '\n'
                   for name, matrix in matrices.items())


def label_rows(scan: LabeledScan) -> list[str]:
    """Rows of the label file."""
    boxes = scan.boxes
    if boxes is None or not len(boxes):
        return []
    image, truncation = _in_image(boxes)
    counts = scan.num_points if scan.num_points is not None else np.full(len(boxes), FEW_POINTS)
    seen = (image[:, 2] - image[:, 0] > 1) & (image[:, 3] - image[:, 1] > 1) & (counts > 0)
    transform = CAMERA.camera_from_velodyne
    bottom = boxes.center - np.array([0, 0, .5]) * boxes.size[:, 2:]
    bottom = bottom @ transform[:3, :3].T + transform[:3, 3]
    rotation = _wrapped(-boxes.yaw - np.pi / 2)
    alpha = _wrapped(rotation - np.arctan2(bottom[:, 0], bottom[:, 2]))
    rows = []
    for i in np.flatnonzero(seen):
        numbers = [alpha[i], *image[i], *boxes.size[i, [2, 1, 0]], *bottom[i], rotation[i]]
        rows.append(f'{NAMES[scan.class_names[boxes.label[i]]]} {truncation[i]:.2f} '
                    f'{0 if counts[i] >= FEW_POINTS else 3} '
                    + ' '.join(f'{value:.4f}' for value in numbers))
    return rows


def _in_image(boxes: Boxes3D) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Image boxes (N, 4) [px], zeros where not visible, and the share of width cut off."""
    image = CAMERA.image_boxes(boxes)
    middle = boxes.center @ CAMERA.camera_from_velodyne[:3, :3].T
    middle += CAMERA.camera_from_velodyne[:3, 3]
    depth = np.maximum(middle[:, 2], .1)
    across = np.abs(boxes.size[:, 0] * np.sin(boxes.yaw)) + np.abs(
        boxes.size[:, 1] * np.cos(boxes.yaw))
    whole = FOCAL * across / depth
    cut = (image[:, 0] <= 0) | (image[:, 2] >= 2 * MIDDLE_U)
    share = np.clip(1 - (image[:, 2] - image[:, 0]) / np.maximum(whole, 1.), 0, 1)
    return image, np.where(cut, share, 0.)


def _wrapped(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in [-pi, pi)."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
