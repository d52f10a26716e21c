"""Curves, footprints and ground of the simulated worlds."""

from __future__ import annotations

import numpy as np
import pytest

from eq_eval.simulation.ground import Ground
from eq_eval.simulation.ground import relief
from eq_eval.simulation.ground import road_raster
from eq_eval.simulation.materials import SEMANTIC_OF
from eq_eval.simulation.paths import curve
from eq_eval.simulation.paths import overlaps
from eq_eval.simulation.paths import straight
from eq_eval.simulation.paths import turn


def test_curves_have_their_length_and_curvature():
    circle = curve(100., np.full(4, .02))
    assert circle.length == pytest.approx(100., abs=1.1)
    assert np.diff(circle.heading[[0, -1]])[0] == pytest.approx(2., abs=.03)


def test_parallel_curves_keep_their_distance():
    path = curve(80., np.array([0., .02, -.02, .01]))
    for left in (-5., 3.):
        beside = path.shifted(left)
        gap = np.hypot(*(beside.points - path.points).T)
        np.testing.assert_allclose(gap, abs(left), rtol=1e-6)
        np.testing.assert_allclose(path.beside(path.arc, left)[:, :2], beside.points, atol=1e-9)


def test_reversal_turns_round():
    path = curve(50., np.array([0., .03]))
    back = path.reversed()
    there, home = path.at(12.), back.at(path.length - 12.)
    np.testing.assert_allclose(there[:2], home[:2], atol=1e-9)
    assert np.cos(there[2] - home[2]) == pytest.approx(-1.)
    assert np.diff(back.arc).min() > 0


def test_turns_join_two_roads_smoothly():
    way = turn(straight((-40, 0), (40, 0)), straight((0, -40), (0, 40)), 8.)
    assert way is not None
    np.testing.assert_allclose(way.points[[0, -1]], [[-40, 0], [0, 40]])
    assert np.abs(np.diff(way.heading)).max() < .25
    assert turn(straight((-40, 0), (40, 0)), straight((0, 20), (0, 40)), 8.) is None


def test_rectangles_overlap_as_polygons_do():
    shapely = pytest.importorskip('shapely')
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(-4, 4, (200, 2)), rng.uniform(-7, 7, 200),
                             rng.uniform(.5, 5, (200, 2))])
    a, b = boxes[:100], boxes[100:]

    def polygon(row):
        x, y, yaw, length, width = row
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (length / 2, width / 2)
        cos, sin = np.cos(yaw), np.sin(yaw)
        return shapely.Polygon(corners @ np.array([[cos, sin], [-sin, cos]]) + (x, y))

    expected = [polygon(p).intersects(polygon(q)) for p, q in zip(a, b, strict=True)]
    np.testing.assert_array_equal(overlaps(a, b), expected)
    assert 10 < sum(expected) < 90


def test_ground_knows_carriageway_kerb_and_pavement():
    road = straight((0, 0), (100, 0))
    low, high = np.array([-20., -30.]), np.array([120., 30.])
    ground = Ground(np.array([.02, 0.]), np.zeros((0, 4)), low,
                    road_raster([(road, 4.)], low, high), kerb=.1, pavement=2.)
    x = np.full(5, 50.)
    y = np.array([0., 3.5, 4.5, 5.5, 8.])
    np.testing.assert_allclose(ground.edge_distance(x, y)[1:], y[1:] - 4, atol=.02)
    np.testing.assert_allclose(ground.height(x, y), [1, 1, 1.1, 1.1, 1.1], atol=1e-6)
    ground.zones.paint_rectangle('block paving', 50, 3, 0, 20, 2)
    found = SEMANTIC_OF[ground.material(x, y, ground.edge_distance(x, y))]
    assert found.tolist() == [40, 44, 48, 48, 72]


def test_relief_keeps_its_limits():
    for seed in range(5):
        slope, waves = relief(np.random.default_rng(seed), .02, .1)
        assert np.hypot(*slope) <= .02
        assert waves[:, 3].sum() <= .15
