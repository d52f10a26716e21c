"""Depth cameras of a simulated scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.rgbd import RgbdView
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.raycast import cast
from eq_eval.simulation.raycast import surface

LIGHT = np.array([.3, .2, .93], np.float32)     # direction to the light

Double = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """What all cameras of a scene have in common.

    Attributes:
        rows: Of its images.
        columns: Of its images.
        focal: Focal length [pixels]; the optical axis is in the middle of the image.
        noise: Standard deviation of its depth [m].
    """

    rows: int
    columns: int
    focal: float
    noise: float

    @property
    def intrinsics(self) -> Double:
        """(3, 3) pinhole."""
        return np.array([[self.focal, 0., (self.columns - 1) / 2],
                         [0., self.focal, (self.rows - 1) / 2], [0., 0., 1.]])

    def see(self, meshes: Sequence[Mesh], colors: Sequence[tuple[float, float, float]],
            poses: Sequence[Double], frame_id: str, rng: np.random.Generator) -> list[RgbdView]:
        """Looks at shaded meshes from several places.

        Args:
            meshes: All that is there, in `frame_id`.
            colors: One a mesh, in [0, 1].
            poses: (4, 4) frame <- camera, optical axes.
            frame_id: Name of the frame.
            rng: Draws the noise.
        """
        owner = np.repeat(np.arange(len(meshes), dtype=np.uint32),
                          [len(mesh.triangles) for mesh in meshes])
        target = surface(merge(meshes), owner, np.ones(len(owner), np.float32))
        palette, shape = np.array(colors, np.float32), (self.rows, self.columns)
        views = []
        for pose in poses:
            distance, triangle, normal = cast(target, self._rays(pose))
            hit = np.isfinite(distance)
            color = np.zeros((len(hit), 3), np.float32)
            shade = .6 + .4 * np.abs(normal[hit] @ LIGHT)
            color[hit] = palette[owner[triangle[hit]]] * shade[:, None]
            noise = rng.normal(0, self.noise, len(hit)).astype(np.float32)
            depth = np.where(hit, distance + noise, np.inf)
            views.append(RgbdView(color.reshape(*shape, 3), depth.reshape(shape),
                                  self.intrinsics, pose, frame_id))
        return views

    def _rays(self, pose: Double) -> NDArray[np.float32]:
        """(H * W, 6) origins, and directions whose lengths make a distance the depth."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        (_, _, right), (_, _, down), _ = self.intrinsics
        local = np.stack([(column - right) / self.focal, (row - down) / self.focal,
                          np.ones(len(row))], -1)
        origin = np.broadcast_to(pose[:3, 3], local.shape)
        return np.concatenate([origin, local @ pose[:3, :3].T], -1).astype(np.float32)


def look_at(position: Sequence[float], target: Sequence[float]) -> Double:
    """(4, 4) frame <- camera, optical axes, upright."""
    forward = np.subtract(target, position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0., 0., 1.])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], -1)
    pose[:3, 3] = position
    return pose
