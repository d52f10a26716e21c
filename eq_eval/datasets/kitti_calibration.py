"""KITTI's calibration: from the LiDAR to the camera and into the image.

Geiger et al., Vision meets robotics: the KITTI dataset, IJRR 2013. The rectified camera frame has
x right, y down and z forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.files import read_text

Array = NDArray[np.float64]

_NAMES = {'projection': ('P2', 'P_rect_02'), 'rectification': ('R0_rect', 'R_rect', 'R_rect_00'),
          'extrinsic': ('Tr_velo_to_cam', 'Tr_velo_cam', 'Tr')}
# A line of our own: labels all around the sensor instead of in the image alone. Tools skip it.
FULL_CIRCLE = 'labelled_azimuth'
_CORNERS = np.array([[x, y, z] for x in (-.5, .5) for y in (-.5, .5) for z in (-.5, .5)])


@dataclass(frozen=True, eq=False)
class KittiCalibration:
    """Where the left colour camera is.

    Attributes:
        projection: (3, 4) image <- rectified camera.
        camera_from_velodyne: (4, 4) rectified camera <- LiDAR.
        full_circle: Whether the labels cover all around the LiDAR, not just the image.
    """

    projection: Array
    camera_from_velodyne: Array
    full_circle: bool = False

    @classmethod
    def read(cls, path: Path) -> KittiCalibration:
        """Reads ``calib/NNNNNN.txt`` or a sequence's ``calib.txt``.

        Raises:
            InputError: A matrix is missing or has the wrong size.
        """
        values: dict[str, list[str]] = {}
        for line in read_text(path).splitlines():
            words = line.replace(':', ' ').split()
            if words:
                values[words[0]] = words[1:]
        projection = _matrix(values, 'projection', 12, path)
        extrinsic = _matrix(values, 'extrinsic', 12, path)
        # The odometry benchmark has no separate rectification.
        rectified = any(name in values for name in _NAMES['rectification'])
        rectification = _matrix(values, 'rectification', 9, path) if rectified else np.eye(3)
        transform = np.eye(4)
        transform[:3] = rectification.reshape(3, 3) @ extrinsic.reshape(3, 4)
        return cls(projection.reshape(3, 4), transform, FULL_CIRCLE in values)

    @property
    def velodyne_from_camera(self) -> Array:
        """(4, 4) LiDAR <- rectified camera."""
        return np.asarray(np.linalg.inv(self.camera_from_velodyne), np.float64)

    def field_of_view(self) -> tuple[float, float] | None:
        """Azimuths [rad] in the LiDAR's frame between which there are labels; None for all.

        Labels end where the image does, unless they cover the full circle. The width of the image
        is not in the calibration; twice the principal point is within 2 % of it, and errs to the
        narrow side.
        """
        if self.full_circle:
            return None
        slope = self.projection[0, 2] / self.projection[0, 0]
        edges = np.array([[-slope, 0, 1], [slope, 0, 1]])
        rays = edges @ self.velodyne_from_camera[:3, :3].T
        azimuth = np.arctan2(rays[:, 1], rays[:, 0])
        return float(azimuth.min()), float(azimuth.max())

    def image_boxes(self, boxes: Boxes3D) -> Array:
        """Axis-aligned image boxes around 3D boxes.

        Args:
            boxes: N boxes in the LiDAR's frame.

        Returns:
            (N, 4) left, top, right, bottom [px], cut at the image's borders as far as they are
            known (see `field_of_view`); zeros for boxes behind the camera.
        """
        cos, sin = np.cos(boxes.yaw), np.sin(boxes.yaw)
        own = _CORNERS[None] * boxes.size[:, None]
        corners = np.stack([own[..., 0] * cos[:, None] - own[..., 1] * sin[:, None],
                            own[..., 0] * sin[:, None] + own[..., 1] * cos[:, None],
                            own[..., 2], np.ones(own.shape[:2])], -1)
        corners[..., :3] += boxes.center[:, None]
        image = corners @ (self.projection @ self.camera_from_velodyne).T
        visible = image[..., 2].min(1, initial=np.inf) > 0.1
        pixels = image[..., :2] / np.where(visible, 1., np.nan)[:, None, None] / image[..., 2:]
        size = 2 * self.projection[:2, 2]
        low = pixels.min(1, initial=np.inf).clip(0, size)
        high = pixels.max(1, initial=-np.inf).clip(0, size)
        return np.nan_to_num(np.concatenate([low, high], 1))


def _matrix(values: dict[str, list[str]], what: str, size: int, path: Path) -> Array:
    """Finds a matrix under any of its names."""
    for name in _NAMES[what]:
        if name in values:
            try:
                numbers = np.array([float(word) for word in values[name]])
            except ValueError as error:
                raise InputError(f'{path}, {name}: {error}', 'bad_file') from error
            if len(numbers) != size:
                raise InputError(f'{path}, {name}: {len(numbers)} numbers, expected {size}',
                                 'bad_file')
            return numbers
    raise InputError(f'{path}: no {" or ".join(_NAMES[what])}, found {sorted(values)}',
                     'missing_field')
