"""The evaluation gives full marks to the truth, and takes them away for what is wrong."""

from dataclasses import replace
import time

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.panoptic_evaluation import evaluate_segmenter
from eq_eval.panoptic_evaluation import SegmenterProtocols
from eq_eval.panoptic_evaluation import turn_agreement
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.classes import train_ids
from eq_perception.panoptic.segmenter import PanopticScan

CAR, ROAD = 1, 9


def sequence(name='a', count=6):
    """Two cars of 80 points that drive along a road of 400, seen by a moving sensor."""
    rng = np.random.default_rng(4)
    road = np.column_stack([rng.uniform(-20, 20, (400, 2)), np.full(400, -1.7)])
    body = rng.uniform(-.5, .5, (2, 80, 3)) * [4, 2, 1.5]
    scans = []
    for index in range(count):
        pose = np.eye(4)
        pose[:2, 3] = .3 * index, .1 * index
        cars = body + np.array([[5 + .5 * index, 4, -1], [-6, -5 + .2 * index, -1]])[:, None]
        world = np.concatenate([road, cars.reshape(-1, 3)])
        xyz = world - pose[:3, 3]
        truth = np.repeat([ROAD, CAR, CAR], [400, 80, 80])
        scans.append(LabeledScan(
            Points.from_xyz(xyz, stamp=index * 10**8), pose, semantic=RAW_OF_TRAIN[truth],
            instance=np.repeat([0, 7, 9], [400, 80, 80]).astype(np.uint32), sequence=name,
            index=index))
    return scans


class Oracle:
    """Knows the truth; may swap objects or take its time."""

    def __init__(self, scans, seconds=0., swap_at=None, by_side=False):
        self._truth = {(scan.sequence, scan.points.stamp): scan for scan in scans}
        self._seconds, self._swap_at, self._by_side = seconds, swap_at, by_side
        self._sequences = iter(())
        self.given = 0

    def reset(self):
        self.given = 0

    def segment(self, points, pose=None):
        time.sleep(self._seconds)
        scan = next(each for (_, stamp), each in self._truth.items() if stamp == points.stamp)
        instance = scan.instance.copy()
        if self._swap_at is not None and self.given >= self._swap_at:
            instance = np.select([instance == 7, instance == 9], [9, 7], 0).astype(np.uint32)
        self.given += 1
        semantic = train_ids(scan.semantic)
        if self._by_side:   # depends on the axes of the sensor
            semantic = np.where(points.xyz[:, 0] > 0, semantic, ROAD).astype(np.uint8)
        return PanopticScan(points, semantic, instance, np.ones(len(points), np.float32),
                            Boxes3D.empty())


def test_the_truth_gets_full_marks():
    scans = sequence()
    seen = []
    result = evaluate_segmenter(Oracle(scans), scans, progress=seen.append)
    for name in ('LSTQ', 'S_cls', 'S_assoc', 'mIoU', 'PQ', 'streaming_LSTQ'):
        assert result[name] == pytest.approx(1), name
    assert seen == [6] and result['scans'] == 6


def test_swapped_ids_cost_association_and_nothing_else():
    scans = sequence()
    result = evaluate_segmenter(Oracle(scans, swap_at=3), scans)
    # Each car is half in either tube: 2 x (1/2 x 1/3).
    assert result['S_assoc'] == pytest.approx(1 / 3) and result['mIoU'] == 1 == result['PQ']


def test_late_answers_cost_only_the_streamed_score():
    scans = sequence()
    result = evaluate_segmenter(Oracle(scans, seconds=.03), scans,
                                SegmenterProtocols(rate=50.))
    assert result['LSTQ'] == pytest.approx(1)
    assert result['streaming_LSTQ'] < .99 and result['latency_ms']['p50'] > 25


def test_agreement_under_turns_is_seen_and_its_lack_too():
    scans = sequence()
    fine = turn_agreement(Oracle(scans, swap_at=3), scans, 90.)
    assert fine == {'semantic': 0, 'instance': 0, 'same_ids': 1}
    assert turn_agreement(Oracle(scans, by_side=True), scans, 90.)['semantic'] > .1


def test_scans_without_objects_count_for_classes_only():
    scans = sequence()
    told = Oracle(scans, swap_at=3)
    partly = [scan if index < 3 else replace(scan, instance=None)
              for index, scan in enumerate(scans)]
    result = evaluate_segmenter(told, partly)
    assert (result['num_scans'], result['panoptic_scans'], result['num_objects']) == (6, 3, 2)
    assert result['LSTQ'] == pytest.approx(1) == result['mIoU'] == result['PQ']
    result = evaluate_segmenter(told, [replace(scan, instance=None) for scan in scans])
    assert result['LSTQ'] is None and result['PQ'] is None and result['streaming_LSTQ'] is None
    assert result['mIoU'] == pytest.approx(1) and result['panoptic_scans'] == 0


def test_nothing_to_segment_is_an_error():
    with pytest.raises(InputError, match='no scan'):
        evaluate_segmenter(Oracle([]), [])
