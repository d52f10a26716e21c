"""What is told of columns equals what a slow look at each finds, and turns with the scene."""

import numpy as np
import pytest

from eq_perception.panoptic.brightness import Brightness
from eq_perception.panoptic.brightness import DARKEST
from eq_perception.panoptic.columns import BANDS
from eq_perception.panoptic.columns import COLUMN_FEATURES
from eq_perception.panoptic.columns import describe_columns
from eq_perception.panoptic.columns import GROUND_LIMIT
from eq_perception.panoptic.columns import LOW
from eq_perception.panoptic.columns import neighbourhood
from eq_perception.panoptic.columns import NUM_BANDS
from eq_perception.panoptic.columns import SMOOTHEST
from eq_perception.panoptic.columns import SPREAD_BANDS

EDGE, CELL, EMPTY = 8, .4, 50       # rows of the table; some stand for no pillar


def scene(count=900, seed=0):
    """Points over a grid, a third of the cells with a pillar, and (H * W,) their rows."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(EDGE * EDGE, 24, replace=False)
    index = np.full(EDGE * EDGE, EMPTY)
    index[cells] = rng.permutation(EMPTY)[:24]
    cell = rng.choice(cells, count)
    iy, ix = np.divmod(cell, EDGE)
    xy = (np.stack([ix, iy], -1) + rng.random((count, 2)) - EDGE / 2) * CELL
    height = np.where(rng.random(count) < .5, rng.normal(0, .05, count), rng.normal(1, 1.5, count))
    row = np.where(rng.random(count) < .05, EMPTY, index[cell])
    return xy.astype(np.float32), height.astype(np.float32), rng.random(count), row, index


def described(xy, height, intensity, row, index):
    return describe_columns(xy, height, intensity.astype(np.float32), row,
                            neighbourhood(index, EMPTY))


def ratio(total, count):
    return total / max(count, 1)


class Slowly:
    """The description of single columns, in the order of its definition."""

    def __init__(self, xy, height, intensity, row, index):
        self.xy, self.height, self.intensity, self.row = xy.astype(float), height, intensity, row
        self.cell_of = {int(r): c for c, r in enumerate(index) if r < EMPTY}
        self.index = index
        lowest = {r: height[row == r].min() for r in np.unique(row)}
        self.foot = np.array([r < EMPTY and h < lowest[r] + np.float32(LOW)
                              and abs(h) < GROUND_LIMIT
                              for r, h in zip(row, height, strict=True)])
        self.light = Brightness.of_ground(np.hypot(*xy.T), intensity.astype(np.float32),
                                          np.flatnonzero(self.foot))

    def around(self, row):
        iy, ix = divmod(self.cell_of[row], EDGE)
        near = [self.index[y * EDGE + x] for y in range(max(iy - 1, 0), min(iy + 2, EDGE))
                for x in range(max(ix - 1, 0), min(ix + 2, EDGE))]
        return [int(r) for r in near if r < EMPTY]

    def farther(self, rows):
        return [each for row in rows for each in self.around(row)]   # ways there count twice

    def sum(self, rows, values, chosen):
        return sum(float(values[(self.row == row) & chosen].sum()) for row in rows)

    def mean(self, rows, values, chosen):
        return ratio(self.sum(rows, values, chosen), self.sum(rows, np.ones(len(values)), chosen))

    def roughness(self, rows):
        heights = [self.height[(self.row == row) & self.foot].astype(float) for row in rows]
        square = sum(((h - h.mean()) ** 2).sum() for h in heights if len(h))
        freedom = sum(max(len(h) - 1, 0) for h in heights)
        return np.log(SMOOTHEST + np.sqrt(ratio(square, freedom))), freedom

    def describe(self, row):
        every = np.ones(len(self.row), bool)
        own, near = self.row == row, self.around(row)
        far = self.farther(near)
        farthest, around = self.farther(far), np.isin(self.row, near)
        band = (self.height[:, None] > BANDS).sum(1)
        bands = [np.bincount(band[some], minlength=NUM_BANDS) for some in (own, around)]
        rough, rough_around = self.roughness([row]), self.roughness(near)
        ground = self.mean(farthest, self.height, self.foot)
        spread = []
        for low, high in zip(SPREAD_BANDS, [*SPREAD_BANDS[1:], np.inf], strict=True):
            places = self.xy[around & (self.height > low) & (self.height <= high)]
            root = (np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(places.T, bias=True)), 0))
                    if len(places) > 1 else np.zeros(2))
            spread.append((root[1], root[0], np.log1p(len(places))))
        return np.concatenate([
            [np.log1p(own.sum()), self.intensity[own].mean(), self.intensity[around].mean(),
             self.height[own].std()], *np.log1p(bands),
            [self.mean(near, self.light.relative, self.foot),
             self.mean(far, self.light.relative, self.foot),
             self.mean([row], self.light.expected, every), self.light.overall,
             rough[0], rough_around[0], np.log1p(rough_around[1]),
             self.mean([row], self.height, self.foot) - ground,
             self.mean(near, self.height, self.foot) - ground],
            *zip(*spread, strict=True)])


def test_every_column_is_described_as_defined():
    xy, height, intensity, row, index = scene()
    columns, _ = described(xy, height, intensity, row, index)
    slowly = Slowly(xy, height, intensity, row, index)
    assert columns.features.shape == (EMPTY, COLUMN_FEATURES)
    assert columns.features.dtype == np.float32
    for place in range(EMPTY):
        if (row == place).any():
            np.testing.assert_allclose(columns.features[place], slowly.describe(place), rtol=2e-4,
                                       atol=2e-4)
            assert columns.lowest[place] == height[row == place].min()
            assert columns.highest[place] == height[row == place].max()
        else:
            assert not columns.features[place].any()


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_quarter_turn_moves_the_columns_and_changes_none(turns):
    xy, height, intensity, row, index = scene()
    upright, _ = described(xy, height, intensity, row, index)
    turned, moved = xy, index.reshape(EDGE, EDGE)
    for _ in range(turns):      # rows are y and columns x: counter-clockwise is clockwise there
        turned, moved = np.stack([-turned[:, 1], turned[:, 0]], -1), np.rot90(moved, -1)
    aside, _ = described(turned, height, intensity, row, moved.reshape(-1))
    np.testing.assert_allclose(aside.features, upright.features, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(aside.spread, upright.spread, atol=1e-5)


def test_a_pole_is_thin_and_a_fence_is_long():
    index = np.arange(EDGE * EDGE)
    rng = np.random.default_rng(2)
    height = rng.uniform(1.1, 2.4, 400).astype(np.float32)
    largest = []
    for length in (.05, 1.1):
        xy = (np.array([.2, .2]) + rng.uniform(-.5, .5, (400, 2)) * [length, .05]
              ).astype(np.float32)
        cell = ((xy / CELL + EDGE / 2) // 1).astype(int) @ [1, EDGE]
        columns, _ = describe_columns(xy, height, np.ones(400, np.float32), cell,
                                      neighbourhood(index, EDGE * EDGE))
        largest.append(columns.spread[EDGE * 4 + 4, 1])
    assert np.allclose(largest[0], .05 / np.sqrt(12), atol=.003)
    assert largest[1][0] > .25 and np.isclose(largest[1][1], .05 / np.sqrt(12), atol=.003)


def test_no_point_gives_empty_columns():
    nothing = np.zeros(0, np.float32)
    columns, brightness = describe_columns(
        np.zeros((0, 2), np.float32), nothing, nothing, np.zeros(0, np.int64),
        neighbourhood(np.full(EDGE * EDGE, EMPTY), EMPTY))
    assert not columns.features.any() and brightness.overall == 0


def test_brightness_does_not_know_the_gain_of_a_sensor_nor_how_answers_fade():
    rng = np.random.default_rng(1)
    distance = rng.uniform(2, 60, 20000).astype(np.float32)
    marking = rng.random(20000) < .3
    reflectivity = np.where(marking, .5, .25) * np.exp(.1 * rng.standard_normal(20000))
    first, second = (
        Brightness.of_ground(distance, (gain * reflectivity * fade).astype(np.float32),
                             np.arange(20000))
        for gain, fade in ((1., 1.), (.6, np.exp(-distance / 60))))
    np.testing.assert_allclose((first.expected + DARKEST) * first.relative, reflectivity,
                               rtol=1e-4)
    for answer in (first, second):
        contrast = np.median(answer.relative[marking]) / np.median(answer.relative[~marking])
        assert 1.9 < contrast < 2.1
    near = distance < 30
    assert np.median(np.abs(first.relative / second.relative - 1)[near]) < .1
