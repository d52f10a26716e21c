"""Writes labelled scans as a folder of the KITTI object benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.kitti_calibration import FULL_CIRCLE
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.new_folder import new_folder
from eq_eval.datasets.scan import LabeledScan

NAMES = {'car': 'Car', 'truck': 'Truck', 'pedestrian': 'Pedestrian', 'cyclist': 'Cyclist'}
# A camera like KITTI's: 1242 x 375 pixels, 8 cm below and 27 cm ahead of the LiDAR.
FOCAL, MIDDLE_U, MIDDLE_V = 721.5, 621., 187.5
CAMERA = KittiCalibration(
    np.array([[FOCAL, 0, MIDDLE_U, 0], [0, FOCAL, MIDDLE_V, 0], [0, 0, 1, 0]]),
    np.array([[0, -1, 0, 0], [0, 0, -1, -.08], [1, 0, 0, -.27], [0, 0, 0, 1.]]))
FEW_POINTS = 5  # below, the occlusion is written as unknown


def write_kitti(scans: Iterable[LabeledScan], root: Path, proposals: bool = False) -> int:
    """Writes ``velodyne``, ``label_2`` and ``calib``.

    As in KITTI, only objects that show in the camera's image and hold a LiDAR point are labelled.
    Occlusion is 0 or, with fewer than five points, 3 (unknown).

    Args:
        scans: The scans; boxes in the LiDAR's frame.
        root: New or empty folder.
        proposals: Labels all boxes, those outside the image too, and with their scores.

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
        camera = camera_of(scan) if proposals else CAMERA
        write_velodyne(scan, root / 'velodyne' / f'{count:06d}.bin')
        text = ''.join(f'{row}\n' for row in label_rows(scan, camera, proposals))
        (root / 'label_2' / f'{count:06d}.txt').write_text(text, encoding='utf-8')
        (root / 'calib' / f'{count:06d}.txt').write_text(
            calibration_text(camera, proposals), encoding='utf-8')
        count += 1
    return count


def camera_of(scan: LabeledScan) -> KittiCalibration:
    """The camera of a scan that has one, else a stand-in."""
    image = scan.image if isinstance(scan, KittiScan) else None
    return CAMERA if image is None else image.calibration


def write_velodyne(scan: LabeledScan, path: Path) -> None:
    """Writes x, y, z and intensity as little-endian float32."""
    table = np.column_stack([scan.points.xyz, scan.points.intensity]).astype('<f4')
    path.write_bytes(table.tobytes())


def calibration_text(camera: KittiCalibration = CAMERA, full_circle: bool = False) -> str:
    """The object benchmark's calibration file.

    Args:
        camera: What it tells of.
        full_circle: Whether the labels cover all around the LiDAR; adds a line that says so.
    """
    matrices = {f'P{number}': camera.projection for number in range(4)}
    matrices |= {'R0_rect': np.eye(3), 'Tr_velo_to_cam': camera.camera_from_velodyne[:3],
                 'Tr_imu_to_velo': np.eye(4)[:3]}
    if full_circle:
        matrices[FULL_CIRCLE] = np.array([-np.pi, np.pi])
    return ''.join(f'{name}: ' + ' '.join(f'{v:.12e}' for v in matrix.ravel()) + '\n'
                   for name, matrix in matrices.items())


def label_rows(scan: LabeledScan, camera: KittiCalibration = CAMERA, proposals: bool = False,
               frame: int | None = None) -> list[str]:
    """Rows of the label file.

    Args:
        scan: A scan with boxes.
        camera: Where the camera is.
        proposals: Whether boxes that do not show in the image are written too (their image boxes
            are zeros), and scores behind all.
        frame: Number of the scan in the tracking benchmark, whose rows begin with it and the
            track, and whose truncation is 0, 1 or 2; None for the object benchmark.
    """
    boxes = scan.boxes
    if boxes is None or not len(boxes):
        return []
    image, truncation = _in_image(boxes, camera)
    counts = scan.num_points if scan.num_points is not None else np.full(len(boxes), FEW_POINTS)
    seen = (image[:, 2] - image[:, 0] > 1) & (image[:, 3] - image[:, 1] > 1) & (counts > 0)
    bottom = _in_camera(boxes, camera) + np.array([0, .5, 0]) * boxes.size[:, 2:]
    rotation = _rotation_y(boxes.yaw, camera)
    alpha = _wrapped(rotation - np.arctan2(bottom[:, 0], bottom[:, 2]))
    rows = []
    for i in range(len(boxes)) if proposals else np.flatnonzero(seen):
        numbers = [alpha[i], *image[i], *boxes.size[i, [2, 1, 0]], *bottom[i], rotation[i],
                   *[boxes.score[i]] * proposals]
        before, share = '', f'{truncation[i]:.2f}'
        if frame is not None:
            before, share = f'{frame} {boxes.track_id[i]} ', f'{np.ceil(2 * truncation[i]):.0f}'
        rows.append(f'{before}{NAMES[scan.class_names[boxes.label[i]]]} {share} '
                    f'{0 if counts[i] >= FEW_POINTS else 3} '
                    + ' '.join(f'{value:.4f}' for value in numbers))
    return rows


def _in_camera(boxes: Boxes3D, camera: KittiCalibration) -> NDArray[np.float64]:
    """(N, 3) centres in the rectified camera's frame [m]."""
    transform = camera.camera_from_velodyne
    return np.asarray(boxes.center @ transform[:3, :3].T + transform[:3, 3])


def _rotation_y(yaw: NDArray[np.float64], camera: KittiCalibration) -> NDArray[np.float64]:
    """Headings about the camera's y that `kitti_labels.boxes_of` reads as `yaw` again.

    A camera is never mounted quite upright; the direction is the one without a part along its y
    that has the azimuth `yaw` in the LiDAR's frame.
    """
    rotation = camera.camera_from_velodyne[:3, :3]
    cos, sin = np.cos(yaw), np.sin(yaw)
    up = -(rotation[1, 0] * cos + rotation[1, 1] * sin) / rotation[1, 2]
    x, _, z = rotation @ np.stack([cos, sin, up])
    return np.asarray(_wrapped(np.arctan2(-z, x)))


def _in_image(boxes: Boxes3D, camera: KittiCalibration
              ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Image boxes (N, 4) [px], zeros where not visible, and the share of width cut off."""
    image = camera.image_boxes(boxes)
    depth = np.maximum(_in_camera(boxes, camera)[:, 2], .1)
    across = np.abs(boxes.size[:, 0] * np.sin(boxes.yaw)) + np.abs(
        boxes.size[:, 1] * np.cos(boxes.yaw))
    whole = camera.projection[0, 0] * across / depth
    cut = (image[:, 0] <= 0) | (image[:, 2] >= 2 * camera.projection[0, 2])
    share = np.clip(1 - (image[:, 2] - image[:, 0]) / np.maximum(whole, 1.), 0, 1)
    return image, np.where(cut, share, 0.)


def _wrapped(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in [-pi, pi)."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
