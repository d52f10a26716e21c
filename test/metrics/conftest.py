"""Detectors that know the truth, more or less."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points


class KnowingDetector:
    """Finds the boxes that are hidden in the points: one point per box tells its row.

    The scene is made by `scene`; the answer turns with the world because it is read from it.
    """

    class_names = ('car', 'truck', 'pedestrian', 'cyclist')

    def __init__(self, noise: float = 0., miss: float = 0., fixed_frame: bool = False) -> None:
        self.noise, self.miss, self.fixed_frame = noise, miss, fixed_frame
        self.calls = 0

    def detect(self, points: Points, *past: Points, poses=None) -> Boxes3D:
        self.calls += 1
        marks = points.time_offset < 0
        xyz = points.xyz[marks].astype(np.float64)
        code = -points.time_offset[marks].astype(np.int64)  # label + 1
        center, nose = xyz[::2], xyz[1::2]
        label = code[::2] - 1
        rng = np.random.default_rng(len(xyz))
        shift = rng.normal(0, self.noise, center.shape) * [1, 1, 0]
        if self.fixed_frame:  # worse the more the world is turned: errors in sensor axes
            heading = np.arctan2(center[:, 1], center[:, 0])
            shift[:, 0] += 2.5 * np.abs(np.sin(heading))
        axis = nose - center
        kept = rng.random(len(center)) >= self.miss
        return Boxes3D(
            center=center + shift, size=np.tile([4., 2., 1.6], (len(center), 1)),
            yaw=np.arctan2(axis[:, 1], axis[:, 0]), label=label,
            score=rng.uniform(.2, .9, len(center)), frame_id=points.frame_id,
            stamp=points.stamp).select(kept)


def scene(seed: int, count: int = 12, labels: int = 4):
    """Truth boxes and points of which each box's centre and nose are two marked ones."""
    rng = np.random.default_rng(seed)
    azimuth, distance = rng.uniform(-np.pi, np.pi, count), rng.uniform(5, 38, count)
    center = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth),
                       np.zeros(count)], 1)
    yaw = rng.uniform(-np.pi, np.pi, count)
    label = np.arange(count) % labels
    boxes = Boxes3D(center=center, size=np.tile([4., 2., 1.6], (count, 1)), yaw=yaw, label=label)
    nose = center + np.stack([np.cos(yaw), np.sin(yaw), np.zeros(count)], 1)
    marks = np.stack([center, nose], 1).reshape(-1, 3)
    ground = rng.uniform(-40, 40, (200, 3)) * [1, 1, 0] - [0, 0, 2]
    xyz = np.concatenate([marks, ground]).astype(np.float32)
    code = np.concatenate([-np.repeat(label + 1, 2), np.zeros(200)]).astype(np.float32)
    return boxes, Points(xyz, np.zeros(len(xyz), np.float32), code, 'lidar', seed)


@pytest.fixture
def knowing_detector() -> type[KnowingDetector]:
    return KnowingDetector


@pytest.fixture
def make_scene():
    return scene
