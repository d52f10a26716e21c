"""Turning the scan turns every stage of the segmenter: rows, network, exported graph, points."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.runtime.acceptance import equivariance_errors
from eq_core.runtime.selection import open_session
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_segmenter
from eq_eval.training.export import segmenter_signature
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import pillarize
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.losses import lovasz_softmax
from eq_perception.panoptic.losses import offset_loss
from eq_perception.panoptic.model import BevSegmenter
from eq_perception.panoptic.model import plain_twin
from eq_perception.panoptic.postprocess import assign
from eq_perception.panoptic.preprocess import pillar_cells
from eq_perception.panoptic.preprocess import point_rows
from eq_perception.panoptic.preprocess import spread
from eq_perception.panoptic.targets import make_panoptic_targets

SMALL = SegmenterConfig(
    DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(2, 3, 3, 4, 3),
                   depth=(1, 1, 1), score_threshold=.01),
    pillar_channels=3, column_channels=9, point_channels=6, max_points=4096)


def scan(count=4000, seed=0):
    """Random points on a slightly inclined ground, some of them outside the grid."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), 16 * rng.random(count)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    z = .02 * x - 1.8 + rng.exponential(.6, count) * (rng.random(count) < .5)
    return Points.from_xyz(np.stack([x, y, z], -1), rng.random(count))


def quarter_turn(turns):
    pose = np.eye(4)
    pose[:2, :2] = PlanarGroup(4).matrices[turns % 4]
    return pose


def random_network(config=SMALL, dtype=torch.float32):
    """A network whose normalisation statistics matter."""
    torch.manual_seed(3)
    model = BevSegmenter(config).to(dtype)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -.3, .3)
            torch.nn.init.uniform_(part.running_var, .5, 2)
    return model.eval()


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 2e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize('group', ['C2', 'C4'])
def test_network_obeys_its_law(group, dtype, limit):
    config = replace(SMALL, detector=replace(SMALL.detector, group=group))
    signature = segmenter_signature(random_network(config), scan())
    inputs = {name: value.astype(np.float64)
              if value.dtype == np.float32 and dtype == torch.float64 else value
              for name, value in signature.inputs.items()}
    model = random_network(config, dtype)
    assert equivariance_error(model, replace(signature, inputs=inputs), group) < limit


def test_the_plain_twin_violates_the_law():
    twin = random_network(plain_twin(SMALL))
    assert equivariance_error(twin, segmenter_signature(twin, scan()), 'C4') > .02


def test_the_exported_graph_obeys_the_law_and_agrees_with_torch(tmp_path):
    bundle = export_segmenter(random_network(), tmp_path / 'bundle', scan(), 'random', {}, '')
    inputs, golden = bundle.golden()
    for backend in ('onnxruntime', 'torch'):
        session = open_session(bundle, [backend])
        assert max(equivariance_errors(session, inputs).values()) < 1e-4
        for name, value in session.run(inputs).items():
            np.testing.assert_allclose(value, golden[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_points_are_described_alike_from_every_side(turns):
    points = scan()
    upright, turned = ((pillarize(each, SMALL.detector), each)
                       for each in (points, points.transformed(quarter_turn(turns))))
    first, second = (point_rows(each, pillars, SMALL) for pillars, each in (upright, turned))
    np.testing.assert_allclose(first.features, second.features, atol=1e-4)
    within = first.row < SMALL.detector.max_pillars
    np.testing.assert_allclose(first.columns[first.row[within]],
                               second.columns[second.row[within]], atol=1e-4)
    # Rows are numbered anew, but whoever shared a pillar still does, and its cells have turned.
    for rows in (first, second):
        assert (rows.row[rows.features[:, 5] == 1] == SMALL.detector.max_pillars).all()
    assert len({*zip(first.row.tolist(), second.row.tolist(), strict=True)}) == len(
        np.unique(first.row))


def test_a_pillars_cells_are_those_around_its_centre():
    pillars = pillarize(scan(), SMALL.detector)
    centre = SMALL.detector.pillar_grid.centre(np.flatnonzero(
        pillars.index < len(pillars.points)))
    cells = pillar_cells(pillars, SMALL.detector)[
        pillars.index[pillars.index < len(pillars.points)]]
    inner = np.abs(centre).max(1) < 12.
    weights = np.array([9, 3, 3, 1]) / 16
    interpolated = (SMALL.detector.head_grid.centre(cells.reshape(-1)).reshape(-1, 4, 2)
                    * weights[:, None]).sum(1)
    np.testing.assert_allclose(interpolated[inner], centre[inner], atol=1e-9)


def objects():
    return Boxes3D(center=np.array([[3., 4.1, -1.], [-5.2, 2.3, -.9], [-5.2, 3.6, -.9]]),
                   size=np.array([[4.2, 1.8, 1.5], [.7, .7, 1.7], [.8, .6, 1.8]]),
                   yaw=np.array([.3, 2., 1.]), label=np.array([0, 2, 2]),
                   track_id=np.array([7, 9, 4]), score=np.array([.9, .8, .7]))


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_assignment_of_points_does_not_know_axes(turns):
    points, boxes = scan(), objects()
    rng = np.random.default_rng(1)
    semantic = rng.choice(np.array([1, 6, 9], np.uint8), len(points))
    field = rng.normal(0, 1.5, (1, 2, 32, 32)).astype(np.float32)
    pose = quarter_turn(turns)
    moved = points.transformed(pose)
    from eq_core.runtime.representations import VectorField
    owners = []
    for each, vectors, where in ((points, field, boxes),
                                 (moved, VectorField(1).rotate(field, turns),
                                  boxes.transformed(pose))):
        rows = point_rows(each, pillarize(each, SMALL.detector), SMALL)
        owners.append(assign(each, semantic, rows.head_cell, vectors, where, SMALL))
    assert (owners[0] >= 0).sum() > 50 and len(np.unique(owners[0])) == 4
    np.testing.assert_array_equal(*owners)
    assert (owners[0][semantic == 9] == -1).all()   # the road belongs to nobody


def test_perfect_votes_give_points_to_their_instances():
    boxes = objects()
    rng = np.random.default_rng(5)
    owner = rng.integers(0, 3, 600)
    local = rng.uniform(-.5, .5, (600, 2)) * boxes.size[owner, :2] * .95
    cos, sin = np.cos(boxes.yaw[owner]), np.sin(boxes.yaw[owner])
    xy = boxes.center[owner, :2] + np.stack(
        [cos * local[:, 0] - sin * local[:, 1], sin * local[:, 0] + cos * local[:, 1]], -1)
    points = Points.from_xyz(np.column_stack([xy, np.full(600, -1.)]))
    # One cell a point, each with a field that leads right to its instance.
    cell = np.arange(600)
    field = np.zeros((1, 2, 32, 32), np.float32)
    field.reshape(2, -1)[:, cell] = (boxes.center[owner, :2]
                                     - SMALL.detector.head_grid.centre(cell)).T
    found = assign(points, np.where(owner == 0, 1, 6).astype(np.uint8), cell, field, boxes, SMALL)
    np.testing.assert_array_equal(found, owner)


def test_targets_point_to_the_centre_of_the_instance():
    points, boxes = scan(), objects()
    rng = np.random.default_rng(2)
    pillars = pillarize(points, SMALL.detector)
    rows = point_rows(points, pillars, SMALL)
    near = np.linalg.norm(points.xyz[:, None, :2] - boxes.center[:, :2], axis=-1)
    instance = np.where(near.min(1) < 2, boxes.track_id[near.argmin(1)], 0)
    semantic = np.where(instance > 0, 1, 9).astype(np.uint8)
    target = make_panoptic_targets(rows, semantic, instance, boxes, SMALL, 1000, rng)
    assert len(target.semantic) == 1000 and target.offset_weight.sum() == pytest.approx(3)
    stands_for = np.bincount(target.semantic, target.weight)     # points of each class
    np.testing.assert_allclose(stands_for, np.bincount(semantic), rtol=1e-5)
    thing = target.offset_weight > 0
    centre = SMALL.detector.head_grid.centre(target.cell[thing]) + target.offset[thing]
    apart = np.linalg.norm(centre[:, None] - boxes.center[:, :2], axis=-1).min(1)
    np.testing.assert_allclose(apart, 0, atol=1e-5)
    field = torch.zeros(1, 2, 32, 32)
    assert offset_loss(field, [target]) == pytest.approx(
        (target.offset_weight * np.sqrt((target.offset ** 2).sum(1) + 1e-4)).sum() / 3, rel=1e-4)


def test_lovasz_of_certain_answers_is_one_minus_the_mean_iou():
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 4, (2, 300))
    weight = rng.integers(1, 5, 300)      # each point stands for so many
    probability = torch.nn.functional.one_hot(torch.as_tensor(answer), 4).double()
    iou = [weight[(truth == label) & (answer == label)].sum() / weight[
        (truth == label) | (answer == label)].sum() for label in range(4)]
    assert float(lovasz_softmax(probability, torch.as_tensor(truth), torch.as_tensor(weight))
                 ) == pytest.approx(1 - np.mean(iou))


def test_points_beyond_the_capacity_take_a_neighbours_answer():
    small = replace(SMALL, max_points=1000)
    rows = point_rows(scan(), pillarize(scan(), small.detector), small)
    assert len(rows.kept) == 1000
    filled = spread(rows.kept, rows.kept, 4000)
    assert (np.arange(4000) - filled).max() < 5 and (filled <= np.arange(4000)).all()
