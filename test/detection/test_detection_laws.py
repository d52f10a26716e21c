"""Turning the scan turns every stage of the detector: pillars, network, graph, losses, boxes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.runtime.representations import PillarIndex
from eq_core.runtime.representations import PillarPoints
from eq_core.runtime.representations import representation_from_dict
from eq_eval.training.export import detector_signature
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import OUTPUT_LAW
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.losses import detection_loss
from eq_perception.detection.model import BevDetector
from eq_perception.detection.model import HEADS
from eq_perception.detection.model import plain_twin
from eq_perception.detection.postprocess import decode
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.targets import make_targets

SMALL = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(2, 3, 3, 4, 3),
                       depth=(1, 1, 1), score_threshold=.01)


def scan(count=6000, seed=0):
    """Random points on a slightly inclined ground, denser near the sensor."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), 13 * rng.random(count)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    z = .02 * x - 1.8 + rng.exponential(.4, count) * (rng.random(count) < .5)
    return Points.from_xyz(np.stack([x, y, z], -1), rng.random(count))


def quarter_turn(turns):
    pose = np.eye(4)
    pose[:2, :2] = PlanarGroup(4).matrices[turns % 4]
    return pose


def random_network(config, dtype=torch.float32):
    """A network whose normalisation statistics matter."""
    torch.manual_seed(3)
    model = BevDetector(config).to(dtype)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -.3, .3)
            torch.nn.init.uniform_(part.running_var, .5, 2)
            torch.nn.init.uniform_(part.weight, .5, 1.5)
            torch.nn.init.uniform_(part.bias, -.2, .5)
    return model.eval()


def rows_by_cell(pillars):
    """Pillar rows laid out on the grid."""
    rows = np.concatenate([pillars.points, np.zeros_like(pillars.points[:1])])
    return rows[pillars.index]


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_pillars_turn_with_the_scan(turns):
    points = scan()
    upright, turned = (pillarize(each, SMALL)
                       for each in (points, points.transformed(quarter_turn(turns))))
    size = SMALL.grid_size
    law = PillarPoints(((4, 5), (6, 7)))
    expected = replace(upright, points=law.rotate(upright.points, turns),
                       index=PillarIndex(size, size).rotate(upright.index, turns))
    np.testing.assert_allclose(rows_by_cell(turned), rows_by_cell(expected), atol=2e-5)


def test_points_on_cell_borders_do_not_favour_a_side():
    x, y = np.meshgrid(np.arange(-6, 6.1, .4), np.arange(-6, 6.1, .4))
    border = Points.from_xyz(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], -1)[
        (x.ravel() != 0) & (y.ravel() != 0)])
    occupied = [pillarize(border.transformed(quarter_turn(turns)), SMALL).index < 2048
                for turns in range(4)]
    size = SMALL.grid_size
    for turns in (1, 2, 3):
        moved = PillarIndex(size, size).rotate(occupied[0].astype(np.int64), turns)
        assert (moved == occupied[turns]).all()


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 2e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize('group', ['C4', 'C8', 'D4', 'C2'])
def test_network_obeys_its_law(group, dtype, limit):
    model = random_network(replace(SMALL, group=group), dtype)
    pillars, size = pillarize(scan(), SMALL), SMALL.grid_size

    def run(points, index):
        with torch.no_grad():
            fields = model(torch.from_numpy(points.copy()).to(dtype),
                           torch.from_numpy(index.copy()))
        return {name: field.numpy() for name, field in fields.items()}

    upright = run(pillars.points, pillars.index)
    for turns in (1, 2, 3):
        if turns * PlanarGroup.from_name(group).rotations % 4:
            continue
        turned = run(PillarPoints(((4, 5), (6, 7))).rotate(pillars.points, turns),
                     PillarIndex(size, size).rotate(pillars.index, turns))
        for name, (representation, _) in HEADS.items():
            expected = representation_from_dict(OUTPUT_LAW[representation]).rotate(
                upright[name], turns)
            assert np.abs(turned[name] - expected).max() <= limit * np.abs(expected).max(), name


def test_plain_twin_violates_the_law_at_equal_width():
    plain = plain_twin(SMALL)
    assert [4 * width for width in SMALL.channels] == list(plain.channels)
    model = random_network(plain)
    assert equivariance_error(model, detector_signature(model, scan()), 'C4') > .05


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_boxes_turn_with_the_scan(turns):
    model = random_network(SMALL)
    points = scan()

    def detect(cloud):
        pillars = pillarize(cloud, SMALL)
        with torch.no_grad():
            fields = model(torch.from_numpy(pillars.points), torch.from_numpy(pillars.index))
        return decode({name: field.numpy() for name, field in fields.items()}, pillars.ground,
                      SMALL)

    expected = detect(points).transformed(quarter_turn(turns))
    found = detect(points.transformed(quarter_turn(turns)))
    assert len(found) == len(expected) > 5
    # Equal scores may swap places, so boxes are compared by position.
    order = [np.lexsort(np.rint(each.center[:, :2].T * 1e3)) for each in (found, expected)]
    found, expected = found.select(order[0]), expected.select(order[1])
    for name in ('center', 'size', 'score', 'velocity', 'covariance'):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-3)
    np.testing.assert_allclose(np.exp(1j * found.yaw), np.exp(1j * expected.yaw), atol=5e-3)


def labelled_boxes():
    return Boxes3D(center=np.array([[3., 4.1, -1.], [-5.2, 2.3, -.9]]),
                   size=np.array([[4.2, 1.8, 1.5], [.7, .7, 1.7]]), yaw=np.array([.3, 2.]),
                   label=np.array([0, 2]), velocity=np.array([[5., 1.], [0., 1.]]))


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_losses_are_invariant_when_prediction_and_target_turn(turns):
    rng, size = np.random.default_rng(0), SMALL.head_size
    fields = {name: rng.normal(size=(1, multiplicity * (1 if kind == 'trivial' else 2) or 4,
                                     size, size))
              for name, (kind, multiplicity) in HEADS.items()}
    turned = {name: representation_from_dict(OUTPUT_LAW[kind]).rotate(fields[name], turns)
              for name, (kind, _) in HEADS.items()}
    ground, count = np.array([0., 0., -1.8]), np.array([50, 50])

    def loss(answer, boxes):
        target = make_targets(boxes, count, ground, SMALL, moving=True)
        return detection_loss({name: torch.from_numpy(field.copy())
                               for name, field in answer.items()}, [target])

    before = loss(fields, labelled_boxes())
    after = loss(turned, labelled_boxes().transformed(quarter_turn(turns)))
    for name, term in before.items():
        torch.testing.assert_close(after[name], term, rtol=1e-5, atol=1e-6)
