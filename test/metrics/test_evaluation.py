"""Evaluation of a detector: perfect, noisy, and one that forgets to turn with the world."""

import dataclasses

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.evaluation import evaluate_detector
from eq_eval.evaluation import Protocols
from eq_eval.held_out import held_out_worlds
from eq_eval.rotation import turned
from eq_eval.rotation import yaw_pose

ANGLES = (0., 90., 180., 270., 30., 200.)


@pytest.fixture
def scans(make_scene) -> list[LabeledScan]:
    result = []
    for seed in range(6):
        boxes, points = make_scene(seed)
        result.append(LabeledScan(points, np.eye(4), boxes, num_points=np.full(len(boxes), 40)))
    return result


def test_quarter_turns_are_exact() -> None:
    for degrees in (-270, -90, 0, 90, 180, 270, 360, 450):
        assert set(np.unique(yaw_pose(degrees))) <= {-1., 0., 1.}
    np.testing.assert_array_equal(yaw_pose(90) @ yaw_pose(37.5), yaw_pose(127.5))
    np.testing.assert_allclose(yaw_pose(30) @ yaw_pose(-30), np.eye(4), atol=1e-15)
    assert yaw_pose(30)[1, 0] == pytest.approx(.5)


def test_turning_back_gives_the_same_scan(scans) -> None:
    scan = dataclasses.replace(scans[0], field_of_view=(-.5, .7), pose=yaw_pose(10))
    back = turned(turned(scan, 90.), 270.)
    np.testing.assert_array_equal(back.points.xyz, scan.points.xyz)
    np.testing.assert_allclose(back.boxes.center, scan.boxes.center, atol=1e-12)
    np.testing.assert_allclose(back.pose, scan.pose, atol=1e-12)
    # What is fixed in the world stays there: odom <- sensor moves against the sensor.
    once = turned(scan, 35.)
    np.testing.assert_allclose(
        once.points.transformed(once.pose).xyz, scan.points.transformed(scan.pose).xyz, atol=1e-4)
    assert once.field_of_view == pytest.approx((-.5 + np.radians(35), .7 + np.radians(35)))


def test_perfect_detector(scans, knowing_detector) -> None:
    result = evaluate_detector(knowing_detector(), scans, Protocols(rotations=ANGLES))
    assert result['mAP'] == pytest.approx(1)
    assert result['mAP_car_truck'] == pytest.approx(1)
    assert result['NDS'] == pytest.approx(1)
    assert result['rotation_spread_90'] == 0
    assert result['rotation_spread_any'] == pytest.approx(0, abs=1e-6)
    assert set(result['rotation_curve']) == {'0', '30', '90', '180', '200', '270'}
    assert result['num_scans'] == 6
    assert result['num_truths'] == dict.fromkeys(('car', 'truck', 'pedestrian', 'cyclist'), 18)
    for rows in result['recall_by_range'].values():
        assert all(row['recall'] in (1., None) for row in rows.values())
    for rows in result['AP_by_range'].values():
        assert sum(row['num_truths'] for row in rows.values()) == 18


def test_worse_detector_scores_less(scans, knowing_detector) -> None:
    perfect = evaluate_detector(knowing_detector(), scans)
    noisy = evaluate_detector(knowing_detector(noise=.6), scans)
    deaf = evaluate_detector(knowing_detector(noise=.6, miss=.5), scans)
    assert perfect['mAP'] > noisy['mAP'] > deaf['mAP'] > 0
    assert perfect['errors']['translation'] < noisy['errors']['translation']
    assert 'rotation_spread_90' not in perfect


def test_spread_shows_a_detector_with_a_favourite_direction(scans, knowing_detector) -> None:
    # A detector that errs sideways of its own axes is found out by turning the world.
    one_sided = [dataclasses.replace(
        scan, boxes=scan.boxes.select(near), num_points=scan.num_points[near],
        points=_only(scan.points, near))
        for scan in scans
        for near in [np.abs(np.sin(np.arctan2(*scan.boxes.center.T[1::-1]))) < .5]]
    result = evaluate_detector(knowing_detector(fixed_frame=True), one_sided,
                               Protocols(rotations=(0., 90., 180., 270.)))
    assert result['rotation_spread_90'] > .2
    assert result['rotation_spread_90'] == result['rotation_spread_any']


def _only(points: Points, near: np.ndarray) -> Points:
    marks = np.ones(len(points), bool)
    marks[:2 * len(near)] = np.repeat(near, 2)
    return points.select(marks)


def test_curve_may_use_fewer_scans(scans, knowing_detector) -> None:
    detector = knowing_detector()
    result = evaluate_detector(detector, scans, Protocols(rotations=ANGLES, curve_scans=2))
    assert detector.calls == 6 + 2 * 5
    assert result['num_scans'] == 6 and result['rotation_num_scans'] == 2


def test_sweeps_hand_over_the_past_of_the_same_sequence(scans) -> None:
    seen = []

    class Listener:
        class_names = ('car', 'truck', 'pedestrian', 'cyclist')

        def detect(self, points, *past, poses=None):
            seen.append(([points.stamp, *(one.stamp for one in past)],
                         None if poses is None else len(poses)))
            return Boxes3D.empty()

    named = [dataclasses.replace(scan, sequence='ab'[place // 3], points=dataclasses.replace(
        scan.points, stamp=place)) for place, scan in enumerate(scans)]
    evaluate_detector(Listener(), named, Protocols(sweeps=2))
    assert seen == [([0], None), ([1, 0], 2), ([2, 1], 2), ([3], None), ([4, 3], 2), ([5, 4], 2)]
    seen.clear()
    evaluate_detector(Listener(), named, Protocols(sweeps=3, every=3))
    assert seen == [([2, 1, 0], 3), ([5, 4, 3], 3)]


def test_incomplete_labels_give_recall_only(scans, knowing_detector) -> None:
    result = evaluate_detector(knowing_detector(), scans, Protocols(complete=False))
    assert 'mAP' not in result
    assert result['recall_by_range']['car']['0-20 m']['recall'] == 1


def test_without_labels_there_is_nothing_to_score(scans, knowing_detector) -> None:
    bare = [dataclasses.replace(scan, boxes=None) for scan in scans]
    with pytest.raises(InputError, match='no scan has boxes'):
        evaluate_detector(knowing_detector(), bare)


def test_held_out_worlds_are_reproducible_and_of_the_test_split() -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    scans = list(held_out_worlds(2).scans())
    again = next(held_out_worlds(2).scans())
    assert len(scans) == 2
    np.testing.assert_array_equal(scans[0].points.xyz, again.points.xyz)
    assert all(scan.sequence.startswith('test_') for scan in scans)
    assert scans[0].boxes is not None and scans[0].num_points is not None
