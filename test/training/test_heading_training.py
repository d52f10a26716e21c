"""The second look learns which end is the front, from what a detector finds."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_core.runtime.bundle import Bundle
from eq_eval.cli.train import app as train_app
from eq_eval.datasets.scan import LabeledScan
from eq_eval.training.heading import agreement
from eq_eval.training.heading import collect
from eq_eval.training.heading import HeadingStream
from eq_eval.training.heading import join
from eq_eval.training.heading import kept
from eq_eval.training.heading import Objects
from eq_eval.training.heading import train_heading
from eq_eval.training.recipe import HeadingRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scan_store import write_sequence
from eq_perception.detection.detector import Detector
from eq_perception.detection.heading import HeadingConfig

NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
RECIPE = HeadingRecipe(heading=HeadingConfig(points=32, width=16), iterations=150, batch_size=32,
                       learning_rate=5e-3, averaging=.9)


class Guesser:
    """Knows where cars are and takes every second one the wrong way round."""

    class_names = NAMES

    def __init__(self, boxes: Boxes3D) -> None:
        """Knows the boxes."""
        self.boxes = boxes

    def detect(self, points: Points, *past: Points, poses: object = None) -> Boxes3D:
        """Gives them all."""
        turned = np.arange(len(self.boxes)) % 2 * np.pi
        return replace(self.boxes, yaw=self.boxes.yaw + turned,
                       heading_confidence=np.zeros(len(self.boxes)))


def cars(seed: int) -> tuple[Points, Boxes3D]:
    """Cars whose bonnet is low, in all directions."""
    rng = np.random.default_rng(seed)
    count = 24
    place = np.stack(np.meshgrid(np.arange(6), np.arange(4)), -1).reshape(-1, 2) * 8. - [20, 12]
    boxes = Boxes3D(center=np.column_stack([place, np.full(count, -1.)]),
                    size=np.tile([4.4, 1.8, 1.5], (count, 1)),
                    yaw=rng.uniform(-np.pi, np.pi, count), label=np.zeros(count, int))
    along, across, up = rng.uniform(-.5, .5, (3, count, 80)) * np.array(
        [4.4, 1.8, 1.5])[:, None, None]
    up = np.where(along > 1., np.minimum(up, 0.), up)
    cos, sin = np.cos(boxes.yaw)[:, None], np.sin(boxes.yaw)[:, None]
    xyz = np.stack([along * cos - across * sin, along * sin + across * cos, up], -1)
    xyz = (xyz + boxes.center[:, None]).reshape(-1, 3)
    return Points.from_xyz(xyz, rng.random(len(xyz))), boxes


@pytest.fixture(scope='module')
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScanStore, Guesser]:
    folder = tmp_path_factory.mktemp('cars')
    points, boxes = cars(0)
    write_sequence(folder / '0.npz', [
        LabeledScan(replace(points, stamp=int(index * 1e8)), np.eye(4), boxes, index=index,
                    class_names=NAMES, num_points=count_points_in_boxes(points.xyz, boxes))
        for index in range(3)])
    return ScanStore.open(folder), Guesser(boxes)


@pytest.fixture(scope='module')
def objects(store: tuple[ScanStore, Guesser]) -> Objects:
    return join(list(collect(store[1], store[0], RECIPE.heading)))


def test_it_collects_what_is_right_and_what_is_reversed(objects: Objects) -> None:
    assert len(objects) == 4 * 24      # three scans alone, and the stack of all
    np.testing.assert_array_equal(objects.front, np.tile([1, -1], 48))
    moving = objects.state[:, 11]
    np.testing.assert_array_equal(moving, np.repeat([0, 0, 0, 1], 24))


def test_agreement_is_the_cosine_of_the_error_of_what_is_found() -> None:
    truth = cars(0)[1].select(slice(0, 3))
    found = replace(truth, yaw=truth.yaw + [.3, np.pi - .2, 0],
                    center=truth.center + [[.5, 0, 0], [0, -.5, 0], [3., 0, 0]])
    np.testing.assert_allclose(agreement(found, truth), [np.cos(.3), -np.cos(.2), 0], atol=1e-12)


def test_batches_depend_on_seed_and_number_alone(objects: Objects) -> None:
    stream = HeadingStream(objects, RECIPE)
    one, again, next_one = stream.batch(3), stream.batch(3), stream.batch(4)
    for name in ('points', 'state', 'front'):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.points, next_one.points)
    assert one.points.dtype == one.state.dtype == np.float32


def test_thinned_objects_say_how_many_points_are_left(objects: Objects) -> None:
    still = replace(RECIPE, yaw_noise=0., shift_noise=0., batch_size=400)
    batch = HeadingStream(objects, still).batch(0)
    different = np.array([len(np.unique(points, axis=0)) for points in batch.points])
    np.testing.assert_array_equal(
        different, np.minimum(np.rint(np.exp(batch.state[:, 9] * 5)), RECIPE.heading.points))
    assert different.min() < 16


def test_it_learns_the_front_and_tells_it_of_cars_that_it_did_not_see(
        store: tuple[ScanStore, Guesser], tmp_path: Path) -> None:
    scenes, guesser = store
    run = train_heading(RECIPE, guesser, scenes, tmp_path)
    points, boxes = cars(1)
    folder = tmp_path / 'others'
    folder.mkdir()
    write_sequence(folder / '0.npz', 3 * [LabeledScan(
        points, np.eye(4), boxes, class_names=NAMES,
        num_points=count_points_in_boxes(points.xyz, boxes))])
    other = join(list(collect(Guesser(boxes), ScanStore.open(folder), RECIPE.heading)))
    answer = run.exported()(torch.from_numpy(other.points[:, :32]),
                            torch.from_numpy(other.state))['direction'][:, 0]
    assert (np.sign(answer.detach().numpy()) == other.front).mean() > .95


def test_objects_are_collected_once_for_a_detector(
        store: tuple[ScanStore, Guesser], objects: Objects, tmp_path: Path) -> None:
    scenes, guesser = store
    recipe, path = replace(RECIPE, detector='one'), tmp_path / 'objects.npz'
    kept(path, recipe, guesser, scenes)
    nobody = Guesser(guesser.boxes.select(slice(0)))
    again = kept(path, recipe, nobody, scenes)
    np.testing.assert_array_equal(again.points, objects.points)
    with pytest.raises(InputError, match='other finds no object'):
        kept(path, replace(recipe, detector='other'), nobody, scenes)


def test_the_command_writes_a_bundle_that_a_detector_opens(
        tmp_path: Path, repository: Path) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    result = CliRunner().invoke(train_app, [
        'heading', '--out', str(tmp_path), '--from', str(repository / 'models/lidar_detector'),
        '--scenes', str(tmp_path / 'scenes'), '--num-scenes', '2', '--iterations', '3',
        '--threads', '1', '--json'])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told['equivariance_error'] <= 1e-5
    manifest = Bundle.load(tmp_path / 'bundle').manifest
    assert manifest.task == 'heading_estimation'
    assert manifest.training['recipe']['detector'].startswith('lidar_detector ')
    detector = Detector.from_bundle(repository / 'models/lidar_detector', ['onnxruntime'],
                                    heading=tmp_path / 'bundle')
    assert detector.heading is not None
