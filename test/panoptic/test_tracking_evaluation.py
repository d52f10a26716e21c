"""Published tracks are compared with labelled boxes; what cannot be judged is left out."""

import dataclasses
import sys

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import ImageLabels
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.scan import LabeledScan
from eq_eval.panoptic_evaluation import evaluate_segmenter
from eq_eval.panoptic_evaluation import SegmenterProtocols
from eq_eval.tracking_evaluation import tracked_scan
from eq_perception.panoptic.segmenter import PanopticScan

CAR, PEDESTRIAN, IGNORED = 0, 2, 4


@pytest.fixture
def trackeval():
    pytest.importorskip('trackeval', reason='trackeval missing')


def boxes(center, ids, label=CAR):
    count = len(center)
    return Boxes3D(np.asarray(center, float).reshape(-1, 3), np.tile([4., 2., 1.6], (count, 1)),
                   np.zeros(count), np.broadcast_to(label, count), track_id=np.asarray(ids),
                   score=np.full(count, .9))


def drive(count=6, **changes):
    """Two cars before a sensor that moves; one point hits each."""
    scans = []
    for index in range(count):
        pose = np.eye(4)
        pose[:2, 3] = .3 * index, .1 * index
        truth = boxes([[8 + .5 * index, 4, 0], [9, -5 + .2 * index, 0]] - pose[:3, 3], [3, 4])
        scans.append(LabeledScan(
            Points.from_xyz(truth.center, stamp=index * 10**8), pose, truth, sequence='a',
            index=index, num_points=np.array([9, 9]), class_names=LABEL_NAMES, **changes))
    return scans


class Follower:
    """Answers with the tracks that it was given for each stamp."""

    def __init__(self, tracks):
        self._tracks = tracks

    def reset(self):
        pass

    def segment(self, points, pose=None):
        objects = self._tracks[points.stamp // 10**8]
        none = np.zeros(len(points), np.uint32)
        return PanopticScan(points, none.astype(np.uint8), none, none.astype(np.float32), objects)


def tracking(tracks, scans, **asked):
    return evaluate_segmenter(Follower(tracks), scans, SegmenterProtocols(**asked))['tracking']


def test_the_truth_gets_full_marks_and_the_labels_need_no_classes_of_points(trackeval):
    scans = drive()
    result = evaluate_segmenter(Follower([scan.boxes for scan in scans]), scans)
    assert 'LSTQ' not in result and 'streaming' not in result and result['scans'] == 6
    found = result['tracking']
    assert found['HOTA'] == found['DetA'] == found['AssA'] == found['MOTA'] == pytest.approx(1)
    assert found['IDSW'] == found['Frag'] == 0 and found['num_scans'] == 6
    assert set(found['class_figures']) == {'car'}
    assert {'HOTA', 'MOTA', 'IDSW'} <= set(found['class_figures']['car'])


def test_a_change_of_ids_costs_association(trackeval):
    scans = drive()
    tracks = [dataclasses.replace(scan.boxes, track_id=scan.boxes.track_id + 10 * (index > 2))
              for index, scan in enumerate(scans)]
    found = tracking(tracks, scans)
    assert found['IDSW'] == 2 and found['DetA'] == pytest.approx(1)
    assert found['AssA'] == pytest.approx(.5)


def test_amota_of_the_truth(trackeval):
    pytest.importorskip('motmetrics', reason='motmetrics missing')
    pytest.importorskip('nuscenes.eval.tracking.evaluate', reason='nuscenes-devkit missing')
    scans = drive()
    found = tracking([scan.boxes for scan in scans], scans, with_amota=True)
    assert found['AMOTA'] == pytest.approx(1) == found['class_figures']['car']['AMOTA']
    assert found['class_figures']['car']['HOTA'] == pytest.approx(1)


def test_what_is_nowhere_is_a_false_alarm(trackeval):
    scans = drive()
    tracks = [boxes([*scan.boxes.center, [20., 20, 0]], [3, 4, 5]) for scan in scans]
    assert tracking(tracks, scans)['MOTA'] == pytest.approx(.5)


def test_an_object_without_points_is_neither_missed_nor_forbidden(trackeval):
    scans = drive()
    hidden = [dataclasses.replace(scan, num_points=np.array([9, 9 * (index < 3)]))
              for index, scan in enumerate(scans)]
    tracks = [scan.boxes for scan in scans]
    ended = [each.select(np.array([True, index < 3])) for index, each in enumerate(tracks)]
    for answer in (tracks, ended):
        found = tracking(answer, hidden)
        assert found['HOTA'] == pytest.approx(1) and found['Frag'] == 0
    assert tracking(ended, scans)['MOTA'] == pytest.approx(1 - 3 / 12)


def test_points_are_counted_where_the_data_set_does_not():
    scan = dataclasses.replace(drive(1)[0], num_points=None)
    moved = boxes([*scan.boxes.center[:1], [30., 0, 0]], [3, 4])
    assert tracked_scan(moved, dataclasses.replace(scan, boxes=moved)).truth.track_id.tolist() == [
        3]


def test_a_van_of_kitti_is_a_car_and_a_tram_is_ignored():
    camera = KittiCalibration(
        np.array([[700., 0, 600, 0], [0, 700., 180, 0], [0, 0, 1, 0]]),
        np.array([[0., -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))
    image = ImageLabels(camera, np.zeros((2, 4)), np.zeros(2), np.zeros(2, np.int64),
                        np.zeros((0, 4)), np.array(['Van', 'Tram']))
    scan = drive(1)[0]
    labelled = dataclasses.replace(scan.boxes, label=np.full(2, IGNORED))
    scan = KittiScan(**{**vars(scan), 'boxes': labelled}, image=image)
    seen = tracked_scan(boxes(labelled.center, [1, 2]), scan)
    assert seen.truth.track_id.tolist() == [3] and seen.truth.label.tolist() == [CAR]
    assert seen.prediction.track_id.tolist() == [1]


def test_without_labelled_tracks_there_is_nothing_to_say():
    alone = drive(1)
    with pytest.raises(InputError, match='no scan has labels'):
        evaluate_segmenter(Follower([alone[0].boxes]), alone)
    nameless = [dataclasses.replace(scan, boxes=dataclasses.replace(
        scan.boxes, track_id=np.full(2, -1))) for scan in drive()]
    with pytest.raises(InputError, match='no scan has labels'):
        evaluate_segmenter(Follower([scan.boxes for scan in drive()]), nameless)


def test_a_missing_package_is_told_and_the_rest_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, 'trackeval.metrics.hota', None)
    scans = [dataclasses.replace(scan, semantic=np.full(2, 10, np.uint16),
                                 instance=np.array([3, 4], np.uint32)) for scan in drive()]
    result = evaluate_segmenter(Follower([scan.boxes for scan in scans]), scans)
    assert 'trackeval' in result['tracking']['unavailable'] and 'HOTA' not in result['tracking']
    assert result['mIoU'] == 0
