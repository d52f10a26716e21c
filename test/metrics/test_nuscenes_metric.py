"""nuScenes metrics: hand-made cases, laws, and the figures of nuscenes-devkit."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.nuscenes import CLASS_RANGE
from eq_eval.metrics.nuscenes import DISTANCES
from eq_eval.metrics.nuscenes import evaluate_nuscenes

CLASSES = ('car', 'truck', 'pedestrian', 'cyclist')


def random_case(seed: int) -> tuple[list[Boxes3D], list[Boxes3D], list[np.ndarray]]:
    """Truths, and detections that are noisy copies, misses, duplicates and false alarms."""
    rng = np.random.default_rng(seed)
    predictions, truths, counts = [], [], []
    for _ in range(int(rng.integers(1, 7))):
        count = int(rng.integers(0, 25))
        truth = Boxes3D(center=rng.uniform(-45, 45, (count, 3)),
                        size=rng.uniform(.5, 5, (count, 3)), yaw=rng.uniform(-4, 4, count),
                        label=rng.integers(0, 4, count),
                        velocity=rng.normal(0, 3, (count, 2)))
        copies = truth.select(rng.integers(0, max(count, 1), count and int(rng.integers(0, 40))))
        number, noise = len(copies), rng.uniform(0, 1.5)
        alarms = int(rng.integers(0, 10))
        score = rng.uniform(0.01, 1, number + alarms)
        if rng.random() < 0.5:  # equal scores happen
            score = np.ceil(score * 10) / 10
        predictions.append(Boxes3D(
            center=np.concatenate([copies.center + rng.normal(0, noise, (number, 3)),
                                   rng.uniform(-55, 55, (alarms, 3))]),
            size=np.concatenate([copies.size * rng.uniform(.7, 1.4, (number, 3)),
                                 rng.uniform(.5, 5, (alarms, 3))]),
            yaw=np.concatenate([copies.yaw + rng.normal(0, 1, number),
                                rng.uniform(-4, 4, alarms)]),
            label=np.concatenate([copies.label, rng.integers(0, 4, alarms)]),
            velocity=np.concatenate([copies.velocity + rng.normal(0, 1, (number, 2)),
                                     rng.normal(0, 3, (alarms, 2))]), score=score))
        truths.append(truth)
        counts.append(rng.integers(0, 5, count))
    return predictions, truths, counts


def perfect(truths: list[Boxes3D]) -> list[Boxes3D]:
    return [Boxes3D(center=t.center, size=t.size, yaw=t.yaw, label=t.label, velocity=t.velocity,
                    score=np.full(len(t), .9)) for t in truths]


def test_perfect_detector_scores_one() -> None:
    _, truths, _ = random_case(3)
    result = evaluate_nuscenes(perfect(truths), truths, CLASSES)
    assert result.mean_ap == pytest.approx(1)
    assert result.nds == pytest.approx(1)
    assert all(error == pytest.approx(0, abs=1e-6) for error in result.errors.values())


def test_nothing_found_scores_zero() -> None:
    _, truths, _ = random_case(3)
    result = evaluate_nuscenes([Boxes3D.empty()] * len(truths), truths, CLASSES)
    assert result.mean_ap == 0 and result.nds == 0
    assert set(result.errors.values()) == {1.}


def test_half_found_and_class_without_truth_left_out() -> None:
    truth = Boxes3D(center=[[10, 0, 0], [-10, 0, 0]], size=np.ones((2, 3)), yaw=[0, 0],
                    label=[0, 0])
    result = evaluate_nuscenes([truth.select(np.array([0]))], [truth], CLASSES)
    # Precision 1 at the recalls .11 to .50 of .11 to 1.
    assert result.ap == {'car': dict.fromkeys(DISTANCES, pytest.approx(40 / 90))}
    assert result.class_ap('truck') is None
    assert result.mean_over(('car', 'truck')) == pytest.approx(40 / 90)


def test_truths_without_points_and_out_of_range_do_not_count() -> None:
    truth = Boxes3D(center=[[10, 0, 0], [20, 0, 0], [51, 0, 0]], size=np.ones((3, 3)),
                    yaw=np.zeros(3), label=np.zeros(3))
    result = evaluate_nuscenes([truth.select(np.array([0]))], [truth], CLASSES,
                               num_points=[np.array([1, 0, 9])])
    assert result.num_truths['car'] == 1
    assert result.mean_ap == pytest.approx(1)


def test_turned_world_scores_the_same() -> None:
    predictions, truths, counts = random_case(8)
    turn = np.eye(4)
    turn[:2, :2] = [[0, -1], [1, 0]]
    turned = evaluate_nuscenes([p.transformed(turn) for p in predictions],
                               [t.transformed(turn) for t in truths], CLASSES, num_points=counts)
    plain = evaluate_nuscenes(predictions, truths, CLASSES, num_points=counts)
    assert turned.mean_ap == plain.mean_ap
    assert turned.nds == pytest.approx(plain.nds, abs=1e-12)


def test_lists_that_do_not_belong_together() -> None:
    boxes = Boxes3D(center=[[0, 0, 0]], size=[[1, 1, 1]], yaw=[0], label=[0])
    with pytest.raises(InputError, match='1 scans of predictions, 2 of truths'):
        evaluate_nuscenes([boxes], [boxes, boxes], CLASSES)
    with pytest.raises(InputError, match='1 truths, 2 point counts'):
        evaluate_nuscenes([boxes], [boxes], CLASSES, num_points=[np.array([1, 2])])
    with pytest.raises(InputError, match='no evaluation range'):
        evaluate_nuscenes([boxes], [boxes], ('tram',))


def devkit_boxes(scans: list[Boxes3D], counts: list[np.ndarray] | None):
    """The same boxes as the devkit's, filtered by range and points as its loader does."""
    from nuscenes.eval.common.data_classes import EvalBoxes
    from nuscenes.eval.detection.data_classes import DetectionBox
    names = ('car', 'truck', 'pedestrian', 'bicycle')
    result = EvalBoxes()
    for index, boxes in enumerate(scans):
        rows = []
        for i in range(len(boxes)):
            near = np.linalg.norm(boxes.center[i, :2]) < CLASS_RANGE[CLASSES[boxes.label[i]]]
            if not near or (counts is not None and counts[index][i] == 0):
                continue
            half = boxes.yaw[i] / 2
            rows.append(DetectionBox(
                sample_token=str(index), translation=tuple(boxes.center[i]),
                size=tuple(boxes.size[i][[1, 0, 2]]), rotation=(np.cos(half), 0, 0, np.sin(half)),
                velocity=tuple(boxes.velocity[i]), detection_name=names[boxes.label[i]],
                detection_score=-1. if counts is not None else float(boxes.score[i])))
        result.add_boxes(str(index), rows)
    return result


@pytest.mark.parametrize('seed', range(30))
def test_equals_nuscenes_devkit(seed: int) -> None:
    algo = pytest.importorskip('nuscenes.eval.detection.algo', reason='nuscenes-devkit missing')
    from nuscenes.eval.common.utils import center_distance
    predictions, truths, counts = random_case(seed)
    result = evaluate_nuscenes(predictions, truths, CLASSES, num_points=counts)
    ours, theirs = devkit_boxes(predictions, None), devkit_boxes(truths, counts)
    errors = {'translation': 'trans_err', 'scale': 'scale_err', 'orientation': 'orient_err',
              'velocity': 'vel_err'}
    for name, official in zip(CLASSES, ('car', 'truck', 'pedestrian', 'bicycle'), strict=True):
        if result.num_truths[name] == 0:
            assert name not in result.ap
            continue
        for limit in DISTANCES:
            data = algo.accumulate(theirs, ours, official, center_distance, limit)
            assert result.ap[name][limit] == pytest.approx(
                algo.calc_ap(data, .1, .1), abs=1e-12), (name, limit)
            if limit == 2:
                for key, metric in errors.items():
                    assert result.class_errors[name][key] == pytest.approx(
                        algo.calc_tp(data, .1, metric), abs=1e-9), (name, key)


def test_nds_equals_devkit_formula() -> None:
    classes = pytest.importorskip('nuscenes.eval.detection.data_classes',
                                  reason='nuscenes-devkit missing')
    from nuscenes.eval.common.config import config_factory
    predictions, truths, counts = random_case(11)
    result = evaluate_nuscenes(predictions, truths, CLASSES, num_points=counts)
    metrics = classes.DetectionMetrics(config_factory('detection_cvpr_2019'))
    for name in metrics.cfg.class_names:  # each of the official ten gets our means
        for limit in DISTANCES:
            metrics.add_label_ap(name, limit, result.mean_ap)
        for key, metric in (('translation', 'trans_err'), ('scale', 'scale_err'),
                            ('orientation', 'orient_err'), ('velocity', 'vel_err')):
            metrics.add_label_tp(name, metric, result.errors[key])
        metrics.add_label_tp(name, 'attr_err', 1.)
    assert result.nds_attribute_absent == pytest.approx(metrics.nd_score, abs=1e-12)
