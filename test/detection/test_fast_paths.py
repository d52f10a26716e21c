"""The fast paths of the detector give, bit for bit, what slow and obvious twins give."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.rotated_iou import iou_bev
from eq_core.geometry.rotated_iou import overlapping_pairs
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.grid import turn
from eq_perception.detection.postprocess import find_peaks
from eq_perception.detection.postprocess import suppress
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import SWEEP_PERIOD

CARTESIAN = DetectorConfig(point_cloud_range=12.8, max_pillars=600)
POLAR = replace(CARTESIAN, group='C1', grid='polar')


def scan(rng, count, decimals=9):
    """Points in heaps and alone, with the times of three sweeps."""
    xyz = rng.normal(0, [4, 4, .4], (count, 3)).round(decimals).astype(np.float32)
    return Points(xyz, rng.random(count, np.float32),
                  rng.integers(-2, 1, count).astype(np.float32) / np.float32(10), 'lidar', 0)


def obvious_rows(points, config, ground):
    """Cell -> its row, one pillar and one column at a time."""
    grid, limit = config.pillar_grid, config.points_per_pillar
    x, y, z = points.xyz.T
    height = z - (ground[0] * x + ground[1] * y + ground[2]).astype(np.float32)
    cell, inside = grid.locate(points.xyz)
    inside &= (height > config.z_range[0]) & (height < config.z_range[1])
    total, rows = np.zeros(3), {}
    for each in np.unique(cell[inside]):
        mine = np.flatnonzero(inside & (cell == each))
        before = total
        for point in mine:        # one running total, in the order of the cells
            total = total + [height[point], x[point], y[point]]
        mean = ((total - before) / len(mine)).astype(np.float32)
        slot = np.arange(limit)
        chosen = mine[slot * len(mine) // limit if len(mine) > limit else slot % len(mine)]
        centre = grid.centre(np.array([each]))[0].astype(np.float32)
        row = np.stack([
            height[chosen], height[chosen] - mean[0], points.intensity[chosen],
            points.time_offset[chosen] / SWEEP_PERIOD, x[chosen] - centre[0],
            y[chosen] - centre[1], x[chosen] - mean[1], y[chosen] - mean[2]], axis=1)
        if grid.circular:
            angle = -grid.azimuth(np.array([each]))
            for pair in (slice(4, 6), slice(6, 8)):
                row[:, pair] = turn(row[:, pair], angle)
        rows[int(each)] = row
    return rows


@pytest.mark.parametrize('config', [CARTESIAN, POLAR])
@pytest.mark.parametrize('count', [1, 13, 4000])
def test_pillars(config, count):
    points = scan(np.random.default_rng(count), count, decimals=1)
    pillars = pillarize(points, config)
    expected = obvious_rows(points, config, pillars.ground)
    occupied = np.flatnonzero(pillars.index < config.max_pillars)
    assert pillars.dropped == len(expected) - len(occupied)
    assert (pillars.dropped > 0) == (count == 4000)
    for cell in occupied:
        assert np.array_equal(pillars.points[pillars.index[cell]], expected[cell])
    assert not pillars.points[len(occupied):].any()


@pytest.mark.parametrize('config', [CARTESIAN, POLAR])
@pytest.mark.parametrize('seed', range(6))
def test_peaks(config, seed):
    rng, size = np.random.default_rng(seed), config.head_size
    logits = rng.normal(-3, 2, (4, size, size)).astype(np.float32)
    if seed % 2:
        logits = logits.round()       # neighbours that are equal
    mode = ('constant', 'wrap' if config.head_grid.circular else 'constant', 'constant')
    largest = maximum_filter(logits, (1, 3, 3), cval=-np.inf, mode=mode)
    bound = np.log(config.score_threshold / (1 - config.score_threshold))
    flat = np.flatnonzero((logits == largest) & (logits >= bound))
    flat = flat[np.argsort(-logits.ravel()[flat], kind='stable')][:2 * config.max_objects]
    label, cell, score = find_peaks(logits, config)
    assert len(label) > 20
    assert np.array_equal(label * size ** 2 + cell, flat)
    np.testing.assert_allclose(score, 1 / (1 + np.exp(-logits.ravel()[flat])), rtol=1e-6)


def crowd(seed):
    """Boxes that overlap, some of them the same, some along the axes."""
    rng, count = np.random.default_rng(seed), 80
    yaw = rng.uniform(-4, 4, count) if seed % 2 else rng.integers(0, 8, count) * np.pi / 4
    center = np.column_stack([rng.normal(0, 8, (count, 2)), np.zeros(count)])
    size = rng.uniform(.1, 6, (count, 3))
    for values in (center, size, yaw):
        values[5] = values[4]
    size[7, 0] = 0.
    return Boxes3D(center, size, yaw, np.zeros(count, int), -np.sort(-rng.random(count)))


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('least', [0., .2, .7, 1.])
def test_overlapping_pairs_and_suppression(seed, least):
    boxes = crowd(seed)
    overlap = np.triu(iou_bev(boxes, boxes) > least, 1)
    rows, columns = overlapping_pairs(boxes, least)
    assert np.array_equal(np.column_stack([rows, columns]), np.argwhere(overlap))
    kept = []
    for number in range(len(boxes)):
        if not overlap[kept, number].any():
            kept.append(number)
    assert np.array_equal(suppress(boxes, least).center, boxes.center[kept])


@pytest.mark.parametrize('count', [0, 1])
def test_few_boxes_stay(count):
    few = crowd(0).select(slice(count))
    assert len(suppress(few, .2)) == count
