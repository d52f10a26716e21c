"""`eq eval segmenter` on recordings: what their labels allow, and never what was trained on."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.cli.eval import app
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
import eq_eval.results
from eq_eval.training.export import export_segmenter
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.model import BevSegmenter

COUNT = 5
CONFIG = SegmenterConfig(
    DetectorConfig(point_cloud_range=12.8, max_pillars=2048, points_per_pillar=4,
                   channels=(2, 3, 3, 4, 3), depth=(1, 1, 1)),
    pillar_channels=3, column_channels=9, point_channels=6, max_points=4096)
SEEN = [{'name': 'drive', 'scans': [1, 2]}]


def scans():
    """A road with two still cars on it."""
    random = np.random.default_rng(0)
    road = np.column_stack([random.uniform(-12, 12, (2000, 2)), random.normal(-1.7, .02, 2000)])
    cars = [random.uniform(-1, 1, (200, 3)) * [2, 1, .7] + place
            for place in ([6., 3, -1], [-5., -4, -1])]
    xyz = np.concatenate([road, *cars])
    for index in range(COUNT):
        yield LabeledScan(
            Points.from_xyz(xyz, np.full(len(xyz), .5), 'lidar', index * 100_000_000), np.eye(4),
            semantic=np.repeat([40, 10], [2000, 400]).astype(np.uint16),
            instance=np.repeat([0, 1, 2], [2000, 200, 200]).astype(np.uint32), sequence='drive',
            index=index)


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    path = tmp_path_factory.mktemp('recordings') / 'drive'
    write_semantic_kitti(scans(), path)
    return path


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Random weights, said to be adapted on scans 1 and 2 of the drive."""
    torch.manual_seed(0)
    model = BevSegmenter(CONFIG).eval()
    torch.nn.init.normal_(model.classifier.classify.weight, 0, 3)   # of many classes
    return export_segmenter(model, tmp_path_factory.mktemp('models') / 'any',
                            next(scans()).points, 'random', {'recorded': SEEN}, '').path


@pytest.fixture
def run(bundle, monkeypatch, tmp_path):
    stored = eq_eval.results.store
    monkeypatch.setattr(eq_eval.results, 'store', lambda *arguments: stored(
        *arguments, folder=tmp_path / 'results'))
    return lambda *arguments: CliRunner().invoke(
        app, ['segmenter', '--model', str(bundle), '--threads', '1', '--json',
              *map(str, arguments)])


def result_of(answer):
    assert answer.exit_code == 0, answer.exception
    return json.loads(answer.stdout.splitlines()[-1])


def test_a_part_of_a_recording_is_judged_and_stored_under_its_name(run, drive, tmp_path):
    result = result_of(run('--data', drive, '--first', 3))
    assert (result['data'], result['first_scan'], result['scans']) == ('drive', 3, 2)
    assert result['num_scans'] == result['panoptic_scans'] == 2
    assert result['classes'] == ['car', 'road'] and 'tracking' not in result
    stored = json.loads((tmp_path / 'results/eval_segmenter_drive_from_3.json').read_text())
    assert stored['result']['mIoU'] == result['mIoU']


def test_quick_is_not_stored(run, drive, tmp_path):
    assert result_of(run('--data', drive, '--scans', 1, '--quick'))['scans'] == 1
    assert not (tmp_path / 'results').exists()


@pytest.mark.parametrize(('first', 'count', 'allowed'), [
    (0, 1, True), (0, 2, False), (2, 1, False), (2, 3, False), (3, 1, True)])
def test_scans_that_a_model_was_adapted_on_are_refused(run, drive, first, count, allowed):
    answer = run('--data', drive, '--first', first, '--scans', count, '--quick')
    assert (answer.exit_code == 0) == allowed
    if not allowed:
        assert isinstance(answer.exception, InputError)
        assert 'trained on scans 1 to 2 of drive' in str(answer.exception)


def test_no_scan_is_an_error(run, drive):
    answer = run('--data', drive, '--first', COUNT, '--quick')
    assert isinstance(answer.exception, InputError) and 'no scan' in str(answer.exception)
    assert '--data' in run('--first', 1).output


def test_partly_labelled_scans_count_for_classes_only(run, shared_data):
    """Scans 0 to 2 have objects, the others classes of some points."""
    result = result_of(run('--data', shared_data / 'semantickitti_00', '--first', 2, '--scans', 2,
                           '--quick'))
    assert (result['num_scans'], result['panoptic_scans']) == (2, 1)
    assert {'car', 'road', 'building'} <= set(result['classes']) and result['num_objects'] > 0
    assert result['LSTQ'] is not None and result['S_cls'] != result['mIoU']


def test_a_frame_with_classes_alone(run, shared_data):
    result = result_of(run('--data', shared_data / 'rellis_frame', '--quick'))
    assert (result['scans'], result['panoptic_scans']) == (1, 0) and 'streaming' not in result
    assert set(result['classes']) == {'person', 'fence', 'vegetation', 'terrain'}
    assert result['LSTQ'] is result['PQ'] is result['S_assoc'] is None


def test_a_drive_with_boxes_alone(run, shared_data):
    pytest.importorskip('trackeval', reason='trackeval missing')
    result = result_of(run('--data', shared_data / 'kitti_tracking_0000', '--scans', 3, '--quick'))
    assert 'mIoU' not in result and result['tracking']['num_scans'] == 3
    assert {'HOTA', 'DetA', 'AssA', 'IDSW'} <= set(result['tracking'])
    assert set(result['tracking']['class_figures']) == {'car', 'cyclist'}
