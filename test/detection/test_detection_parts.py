"""Each part of the detector by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.losses import gaussian_nll
from eq_perception.detection.postprocess import covariance
from eq_perception.detection.postprocess import decode
from eq_perception.detection.postprocess import suppress
from eq_perception.detection.preprocess import fit_ground
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import stack_sweeps
from eq_perception.detection.targets import make_targets

CONFIG = DetectorConfig(point_cloud_range=25.6, max_pillars=4096)
GROUND = np.array([0., 0., -1.8])


def boxes():
    return Boxes3D(
        center=np.array([[5., 6., -1.], [-8., 3., -.9], [10., -10., -.4], [-4., -12., -.9]]),
        size=np.array([[4.2, 1.8, 1.5], [.7, .6, 1.7], [8., 2.5, 3.], [1.8, .6, 1.7]]),
        yaw=np.array([.3, -1.2, 3., -2.5]), label=np.array([0, 2, 1, 3]),
        velocity=np.array([[5., 1.], [0., 1.], [0., 0.], [3., -2.]]))


def perfect_fields(truth, config=CONFIG):
    """Fields that say exactly what the targets ask for."""
    target = make_targets(truth, np.full(len(truth), 99), GROUND, config, moving=True)
    size = config.head_size
    fields = {'heatmap': 12 * target.heatmap[None] - 6}
    for name, value in (
            ('offset', target.offset), ('height', target.height[:, None]),
            ('log_size', target.log_size), ('velocity', target.velocity),
            ('heading', np.stack([np.cos(target.yaw), np.sin(target.yaw)], -1)),
            ('axis', np.stack([np.cos(2 * target.yaw), np.sin(2 * target.yaw)], -1)),
            ('log_variance', np.zeros((len(target.cell), 1))),
            ('deviator', np.zeros((len(target.cell), 2)))):
        field = np.zeros((value.shape[1], size * size), np.float32)
        field[:, target.cell] = value.T
        fields[name] = field.reshape(1, -1, size, size)
    return fields


def test_decoding_perfect_fields_gives_the_boxes_back():
    truth = boxes()
    found = decode(perfect_fields(truth), GROUND, CONFIG)
    assert len(found) == len(truth)
    nearest = np.argmin(np.linalg.norm(found.center[:, None] - truth.center, axis=2), axis=0)
    found = found.select(nearest)
    assert (found.label == truth.label).all()
    for name in ('center', 'size', 'velocity'):
        np.testing.assert_allclose(getattr(found, name), getattr(truth, name), atol=1e-4)
    np.testing.assert_allclose(np.exp(1j * found.yaw), np.exp(1j * truth.yaw), atol=1e-5)


def test_boxes_with_one_point_are_neither_object_nor_background():
    target = make_targets(boxes(), np.array([99, 1, 0, 99]), GROUND, CONFIG, moving=False)
    assert (target.heatmap == 1).sum(axis=(1, 2)).tolist() == [1, 0, 0, 1]
    assert 0 < (target.background == 0).sum() < 40
    assert set(target.label) == {0, 3}
    assert (target.velocity_weight == 0).all()


def test_ground_is_found_under_objects_and_on_a_slope():
    rng = np.random.default_rng(0)
    xy = rng.uniform(-40, 40, (20000, 2))
    z = .05 * xy[:, 0] - .02 * xy[:, 1] - 1.5 + rng.normal(0, .02, 20000)
    z[:8000] += rng.exponential(1., 8000)          # things standing on it
    z[8000:8010] -= 3                              # reflections from below
    plane = fit_ground(np.column_stack([xy, z]).astype(np.float32), 51.2)
    assert (np.abs(plane - [.05, -.02, -1.5]) < [.01, .01, .1]).all()


@pytest.mark.parametrize('count', [0, 1, 2])
def test_scans_of_almost_nothing_give_pillars_of_almost_nothing(count):
    pillars = pillarize(Points.from_xyz(np.full((count, 3), 3.)), CONFIG)
    assert (pillars.index < CONFIG.max_pillars).sum() == min(count, 1)
    assert np.isfinite(pillars.points).all()


def test_pillar_rows_against_the_obvious_loop():
    rng = np.random.default_rng(1)
    xyz = np.column_stack([rng.uniform(-3, 3, (3000, 2)), rng.uniform(-1.8, 0, 3000)])
    points = Points.from_xyz(xyz, rng.random(3000))
    pillars = pillarize(points, CONFIG)
    limit, edge = CONFIG.points_per_pillar, CONFIG.grid_size
    plane = pillars.ground
    height = points.xyz[:, 2] - points.xyz[:, :2] @ plane[:2] - plane[2]
    cell = np.floor(points.xyz[:, :2] / .4).astype(int) + edge // 2
    for iy, ix in {(y, x) for x, y in cell}:
        mine = np.flatnonzero((cell[:, 0] == ix) & (cell[:, 1] == iy)
                              & (height > -1) & (height < 5))
        row = pillars.points[pillars.index[iy * edge + ix]]
        chosen = (mine[np.arange(limit) * len(mine) // limit] if len(mine) >= limit
                  else mine[np.arange(limit) % len(mine)])
        centre = (np.array([ix, iy]) + .5 - edge / 2) * .4
        xy, mean = points.xyz[:, :2], points.xyz[mine].mean(0)
        expected = np.column_stack([
            height[chosen], height[chosen] - height[mine].mean(), points.intensity[chosen],
            np.zeros(limit), xy[chosen] - centre, xy[chosen] - mean[:2]])
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_outer_pillars_go_first_and_are_counted():
    rng = np.random.default_rng(2)
    points = Points.from_xyz(np.column_stack([rng.uniform(-25, 25, (3000, 2)),
                                              np.full(3000, -1.8)]))
    everything = pillarize(points, CONFIG)
    few = pillarize(points, replace(CONFIG, max_pillars=500))
    occupied = int((everything.index < CONFIG.max_pillars).sum())
    kept = int((few.index < 500).sum())
    assert 480 < kept <= 500 and few.dropped == occupied - kept
    position = np.flatnonzero(few.index < 500)
    iy, ix = np.divmod(position, CONFIG.grid_size)
    reach = np.hypot(ix + .5 - 64, iy + .5 - 64).max() * .4
    assert reach < .6 * 25.6
    for cell in position[::17]:      # rows of the inner pillars are the same rows
        np.testing.assert_allclose(few.points[few.index[cell]],
                                   everything.points[everything.index[cell]], atol=1e-5)


def test_sweeps_are_moved_into_the_newest_frame_and_carry_their_age():
    pose = np.eye(4)
    pose[0, 3] = -1.                                # a tenth of a second ago, one metre behind
    now = Points.from_xyz(np.array([[10., 0., 0.]]), stamp=200_000_000)
    before = Points.from_xyz(np.array([[11., 0., 0.]]), stamp=100_000_000)
    stacked = stack_sweeps([now, before], [np.eye(4), pose])
    np.testing.assert_allclose(stacked.xyz, [[10, 0, 0], [10, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(stacked.time_offset, [0, -.1], atol=1e-6)


def test_suppression_keeps_the_better_of_two_that_overlap():
    pair = Boxes3D(center=np.array([[0., 0, 0], [.5, 0, 0], [9., 0, 0]]),
                   size=np.tile([4., 2., 1.5], (3, 1)), yaw=np.zeros(3), label=np.zeros(3, int),
                   score=np.array([.9, .8, .7]))
    assert suppress(pair, .2).score.tolist() == [.9, .7]
    assert len(suppress(pair, .95)) == 3


def test_covariance_is_the_matrix_exponential_and_matches_the_loss():
    rng = np.random.default_rng(0)
    trace, deviator, miss = rng.normal(size=9), rng.normal(size=(9, 2)), rng.normal(size=(9, 2))
    matrices = covariance(trace, deviator)
    exponent = torch.as_tensor(np.stack([
        np.stack([trace + deviator[:, 0], deviator[:, 1]], -1),
        np.stack([deviator[:, 1], trace - deviator[:, 0]], -1)], -2))
    np.testing.assert_allclose(matrices, torch.linalg.matrix_exp(exponent), rtol=1e-6)
    normal = torch.distributions.MultivariateNormal(
        torch.zeros(9, 2, dtype=torch.float64), torch.as_tensor(matrices))
    expected = -normal.log_prob(torch.as_tensor(miss)) - np.log(2 * np.pi)
    got = gaussian_nll(*(torch.as_tensor(each) for each in (miss, trace, deviator)))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_degenerate_boxes_and_surplus_objects_are_removed():
    truth = boxes()
    fields = perfect_fields(truth)
    fields['log_size'][:, 0] = 9.                   # e^9 m long
    assert len(decode(fields, GROUND, CONFIG)) == 0
    assert len(decode(perfect_fields(truth), GROUND, replace(CONFIG, max_objects=2))) == 2


@pytest.mark.parametrize('change', [
    {'point_cloud_range': 50.}, {'score_threshold': 1.}, {'nms_iou': 0.}, {'max_pillars': 0}])
def test_config_refuses_and_names_the_setting(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        replace(CONFIG, **change)


def test_config_survives_the_manifest():
    assert DetectorConfig.from_dict(CONFIG.to_dict()) == CONFIG
    with pytest.raises(ConfigError, match='colour'):
        DetectorConfig.from_dict({'colour': 1})
