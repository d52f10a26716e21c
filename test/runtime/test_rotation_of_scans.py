"""Turning a real scan and turning the tensors made of it are the same thing."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.geometry.points import Points
from eq_core.runtime.representations import PillarIndex
from eq_core.runtime.representations import PillarPoints
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import pillarize

CONFIG = DetectorConfig(point_cloud_range=12.8, max_pillars=2000, points_per_pillar=4)
VECTORS = PillarPoints(((4, 5), (6, 7)))


def scan(seed: int, count: int = 1500) -> np.ndarray:
    """(N, 3) points on a sloped floor and some walls, in steps of a millimetre."""
    random = np.random.default_rng(seed)
    xyz = random.uniform(-13, 13, (count, 3))
    xyz[:, 2] = -1.7 + 0.02 * xyz[:, 0] + random.exponential(0.3, count)
    return np.round(xyz, 3).astype(np.float32)


def turned(xyz: np.ndarray, turns: int, mirror: bool) -> np.ndarray:
    """Exact motion: perhaps (x, y) -> (x, -y), then repeated (x, y) -> (-y, x)."""
    xyz = xyz * np.float32([1, -1, 1]) if mirror else xyz
    for _ in range(turns):
        xyz = np.stack([-xyz[:, 1], xyz[:, 0], xyz[:, 2]], 1)
    return xyz


def rows_by_cell(points: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(H * W, K, 8) features with NaN in empty cells; the order of rows does not matter."""
    return np.concatenate([points, np.full_like(points[:1], np.nan)])[index]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', range(4))
def test_pillars_of_a_turned_scan_are_the_turned_pillars(
        seed: int, turns: int, mirror: bool) -> None:
    xyz = scan(seed)
    intensity = np.random.default_rng(seed).uniform(size=len(xyz)).astype(np.float32)
    upright = pillarize(Points.from_xyz(xyz, intensity), CONFIG)
    expected = pillarize(Points.from_xyz(turned(xyz, turns, mirror), intensity), CONFIG)
    law = PillarIndex(CONFIG.grid_size, CONFIG.grid_size)
    found = rows_by_cell(VECTORS.rotate(upright.points, turns, mirror),
                         law.rotate(upright.index, turns, mirror))
    assert np.isfinite(found).any()
    np.testing.assert_allclose(found, rows_by_cell(expected.points, expected.index), atol=2e-5)
