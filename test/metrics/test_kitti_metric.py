"""KITTI AP R40: hand-made cases, and the figures of mmdet3d's evaluation."""

import dataclasses
import importlib.util
import os
from pathlib import Path
import sys

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.kitti import DIFFICULTIES
from eq_eval.metrics.kitti import evaluate_kitti
from eq_eval.metrics.kitti import ImageDifficulty
from eq_eval.metrics.kitti import recall_thresholds

CLASSES = ('car', 'pedestrian', 'cyclist')
NAMES = ('Car', 'Pedestrian', 'Cyclist')
SIZES = np.array([[4., 1.8, 1.6], [0.9, 0.8, 1.8], [1.8, 0.7, 1.7]])


def row_of_boxes(count: int, label: int = 0) -> Boxes3D:
    return Boxes3D(center=np.arange(count)[:, None] * np.array([[10., 0, 0]]),
                   size=np.tile(SIZES[label], (count, 1)), yaw=np.zeros(count),
                   label=np.full(count, label), score=np.linspace(.9, .5, count))


def test_perfect_and_empty() -> None:
    truth = row_of_boxes(60)
    points = [np.full(60, 200)]
    assert evaluate_kitti([truth], [truth], CLASSES, points).ap_3d['car'] == dict.fromkeys(
        DIFFICULTIES, 1.)
    empty = evaluate_kitti([Boxes3D.empty()], [truth], CLASSES, points)
    assert empty.ap_bev['car'] == dict.fromkeys(DIFFICULTIES, 0.)
    assert empty.ap_bev['cyclist'] == dict.fromkeys(DIFFICULTIES, None)


def test_half_found_is_half() -> None:
    truth = row_of_boxes(40)
    result = evaluate_kitti([truth.select(np.arange(20))], [truth], CLASSES, [np.full(40, 50)])
    assert result.ap_3d['car']['moderate'] == pytest.approx(19 / 40)
    assert result.num_truths['car'] == {'easy': 0, 'moderate': 40, 'hard': 40}
    assert result.as_dict()['ceiling']['car']['moderate'] == pytest.approx(39 / 40)
    assert 'points' in result.difficulty_rule


def test_a_foreign_truth_neither_helps_nor_hurts() -> None:
    """A Van (label outside the classes) found as a car is no false alarm, and missed no miss."""
    truth = row_of_boxes(42)
    van = Boxes3D(center=truth.center, size=truth.size, yaw=truth.yaw,
                  label=np.where(np.arange(42) == 0, 9, 0))
    points = [np.full(42, 200)]
    found = evaluate_kitti([truth], [van], CLASSES, points).ap_3d['car']['easy']
    missed = evaluate_kitti([truth.select(np.arange(1, 42))], [van], CLASSES, points)
    assert found == missed.ap_3d['car']['easy'] == 1.


def test_height_matters_in_3d_only() -> None:
    truth = row_of_boxes(41)
    lifted = Boxes3D(center=truth.center + np.array([0, 0, 1.]), size=truth.size, yaw=truth.yaw,
                     label=truth.label)
    result = evaluate_kitti([lifted], [truth], CLASSES, [np.full(41, 200)])
    assert result.ap_3d['car']['easy'] == 0
    assert result.ap_bev['car']['easy'] == 1


def test_refusals() -> None:
    truth = row_of_boxes(2)
    with pytest.raises(InputError, match='needs either'):
        evaluate_kitti([truth], [truth], CLASSES)
    with pytest.raises(InputError, match='1 scans of predictions, 2 of num_points'):
        evaluate_kitti([truth], [truth], CLASSES, [np.zeros(2), np.zeros(2)])


def test_thresholds_thin_out_to_41() -> None:
    scores = np.random.default_rng(0).uniform(size=1000)
    picked = recall_thresholds(scores, 1000)
    assert len(picked) == 41
    assert (np.diff(picked) < 0).all()


def oracle() -> object:
    """mmdet3d 1.4.0's evaluation without its dependencies; numba simulates CUDA."""
    for name in ('mmdet3d', 'numba', 'torch'):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} missing')
    # Only this folder: the package itself wants mmcv.
    package = importlib.util.find_spec('mmdet3d').submodule_search_locations[0]
    folder = Path(package) / 'evaluation/functional/kitti_utils'
    os.environ['NUMBA_ENABLE_CUDASIM'] = '1'
    spec = importlib.util.spec_from_file_location(
        'kitti_oracle', folder / '__init__.py', submodule_search_locations=[str(folder)])
    module = importlib.util.module_from_spec(spec)
    sys.modules['kitti_oracle'] = module
    spec.loader.exec_module(module)
    return module


def random_scan(rng: np.random.Generator) -> tuple[Boxes3D, Boxes3D, ImageDifficulty]:
    """Truths with some Vans (label 3), and detections with every kind of fault."""
    count = int(rng.integers(3, 9))
    label = rng.integers(0, 4, count)
    center = rng.uniform(-30, 30, (count, 3)) * [1, 1, .02]
    truth = Boxes3D(center=center, size=SIZES[label % 3] * rng.uniform(.9, 1.1, (count, 3)),
                    yaw=rng.uniform(-3, 3, count), label=label)
    pick = np.concatenate([rng.permutation(count)[:-1], rng.integers(0, count, 3)])
    number = len(pick)
    noise = rng.uniform(.02, .25)
    found = Boxes3D(
        center=center[pick] + rng.normal(0, noise, (number, 3)) * [1, 1, .3],
        size=truth.size[pick] * rng.uniform(.95, 1.05, (number, 3)),
        yaw=truth.yaw[pick] + rng.normal(0, .05, number),
        label=np.where(rng.random(number) < .9, label[pick] % 3, rng.integers(0, 3, number)),
        score=rng.uniform(.05, 1, number))
    view = ImageDifficulty(
        height=rng.uniform(15, 120, count), occlusion=rng.integers(0, 4, count),
        truncation=rng.uniform(0, .6, count) * (rng.random(count) < .4),
        prediction_height=rng.uniform(15, 120, number))
    return found, truth, view


def annotation(boxes: Boxes3D, height: np.ndarray, occlusion: np.ndarray,
               truncation: np.ndarray) -> dict[str, np.ndarray]:
    """The same boxes in KITTI's camera frame: x right, y down, z forward, bottom centre."""
    count = len(boxes)
    bottom = boxes.center[:, 2] - boxes.size[:, 2] / 2
    image = np.zeros((count, 4))
    image[:, 2], image[:, 3] = 50., height
    return {
        'name': np.array([(*NAMES, 'Van')[label] for label in boxes.label]),
        'location': np.stack([-boxes.center[:, 1], -bottom, boxes.center[:, 0]], 1),
        'dimensions': boxes.size[:, [0, 2, 1]], 'rotation_y': -boxes.yaw - np.pi / 2,
        'bbox': image, 'alpha': np.zeros(count), 'occluded': occlusion, 'truncated': truncation,
        'score': boxes.score}


def test_equals_mmdet3d() -> None:
    """Official difficulty; Vans are neutral for cars. The kernel is float32, hence 1e-4."""
    kitti = oracle()
    rng = np.random.default_rng(12)
    scans = [random_scan(rng) for _ in range(12)]
    theirs_truth = [annotation(truth, view.height, view.occlusion, view.truncation)
                    for _, truth, view in scans]
    theirs_found = [annotation(found, view.prediction_height, np.zeros(len(found)),
                               np.zeros(len(found))) for found, _, view in scans]
    _, figures = kitti.kitti_eval(theirs_truth, theirs_found, list(NAMES),
                                  eval_types=['bbox', 'bev', '3d', 'aos'])
    found, views = [scan[0] for scan in scans], [scan[2] for scan in scans]
    vans_neutral = [scan[1] for scan in scans]
    vans_foreign = [dataclasses.replace(truth, label=truth.label % 3) for truth in vans_neutral]
    compared = 0
    for name, official in zip(CLASSES, NAMES, strict=True):
        # Officially Vans are neutral for cars and foreign to the others.
        truths = vans_neutral if name == 'car' else vans_foreign
        ours = evaluate_kitti(found, truths, CLASSES, image=views)
        for level in DIFFICULTIES:
            for table, view in ((ours.ap_3d, '3D'), (ours.ap_bev, 'BEV')):
                if ours.num_truths[name][level] == 0:
                    assert table[name][level] is None
                    continue
                expected = figures[f'KITTI/{official}_{view}_AP40_{level}_strict'] / 100
                assert table[name][level] == pytest.approx(expected, abs=1e-4), (name, level, view)
                compared += expected > 0
    assert compared >= 12
