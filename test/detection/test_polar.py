"""The polar grid: turning the scene by whole sectors rolls the canvas, and the boxes turn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.nn.block import GroupBlock
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import open_session
from eq_eval.training.export import export_detector
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.grid import PolarGrid
from eq_perception.detection.grid import turn
from eq_perception.detection.losses import detection_loss
from eq_perception.detection.model import BevDetector
from eq_perception.detection.postprocess import decode
from eq_perception.detection.postprocess import find_peaks
from eq_perception.detection.preprocess import fit_ground
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.targets import make_targets

CONFIG = DetectorConfig(grid='polar', group='C1', point_cloud_range=12.8, max_pillars=4096,
                        channels=(8, 8, 8, 12, 8), depth=(1, 1, 1), score_threshold=.01)
SIZE, HEAD, STRIDE = CONFIG.grid_size, CONFIG.head_size, 8
GROUND = np.array([.02, -.01, -1.8])
STEPS = [1, 3, -2, SIZE // STRIDE // 4]         # turns in units of the total stride


def pose(sectors):
    """Turn of the scene by a number of sectors of the pillar grid."""
    angle = 2 * np.pi * sectors / SIZE
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def scan(seed=0, count=6000):
    """Random points on a rough slope, none so near to a border that rounding moves it across."""
    rng = np.random.default_rng(seed)
    sector = rng.integers(SIZE, size=count) + rng.uniform(.01, .99, count)
    ring = rng.integers(SIZE, size=count) + rng.uniform(.01, .99, count)
    azimuth, radius = sector * 2 * np.pi / SIZE - np.pi, ring * CONFIG.point_cloud_range / SIZE
    x, y = radius * np.cos(azimuth), radius * np.sin(azimuth)
    z = (.03 * x - .02 * y - 1.8 + rng.normal(0, .05, count)
         + rng.exponential(.4, count) * (rng.random(count) < .5))
    return Points.from_xyz(np.stack([x, y, z], -1), rng.random(count))


def boxes():
    """Objects on all sides, two of them where the azimuth jumps from pi to -pi."""
    return Boxes3D(
        center=np.array([[5., 6., -1.], [-8., .04, -.9], [-6., -.03, -.4], [-4., -9., -.9],
                         [1.5, -2., -1.]]),
        size=np.array([[4.2, 1.8, 1.5], [.7, .6, 1.7], [4., 1.8, 1.6], [1.8, .6, 1.7],
                       [.6, .6, 1.7]]),
        yaw=np.array([.3, -1.2, 3., -2.5, 1.]), label=np.array([0, 2, 0, 3, 2]),
        velocity=np.array([[5., 1.], [0., 1.], [0., 0.], [3., -2.], [1., 1.]]))


def random_network(dtype=torch.float32):
    torch.manual_seed(3)
    model = BevDetector(CONFIG).to(dtype)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -.3, .3)
            torch.nn.init.uniform_(part.running_var, .5, 2)
            torch.nn.init.uniform_(part.bias, -.2, .5)
    return model.eval()


def rolled(index, sectors):
    return np.roll(index.reshape(SIZE, SIZE), sectors, 0).reshape(-1)


def perfect_fields(truth):
    """Fields that say exactly what the targets ask for."""
    target = make_targets(truth, np.full(len(truth), 99), GROUND, CONFIG, moving=True)
    columns = {
        'offset': target.offset, 'height': target.height[:, None], 'log_size': target.log_size,
        'velocity': target.velocity, 'heading': np.exp(1j * target.yaw)[:, None],
        'axis': np.exp(2j * target.yaw)[:, None], 'log_variance': np.zeros((len(target.cell), 1)),
        'deviator': np.tile([.8, .3], (len(target.cell), 1))}
    fields = {'heatmap': 12 * target.heatmap[None] - 6}
    for name, value in columns.items():
        if np.iscomplexobj(value):
            value = np.concatenate([value.real, value.imag], 1)
        field = np.zeros((value.shape[1], HEAD * HEAD), np.float32)
        field[:, target.cell] = value.T
        fields[name] = field.reshape(1, -1, HEAD, HEAD)
    return fields


def assert_same_boxes(found, expected, tolerance):
    """Compares by position: equal scores may swap places."""
    assert len(found) == len(expected)
    distance = np.linalg.norm(found.center[:, None, :2] - expected.center[:, :2], axis=2)
    order = distance.argmin(1)
    assert sorted(order) == list(range(len(expected)))
    expected = expected.select(order)
    assert (found.label == expected.label).all()
    for name in ('center', 'size', 'velocity', 'covariance'):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=tolerance)
    np.testing.assert_allclose(np.exp(1j * found.yaw), np.exp(1j * expected.yaw), atol=tolerance)


def test_cells_and_centres_are_inverse():
    grid, cell = PolarGrid(SIZE, 12.8), np.arange(SIZE * SIZE)
    found, inside = grid.locate(grid.centre(cell))
    assert inside.all() and (found == cell).all()
    ahead = turn(np.array([1., 0.]), grid.azimuth(cell))
    np.testing.assert_allclose(grid.centre(cell) / np.linalg.norm(
        grid.centre(cell), axis=1)[:, None], ahead, atol=1e-9)
    _, inside = grid.locate(np.array([[12.9, 0.], [9.2, 9.2], [0., 12.7], [1e30, 1e30]]))
    assert inside.tolist() == [False, False, True, False]


def test_cells_fill_their_spacing():
    """Areas of all cells add up to the disc."""
    grid = PolarGrid(SIZE, 12.8)
    area = grid.spacing(np.arange(SIZE * SIZE)).prod(1).sum()
    np.testing.assert_allclose(area, np.pi * 12.8 ** 2, rtol=1e-9)


@pytest.mark.parametrize('sectors', [1, 7, -5, SIZE // 4])
def test_turning_the_scan_by_any_sectors_rolls_the_pillars(sectors):
    """Points of the input, the vectors among them, stay as they are (given the same heights)."""
    level = replace(scan(), xyz=scan().xyz * np.array([1, 1, 0], np.float32))
    upright, turned = (pillarize(points, CONFIG)
                       for points in (level, level.transformed(pose(sectors))))
    rows = [np.concatenate([each.points, np.zeros_like(each.points[:1])]) for each
            in (upright, turned)]
    np.testing.assert_allclose(rows[1][turned.index], rows[0][rolled(upright.index, sectors)],
                               atol=2e-5)


def test_vectors_of_a_point_are_metres_along_and_across_the_line_of_sight():
    grid, place = CONFIG.pillar_grid, np.array([[6., -4., -1.]])
    pillars = pillarize(Points.from_xyz(place), CONFIG)
    cell = np.flatnonzero(pillars.index < CONFIG.max_pillars)
    azimuth = grid.azimuth(cell)[0]
    offset = place[0, :2] - grid.centre(cell)[0]
    along = np.array([np.cos(azimuth), np.sin(azimuth)])
    across = np.array([-along[1], along[0]])
    np.testing.assert_allclose(pillars.points[0, 0, 4:6], [offset @ along, offset @ across],
                               atol=1e-5)


@pytest.mark.parametrize('steps', STEPS)
def test_ground_turns_with_the_scan(steps):
    """By whole coarse cells, which are as wide as the total stride."""
    before, after = (fit_ground(points.xyz, 12.8, 'polar') for points
                     in (scan(), scan().transformed(pose(STRIDE * steps))))
    assert np.abs(before[:2]).max() > .005
    np.testing.assert_allclose(after[:2], turn(before[:2], 2 * np.pi * STRIDE * steps / SIZE),
                               atol=1e-5)
    np.testing.assert_allclose(after[2], before[2], atol=1e-5)


def test_decoding_perfect_fields_gives_the_boxes_back():
    truth = boxes()
    found = decode(perfect_fields(truth), GROUND, CONFIG)
    truth = replace(truth, covariance=found.covariance[
        np.linalg.norm(found.center[:, None] - truth.center, axis=2).argmin(0)])
    assert_same_boxes(found, truth, 1e-4)


@pytest.mark.parametrize('sectors', [2, -6, SIZE // 4])
def test_fields_that_roll_give_boxes_that_turn(sectors):
    """With their covariances."""
    fields = perfect_fields(boxes())
    turned = {name: np.roll(field, sectors // 2, 2) for name, field in fields.items()}
    matrix = pose(sectors)
    ground = np.array([*matrix[:2, :2] @ GROUND[:2], GROUND[2]])
    assert_same_boxes(decode(turned, ground, CONFIG),
                      decode(fields, GROUND, CONFIG).transformed(matrix), 1e-5)


@pytest.mark.parametrize('sectors', [2, -6, SIZE // 4])
def test_targets_and_losses_do_not_change_but_roll(sectors):
    rng = np.random.default_rng(0)
    fields = {name: rng.normal(size=field.shape) for name, field
              in perfect_fields(boxes()).items()}
    matrix, count = pose(sectors), np.array([99, 99, 1, 99, 0])    # one uncertain, one unseen
    ground = np.array([*matrix[:2, :2] @ GROUND[:2], GROUND[2]])
    before = make_targets(boxes(), count, GROUND, CONFIG, moving=True)
    after = make_targets(boxes().transformed(matrix), count, ground, CONFIG, moving=True)
    np.testing.assert_allclose(after.heatmap, np.roll(before.heatmap, sectors // 2, 1), atol=1e-6)
    assert (after.background == np.roll(before.background, sectors // 2, 0)).all()
    assert (before.background == 0).any()
    terms = [detection_loss({name: torch.from_numpy(field) for name, field in answer.items()},
                            [target])
             for answer, target in (
                 (fields, before),
                 ({name: np.roll(field, sectors // 2, 2) for name, field in fields.items()},
                  after))]
    for name, term in terms[0].items():
        torch.testing.assert_close(terms[1][name], term, rtol=1e-5, atol=1e-6, msg=name)


def test_a_target_across_the_seam_is_whole():
    """An object behind the sensor has as much heat as one in front."""
    pair = Boxes3D(center=np.array([[8., .01, 0.], [-8., .01, 0.]]),
                   size=np.tile([4., 2., 1.5], (2, 1)), yaw=np.zeros(2), label=np.array([0, 1]))
    target = make_targets(pair, np.array([9, 9]), np.zeros(3), CONFIG, moving=False)
    assert np.isclose(target.heatmap[0].sum(), target.heatmap[1].sum(), rtol=1e-5)
    rows = np.flatnonzero(target.heatmap[1].max(1) > .2)
    assert {0, HEAD - 1} <= set(rows.tolist())
    cells = target.cell[target.label == 1] // HEAD
    assert set(cells.tolist()) == {HEAD - 2, HEAD - 1, 0}


def test_of_two_peaks_across_the_seam_the_lower_is_none():
    logits = np.full((1, HEAD, HEAD), -9., np.float32)
    logits[0, 0, 20], logits[0, -1, 21] = 2., 3.
    logits[0, 9, 0], logits[0, 9, -1] = 1., .5          # range does not wrap
    _, cell, _ = find_peaks(logits, CONFIG)
    assert cell.tolist() == [(HEAD - 1) * HEAD + 21, 9 * HEAD, 9 * HEAD + HEAD - 1]
    assert len(find_peaks(logits, replace(CONFIG, grid='cartesian'))[1]) == 4


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
def test_network_obeys_its_law(dtype, limit):
    model, pillars = random_network(dtype), pillarize(scan(), CONFIG)
    points = torch.from_numpy(pillars.points).to(dtype)

    def run(sectors):
        with torch.no_grad():
            fields = model(points, torch.from_numpy(rolled(pillars.index, sectors)))
        return {name: field.numpy() for name, field in fields.items()}

    upright = run(0)
    for steps in STEPS:
        for name, field in run(STRIDE * steps).items():
            expected = np.roll(upright[name], STRIDE * steps // 2, 2)
            assert np.abs(field - expected).max() <= limit * np.abs(expected).max(), name
    part = run(2)['heatmap'] - np.roll(upright['heatmap'], 1, 2)    # a quarter of the stride
    assert np.abs(part).max() > .01 * np.abs(upright['heatmap']).max()


def test_circular_rows_need_the_trivial_group():
    with pytest.raises(ConfigError, match='trivial'):
        GroupBlock(PlanarGroup(4), 2, 2, circular=True)
    with pytest.raises(ConfigError, match='C1'):
        replace(CONFIG, group='C4')
    with pytest.raises(ConfigError, match='cartesian'):
        replace(CONFIG, grid='hexagonal')


def test_manifests_from_before_the_polar_grid_are_cartesian():
    values = CONFIG.to_dict()
    assert DetectorConfig.from_dict(values) == CONFIG
    del values['grid']
    assert DetectorConfig.from_dict(values).grid == 'cartesian'


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    return export_detector(random_network(), tmp_path_factory.mktemp('polar') / 'bundle', scan(),
                           'polar', {'seed': 3}, '')


def test_exported_graph_obeys_the_law(bundle):
    inputs, _ = Bundle.load(bundle.path).golden()
    with open_session(bundle) as session:
        upright = session.run(inputs)
        for steps in STEPS:
            turned = session.run({**inputs, 'pillar_index': rolled(inputs['pillar_index'],
                                                                   STRIDE * steps)})
            for name, field in upright.items():
                expected = np.roll(field, STRIDE * steps // 2, 2)
                assert np.abs(turned[name] - expected).max() <= 2e-5 * np.abs(field).max(), name


@pytest.mark.parametrize('steps', STEPS)
def test_detector_turns_boxes_with_the_scan(bundle, steps):
    detector, matrix = Detector.from_bundle(bundle.path), pose(STRIDE * steps)
    expected = detector.detect(scan()).transformed(matrix)
    found = detector.detect(scan().transformed(matrix))
    assert len(found) > 5
    assert_same_boxes(found, expected, 2e-3)
