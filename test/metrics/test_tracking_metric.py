"""HOTA and AMOTA: hand-made tracks, the symmetry law, and the packages' own loaders."""

import dataclasses
import math
import sys

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.rotated_iou import iou_3d
from eq_eval.metrics.tracking import center_similarity
from eq_eval.metrics.tracking import evaluate_amota
from eq_eval.metrics.tracking import evaluate_clear
from eq_eval.metrics.tracking import evaluate_hota
from eq_eval.metrics.tracking import TrackedScan

CLASSES = ('car', 'pedestrian')


@pytest.fixture
def trackeval() -> None:
    pytest.importorskip('trackeval', reason='trackeval missing')


@pytest.fixture
def devkit() -> None:
    pytest.importorskip('motmetrics', reason='motmetrics missing')
    pytest.importorskip('nuscenes.eval.tracking.evaluate', reason='nuscenes-devkit missing')


def boxes(center, track, label=0, score=.9, yaw=0.) -> Boxes3D:
    count = len(center)
    return Boxes3D(np.asarray(center, float).reshape(-1, 3), np.tile([4., 2., 1.6], (count, 1)),
                   np.full(count, yaw), np.broadcast_to(label, count), track_id=np.asarray(track),
                   score=np.broadcast_to(score, count))


def one_car(ids, offset: float = 0.) -> list[TrackedScan]:
    """A car at 5 m/s; the tracker is `offset` beside it and gives these ids."""
    return [TrackedScan(boxes([[.5 * k, 10 + offset, 0]], [track]), boxes([[.5 * k, 10, 0]], [7]),
                        np.eye(4), k * 100_000_000) for k, track in enumerate(ids)]


def pose(angle: float, x: float, y: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 3] = x, y
    return matrix


def random_sequence(seed: int, num_scans: int = 20, count: int = 6) -> list[TrackedScan]:
    """A moving sensor; tracks with noise, misses, changes of id and false alarms."""
    rng = np.random.default_rng(seed)
    place, velocity = rng.uniform(-35, 35, (count, 2)), rng.normal(0, 6, (count, 2))
    label, ids, scans = np.arange(count) % 2, np.arange(count) + 50, []
    level, fresh = rng.uniform(.3, .9, 1000), 200
    for k in range(num_scans):
        sensor = pose(.02 * k, .8 * k, 0)
        center = np.column_stack([place + .1 * k * velocity, np.zeros(count)])
        for index in np.flatnonzero(rng.random(count) < .04):
            ids[index], fresh = fresh, fresh + 1
        found = rng.random(count) > .1
        said = np.concatenate([center + rng.normal(0, .5, center.shape),
                               rng.uniform(-30, 30, (1, 3))])
        prediction = boxes(said, [*ids, fresh], [*label, k % 2], level[[*ids, fresh]], .3)
        fresh += 1
        truth = boxes(center, np.arange(count), label)
        seen = rng.random(count) > .1  # gaps in the truth, which nuScenes fills
        inverse = np.linalg.inv(sensor)
        scans.append(TrackedScan(
            prediction.select(np.append(found, k % 3 == 0)).transformed(inverse),
            truth.select(seen).transformed(inverse), sensor, k * 100_000_000))
    return scans


def test_the_truth_scores_one(trackeval, devkit) -> None:
    exact = {'a': one_car([3] * 10), 'b': one_car([9] * 6)}
    for similarity in (center_similarity, iou_3d):
        hota = evaluate_hota(exact, CLASSES, similarity=similarity)
        assert (hota.HOTA, hota.DetA, hota.AssA, hota.LocA) == (1., 1., 1., 1.)
    amota = evaluate_amota(exact, CLASSES)
    assert (amota.AMOTA, amota.AMOTP) == (1., 0.)
    assert list(amota.class_figures) == list(hota.class_figures) == ['car']  # no pedestrian there


def test_silence_scores_zero(trackeval, devkit) -> None:
    silent = {'a': [dataclasses.replace(scan, prediction=Boxes3D.empty())
                    for scan in one_car([3] * 10)]}
    assert evaluate_hota(silent, CLASSES).HOTA == 0.
    amota = evaluate_amota(silent, CLASSES)
    assert (amota.AMOTA, amota.AMOTP) == (0., 2.)


def test_a_change_of_id_halfway(trackeval, devkit) -> None:
    """Each match shares 5 of 10 scans with its track: AssA 1/2; one switch in 10 objects."""
    swapped = {'a': one_car([3] * 5 + [4] * 5)}
    hota = evaluate_hota(swapped, CLASSES)
    assert (hota.DetA, hota.AssA) == (1., .5)
    assert hota.HOTA == pytest.approx(math.sqrt(.5))
    car = evaluate_amota(swapped, CLASSES).class_figures['car']
    assert (car['ids'], car['mota']) == (1, pytest.approx(.9))


def test_switches_and_gaps_are_counted(trackeval) -> None:
    """Ten objects; one is missed beside a false alarm, the next has another name."""
    scans = one_car([3] * 5 + [4] * 5)
    scans[5] = dataclasses.replace(scans[5], prediction=boxes([[0., 20, 0]], [9]))
    clear = evaluate_clear({'a': scans}, CLASSES)
    assert (clear.IDSW, clear.Frag) == (1, 1) and list(clear.class_figures) == ['car']
    assert clear.MOTA == pytest.approx(1 - (1 + 1 + 1) / 10)
    exact = evaluate_clear({'a': one_car([3] * 5)}, CLASSES)
    assert (exact.MOTA, exact.IDSW, exact.Frag) == (1., 0, 0)


def test_a_track_that_leaves_its_object_is_no_match(trackeval) -> None:
    """Beyond 2 m even the track of the scan before is a false alarm."""
    near, far = one_car([3] * 4, offset=1.9), one_car([3] * 4, offset=2.1)
    assert evaluate_clear({'a': near}, CLASSES).MOTA == 1.
    assert evaluate_clear({'a': [*near[:2], *far[2:]]}, CLASSES).MOTA == 0.
    assert evaluate_clear({'a': far[:0]}, CLASSES).MOTA is None


def test_an_offset_lowers_hota_step_by_step(trackeval) -> None:
    """0.55 m of 2 m are a similarity of 0.725: 14 of the thresholds 0.05, 0.10 .. 0.95."""
    hota = evaluate_hota({'a': one_car([3] * 5, offset=.55)}, CLASSES)
    assert hota.HOTA == pytest.approx(14 / 19)
    assert hota.LocA < 1


def test_ids_hold_within_a_sequence(trackeval) -> None:
    split = one_car([3] * 5 + [4] * 5)
    apart = evaluate_hota({'a': split[:5], 'b': split[5:]}, CLASSES)
    assert apart.HOTA == 1.


def test_boxes_out_of_range_and_of_foreign_classes_do_not_count(trackeval) -> None:
    plain = one_car([3] * 5)
    far = [[60., 0, 0], [5., 5, 0]]
    crowded = [dataclasses.replace(
        scan, prediction=boxes([*scan.prediction.center, *far], [3, 4, 5], [0, 0, 9]),
        truth=boxes([*scan.truth.center, *far], [7, 8, 9], [0, 0, 9])) for scan in plain]
    missing = [dataclasses.replace(scan, prediction=scan.prediction.select(slice(0, 1)))
               for scan in crowded]
    assert evaluate_hota({'a': missing}, CLASSES) == evaluate_hota({'a': plain}, CLASSES)


def test_turned_world_and_turned_sensor_score_the_same(trackeval, devkit) -> None:
    scans = random_sequence(3)
    turn = pose(2.1, 0, 0)
    world = [dataclasses.replace(scan, pose=turn @ scan.pose) for scan in scans]
    sensor = [dataclasses.replace(
        scan, pose=scan.pose @ turn.T, prediction=scan.prediction.transformed(turn),
        truth=scan.truth.transformed(turn)) for scan in scans]
    for evaluate in (evaluate_hota, evaluate_amota):
        plain, *turned = (evaluate({'a': case}, CLASSES).class_figures
                          for case in (scans, world, sensor))
        for other in turned:
            for name in CLASSES:
                assert other[name] == pytest.approx(plain[name], abs=1e-9)
    assert 0 < plain['car']['amota'] < 1


def test_similarity_is_that_of_trackeval(trackeval, capsys) -> None:
    from trackeval.datasets._base_dataset import _BaseDataset
    rng = np.random.default_rng(0)
    first, second = (boxes(rng.uniform(-2, 2, (n, 3)) * [1, 1, 0], range(n)) for n in (6, 9))
    official = _BaseDataset._calculate_euclidean_similarity(first.center, second.center)
    assert np.allclose(center_similarity(first, second), official, atol=1e-12)
    assert 0 < (official > 0).sum() < official.size


class FakeDataset:
    """As much of a NuScenes object as the devkit's loader asks for."""

    def __init__(self, sequences: dict[str, list[TrackedScan]]) -> None:
        self.tables = {'sample': {}, 'scene': {}}
        for name, scans in sequences.items():
            tokens = [f'{name}/{index}' for index in range(len(scans))]
            self.tables['scene'][name] = {'name': name, 'first_sample_token': tokens[0],
                                          'last_sample_token': tokens[-1]}
            for token, following, scan in zip(tokens, [*tokens[1:], ''], scans, strict=True):
                self.tables['sample'][token] = {'scene_token': name, 'timestamp': scan.stamp,
                                                'next': following}

    def get(self, table: str, token: str) -> dict:
        return self.tables[table][token]


@pytest.mark.parametrize('seed', [0, 1])
def test_amota_equals_that_of_the_devkits_own_loader(seed: int, devkit) -> None:
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.common.data_classes import EvalBoxes
    from nuscenes.eval.tracking.algo import TrackingEvaluation
    from nuscenes.eval.tracking.data_classes import TrackingBox
    from nuscenes.eval.tracking.loaders import create_tracks
    # Scenes of a split that the devkit knows.
    sequences = {name: random_sequence(10 * seed + index, 12, 4)
                 for index, name in enumerate(('scene-0103', 'scene-0916'))}
    config = config_factory('tracking_nips_2019')
    tracks = {}
    for truth in (True, False):
        loaded = EvalBoxes()
        for name, scans in sequences.items():
            for index, scan in enumerate(scans):
                placed = (scan.truth if truth else scan.prediction).transformed(scan.pose)
                near = np.linalg.norm(placed.center[:, :2] - scan.pose[:2, 3], axis=1)
                placed = placed.select(near < np.where(placed.label == 0, 50, 40))
                loaded.add_boxes(f'{name}/{index}', [TrackingBox(
                    f'{name}/{index}', tuple(center), (4., 2., 1.6), (1., 0., 0., 0.),
                    tracking_id=f'id{track}', tracking_name=CLASSES[label],
                    tracking_score=float(score)) for center, track, label, score in zip(
                        placed.center, placed.track_id, placed.label, placed.score, strict=True)])
        tracks[truth] = create_tracks(loaded, FakeDataset(sequences), 'mini_val', truth)
    result = evaluate_amota(sequences, CLASSES)
    for name in CLASSES:
        data = TrackingEvaluation(
            tracks[True], tracks[False], name, config.dist_fcn_callable, config.dist_th_tp,
            config.min_recall, config.num_thresholds, config.metric_worst, False).accumulate()
        row = result.class_figures[name]
        assert row['amota'] == pytest.approx(np.nan_to_num(data.motar, nan=0.).mean(), abs=1e-12)
        assert row['amotp'] == pytest.approx(np.nan_to_num(data.motp, nan=2.).mean(), abs=1e-12)
        assert row['mota'] == pytest.approx(np.nanmax(data.mota), abs=1e-12)
    assert result.AMOTA == pytest.approx(np.mean([row['amota'] for row in
                                                  result.class_figures.values()]))
    assert 0 < result.AMOTA < 1


def test_a_missing_package_is_told_with_its_remedy(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'trackeval.metrics.hota', None)
    with pytest.raises(InputError, match=r'HOTA needs trackeval.*pip install.*oracle\.in'):
        evaluate_hota({'a': one_car([1])}, CLASSES)
    monkeypatch.setitem(sys.modules, 'nuscenes.eval.tracking.evaluate', None)
    with pytest.raises(InputError, match=r'AMOTA needs nuscenes-devkit.*pip install'):
        evaluate_amota({'a': one_car([1])}, CLASSES)


@pytest.mark.parametrize('ids', [[-1, 2], [2, 2]])
def test_boxes_without_an_identity_of_their_own(trackeval, ids) -> None:
    scan = one_car([1])[0]
    bad = dataclasses.replace(scan, prediction=boxes([[1, 1, 0], [2, 2, 0]], ids))
    with pytest.raises(InputError, match='a, prediction 0: every box needs an identity'):
        evaluate_hota({'a': [bad]}, CLASSES)
    with pytest.raises(InputError, match='ascend'):
        evaluate_hota({'a': [scan, scan]}, CLASSES)
    with pytest.raises(InputError, match='no evaluation range'):
        evaluate_hota({'a': [scan]}, ('tram',))
