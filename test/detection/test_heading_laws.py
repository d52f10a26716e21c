"""Directions turn with the scene, by every angle, whatever direction a box came with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.acceptance import examine
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import open_session
from eq_eval.rotation import yaw_pose
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_heading
from eq_eval.training.export import heading_signature
from eq_perception.detection.heading import decide
from eq_perception.detection.heading import HeadingConfig
from eq_perception.detection.heading import HeadingEstimator
from eq_perception.detection.heading import look
from eq_perception.detection.heading_model import HeadingNetwork

NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
SMALL = HeadingConfig(objects=4, points=16, width=8)


def network(config: HeadingConfig = SMALL) -> HeadingNetwork:
    """Random weights, whose answers are far from 0."""
    torch.manual_seed(1)
    model = HeadingNetwork(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=.5)
    return model.eval()


def parked(count: int = 7, seed: int = 0) -> tuple[Points, Boxes3D]:
    """Boxes in a row and points in and between them."""
    rng = np.random.default_rng(seed)
    centre = np.column_stack([np.arange(count) * 7 - 20, rng.uniform(-9, 9, count),
                              rng.uniform(-1, 0, count)])
    boxes = Boxes3D(center=centre, size=rng.uniform([3, 1.5, 1.4], [5, 2, 2], (count, 3)),
                    yaw=rng.uniform(-np.pi, np.pi, count), label=np.arange(count) % 4,
                    velocity=rng.normal(0, 5, (count, 2)),
                    heading_confidence=rng.uniform(0, 1, count))
    inside = rng.uniform(-.5, .5, (count, 60, 3)) * [1.8, 1.8, 1.2] + centre[:, None]
    xyz = np.concatenate([inside.reshape(-1, 3), rng.uniform(-25, 25, (500, 3))])
    return Points.from_xyz(xyz, rng.random(len(xyz))), boxes


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp('heading') / 'bundle'
    return export_heading(network(), path, 'random', {'seed': 1}, '')


@pytest.fixture(scope='module')
def estimator(bundle: Bundle) -> HeadingEstimator:
    return HeadingEstimator.from_bundle(bundle.path, ['onnxruntime'])


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_network_changes_sign_under_the_half_turn(dtype: torch.dtype, limit: float) -> None:
    model = network().to(dtype)
    signature = heading_signature(SMALL)
    inputs = {name: value.astype(str(dtype).removeprefix('torch.'))
              for name, value in signature.inputs.items()}
    answer = model(*map(torch.from_numpy, inputs.values()))['direction']
    assert answer[:, 0].abs().min() > 1e-3
    assert equivariance_error(model, replace(signature, inputs=inputs), 'C2') <= limit


def test_exported_graph_keeps_the_law(bundle: Bundle) -> None:
    with open_session(bundle, ['onnxruntime']) as session:
        report = examine(session, bundle)
    assert report.ok
    assert report.equivariance_error is not None
    assert report.equivariance_error <= 1e-5


@pytest.mark.parametrize('degrees', [17., 90., 211.])
def test_directions_turn_with_the_scene_by_any_angle(
        estimator: HeadingEstimator, degrees: float) -> None:
    scan, boxes = parked()
    pose = yaw_pose(degrees)
    upright = estimator.direct(scan, boxes, NAMES, True)
    turned = estimator.direct(scan.transformed(pose), boxes.transformed(pose), NAMES, True)
    np.testing.assert_allclose(
        np.exp(1j * turned.yaw), np.exp(1j * upright.transformed(pose).yaw), atol=1e-9)
    np.testing.assert_allclose(turned.heading_confidence, upright.heading_confidence, atol=1e-4)


def test_it_does_not_matter_which_way_round_a_box_comes(estimator: HeadingEstimator) -> None:
    scan, boxes = parked()
    boxes = replace(boxes, heading_confidence=np.zeros(len(boxes)))
    told = np.array([name != 'pedestrian' for name in NAMES])[boxes.label]
    one = estimator.direct(scan, boxes, NAMES)
    other = estimator.direct(scan, replace(boxes, yaw=boxes.yaw + np.pi), NAMES)
    np.testing.assert_allclose(np.exp(1j * one.yaw[told]), np.exp(1j * other.yaw[told]),
                               atol=1e-9)
    assert (np.cos(one.yaw - boxes.yaw)[told] < 0).any()      # the network has its own mind


def test_what_cannot_be_looked_at_keeps_what_it_has(estimator: HeadingEstimator) -> None:
    scan, boxes = parked()
    answer = estimator.direct(scan, boxes, NAMES)
    people = boxes.label == NAMES.index('pedestrian')
    np.testing.assert_array_equal(answer.yaw[people], boxes.yaw[people])
    np.testing.assert_array_equal(answer.heading_confidence[people],
                                  boxes.heading_confidence[people])
    for name in ('center', 'size', 'score', 'label', 'velocity', 'covariance'):
        np.testing.assert_array_equal(getattr(answer, name), getattr(boxes, name))
    weak = estimator.direct(scan, replace(boxes, score=boxes.score * .01), NAMES)
    np.testing.assert_array_equal(weak.yaw, boxes.yaw)
    away = replace(boxes, center=boxes.center + [500., 0, 0])
    assert estimator.direct(scan, away, NAMES) is away
    none = boxes.select(slice(0))
    assert len(estimator.direct(scan, none, NAMES)) == 0


def test_more_objects_than_rows_are_told_one_after_another(estimator: HeadingEstimator) -> None:
    scan, boxes = parked(11)
    whole = estimator.direct(scan, boxes, NAMES)
    for row in range(len(boxes)):
        alone = estimator.direct(scan, boxes.select([row]), NAMES)
        np.testing.assert_allclose(alone.heading_confidence, whole.heading_confidence[[row]],
                                   atol=1e-5)


def test_log_odds_become_a_direction_and_its_confidence() -> None:
    boxes = parked(3)[1]
    answer = decide(boxes, np.array([0, 2]), np.array([np.log(4), -np.log(9)], np.float32))
    np.testing.assert_allclose(np.cos(answer.yaw - boxes.yaw), [1, 1, -1])
    np.testing.assert_allclose(answer.heading_confidence,
                               [2 * .8 - 1, boxes.heading_confidence[1], 2 * .9 - 1], rtol=1e-6)
    assert (np.abs(answer.yaw) <= np.pi).all()


def test_velocities_of_a_single_scan_are_not_looked_at() -> None:
    scan, boxes = parked()
    one, other = (look(scan, each, NAMES, SMALL, False).state for each in (
        boxes, replace(boxes, velocity=-boxes.velocity)))
    np.testing.assert_array_equal(one, other)
    moving = look(scan, boxes, NAMES, SMALL, True).state
    np.testing.assert_allclose(np.linalg.norm(moving[:, 2:4], axis=1) * 10, np.linalg.norm(
        boxes.velocity, axis=1)[look(scan, boxes, NAMES, SMALL, True).box], rtol=1e-5)


def test_bundles_of_something_else_are_refused(repository: Path) -> None:
    with pytest.raises(ConfigError, match="heading_estimation, got 'lidar_detection'"):
        HeadingEstimator.from_bundle(repository / 'models/lidar_detector')


@pytest.mark.parametrize(('values', 'text'), [
    ({'objects': 0}, 'objects must be at least 1, got 0'),
    ({'margin': -1.}, 'margin must be in .*, got -1.0'), ({'wide': 1}, 'wide')])
def test_wrong_settings_are_named(values: dict[str, float], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        HeadingConfig.from_dict(values)
