"""A trained segmenter goes on learning from a recording, from what is labelled there alone."""

from dataclasses import replace
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.bundle import Bundle
from eq_eval.cli.eval import app as eval_app
from eq_eval.cli.train import app as train_app
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
from eq_eval.training.export import export_segmenter
from eq_eval.training.initial import scans_seen
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.recorded import RecordedScans
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scan_store import write_sequence
from eq_eval.training.segmenter import segmenter_losses
from eq_eval.training.segmenter import start_segmenter
from eq_eval.training.segmenter import train_segmenter
from eq_eval.training.segmenter_samples import SegmenterStream
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.classes import train_ids
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.model import BevSegmenter
from eq_perception.panoptic.segmenter import Segmenter

UNLABELED, CAR, ROAD, TERRAIN = 0, 1, 9, 17
SMALL = SegmenterConfig(
    DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                   depth=(1, 1, 1)),
    pillar_channels=4, column_channels=24, point_channels=16, max_points=8192)
RECIPE = SegmenterRecipe(detector=SMALL.detector, iterations=30, batch_size=2, learning_rate=1e-2,
                         averaging=.6, seed=1, segmenter=SMALL, points_per_scan=1500)


def scans(ground, count=4, boxes=True, seed=0):
    """Flat ground of a class, every third point of it unlabelled, and a car."""
    rng = np.random.default_rng(seed)
    flat = np.column_stack([rng.uniform(-12, 12, (2500, 2)), rng.normal(-1.7, .02, 2500)])
    size = np.array([4.2, 1.8, 1.5])
    body = rng.uniform(-.5, .5, (600, 3)) * size + [6, 3, -.95]
    xyz, intensity = np.concatenate([flat, body]), rng.random(3100)
    truth = np.repeat([ground, CAR], [2500, 600])
    truth[:2500:3] = UNLABELED
    car = Boxes3D([[6., 3, -.95]], size[None], [0.], [0], track_id=[5])
    return [LabeledScan(Points.from_xyz(xyz, intensity, stamp=index * 10**8), np.eye(4),
                        car if boxes else None, RAW_OF_TRAIN[truth],
                        np.where(truth == CAR, 5, 0).astype(np.uint32), 'drive', index,
                        num_points=np.array([600]) if boxes else None)
            for index in range(count)]


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for number in range(4):
        write_sequence(folder / f'{number:05d}.npz', scans(ROAD, 3, seed=number))
    return ScanStore.open(folder)


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """A recording that calls the ground terrain; its last scan has no label."""
    path = tmp_path_factory.mktemp('recordings') / 'drive'
    write_semantic_kitti(scans(TERRAIN, boxes=False), path)
    (path / 'labels/000003.label').unlink()
    return path


@pytest.fixture(scope='module')
def recorded(drive):
    return RecordedScans.read(open_recording(drive), 1, 2)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    torch.manual_seed(0)
    return export_segmenter(BevSegmenter(SMALL).eval(), tmp_path_factory.mktemp('models') / 'any',
                            scans(ROAD)[0].points, 'random', {}, '')


def test_only_labelled_scans_that_are_there_are_taken(drive, recorded):
    assert recorded.to_list() == [{'name': 'drive', 'scans': [1, 2]}]
    assert [scan.index for scan in recorded.scans] == [1, 2] and len(recorded) == 2
    recording = open_recording(drive)
    with pytest.raises(InputError, match='scan 3: no point has a class'):
        RecordedScans.read(recording, 2)
    for first, count in ((4, None), (2, 3)):
        with pytest.raises(InputError, match='has 4 scans'):
            RecordedScans.read(recording, first, count)


def test_boxes_of_a_recording_are_left_aside(drive):
    boxed = scans(TERRAIN, 2)
    recording = replace(open_recording(drive), load=lambda lost: iter(boxed), count=2)
    assert [scan.boxes for scan in RecordedScans.read(recording).scans] == [None, None]


def test_every_second_sample_is_recorded_and_teaches_classes_alone(store, recorded):
    batch = SegmenterStream(store, RECIPE, recorded).batch(3)
    simulated, real = batch.panoptic
    assert set(simulated.semantic) == {CAR, ROAD} and set(real.semantic) == {CAR, TERRAIN}
    assert simulated.offset_weight.sum() > 0 == real.offset_weight.sum()
    assert batch.targets[0].background.all() and len(batch.targets[0].cell)
    assert not batch.targets[1].background.any() and not len(batch.targets[1].cell)
    alone = SegmenterStream(store.first(0), RECIPE, recorded).batch(0)
    assert all(TERRAIN in each.semantic for each in alone.panoptic)


def test_scenes_are_drawn_as_without_a_recording(store, recorded):
    mixed, pure = (SegmenterStream(store, RECIPE, part).batch(2) for part in (recorded, None))
    np.testing.assert_array_equal(mixed.panoptic[0].features, pure.panoptic[0].features)
    np.testing.assert_array_equal(mixed.targets[0].heatmap, pure.targets[0].heatmap)


def test_without_boxes_no_detection_is_learnt(store, recorded):
    run = start_segmenter(RECIPE)
    terms = segmenter_losses(run.model, SegmenterStream(store.first(0), RECIPE, recorded).batch(0))
    value = {name: float(term.detach()) for name, term in terms.items()}
    for name in ('detection', 'heatmap', 'centerness', 'instance_offset'):
        assert value[name] == 0, name
    assert value['semantic'] > 0 < value['lovasz']
    terms['total'].backward()
    heads = [weight.grad for weight in run.model.bev.heads.parameters()]
    assert all(grad is None or not grad.any() for grad in heads)
    assert any(weight.grad is not None and weight.grad.any()
               for weight in run.model.classifier.parameters())


def test_classes_weigh_as_much_as_the_recipe_says(store):
    batch = SegmenterStream(store, RECIPE, None).batch(0)
    light, heavy = ({name: float(term.detach()) for name, term in start_segmenter(
        replace(RECIPE, semantic_weight=weight)).losses(batch).items()} for weight in (1., 3.))
    assert heavy['total'] == pytest.approx(
        light['total'] + 2 * (light['semantic'] + light['lovasz']), rel=1e-5)


def test_all_weights_of_a_segmenter_are_taken(bundle):
    run = start_segmenter(replace(RECIPE, seed=7), bundle)
    for name, weight in bundle.weights().items():
        np.testing.assert_array_equal(run.model.state_dict()[name].numpy(), weight)
    other = replace(SMALL, point_channels=8)
    with pytest.raises(ConfigError, match='another network'):
        start_segmenter(replace(RECIPE, segmenter=other), bundle)


def test_a_run_keeps_to_its_scans(store, drive, recorded, tmp_path):
    recipe = replace(RECIPE, iterations=1, recorded=str(recorded))
    run = train_segmenter(recipe, store.first(0), tmp_path, recorded=recorded)
    assert train_segmenter(recipe, store.first(0), tmp_path, recorded=recorded).step == run.step
    other = RecordedScans.read(open_recording(drive), 0, 1)
    with pytest.raises(InputError, match='scans 1 to 2 of drive, not on scans 0 to 0'):
        train_segmenter(replace(recipe, recorded=str(other)), store, tmp_path, recorded=other)


def test_a_run_begun_before_there_were_recordings_goes_on(store, tmp_path):
    recipe = replace(RECIPE, iterations=1)
    train_segmenter(recipe, store, tmp_path)
    written = json.loads((tmp_path / 'recipe.json').read_text())
    assert written.pop('recorded') == ''
    (tmp_path / 'recipe.json').write_text(json.dumps(written))
    assert train_segmenter(recipe, store, tmp_path).step == 1


def test_the_command_adapts_tells_on_what_and_is_never_tested_on_it(bundle, drive, tmp_path):
    """The untrained segmenter learns the drive; the scan that it did not see shows it."""
    pytest.importorskip('open3d', reason='Open3D missing')
    command = ['segmenter', '--out', tmp_path / 'run', '--scenes', tmp_path / 'scenes',
               '--num-scenes', 0, '--data', drive, '--first', 1, '--scans', 2, '--initial',
               bundle.path, '--iterations', 40, '--batch-size', 2, '--learning-rate', .01,
               '--threads', 1, '--json']
    answer = CliRunner().invoke(train_app, list(map(str, command)))
    assert answer.exit_code == 0, answer.exception
    assert json.loads(answer.stdout.splitlines()[-1])['equivariance_error'] < 1e-4
    adapted = Bundle.load(tmp_path / 'run/bundle')
    told = adapted.manifest
    assert told.training['recorded'] == [{'name': 'drive', 'scans': [1, 2]}]
    assert told.name == 'panoptic_segmenter_adapted' and told.license != 'Apache-2.0'
    assert 'scans 1 to 2 of drive' in adapted.read('card.md').decode()
    assert 'No real recording' not in adapted.read('card.md').decode()
    unseen = next(open_recording(drive).scans())
    truth = train_ids(unseen.semantic)
    share = [(Segmenter.from_bundle(path).segment(unseen.points).semantic == truth)[truth > 0]
             .mean() for path in (bundle.path, adapted.path)]
    assert share[1] > .8 > share[0]
    test = ['segmenter', '--model', adapted.path, '--data', drive, '--quick', '--scans', 1]
    results = [CliRunner().invoke(eval_app, [*map(str, test), '--first', str(first)])
               for first in (0, 1)]
    assert results[0].exit_code == 0
    assert 'trained on scans 1 to 2 of drive' in str(results[1].exception)
    assert scans_seen(adapted) == told.training['recorded']


def test_a_part_of_no_recording_is_refused(tmp_path):
    answer = CliRunner().invoke(train_app, ['segmenter', '--out', str(tmp_path), '--first', '2'])
    assert answer.exit_code == 2 and '--data' in answer.output
