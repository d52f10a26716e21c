"""What a data set did not label is neither right nor wrong."""

import dataclasses

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.class_map import CLASS_NAMES
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import ImageLabels
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.by_range import range_of
from eq_eval.metrics.judged import judge
from eq_eval.metrics.recall import axis_angle
from eq_eval.metrics.recall import evaluate_recall
from eq_eval.rotation import turned

NO_POINTS = Points.from_xyz(np.zeros((0, 3)))
CAMERA = KittiCalibration(
    np.array([[700., 0, 600, 0], [0, 700., 180, 0], [0, 0, 1, 0]]),
    np.array([[0., -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))


def cars(*places: tuple[float, float], label: int = 0, yaw: float = 0.) -> Boxes3D:
    count = len(places)
    return Boxes3D(center=np.array([(x, y, 0) for x, y in places], float).reshape(-1, 3),
                   size=np.tile([4., 2., 1.6], (count, 1)), yaw=np.full(count, yaw),
                   label=np.full(count, label))


def scan_of(truth: Boxes3D, **changes) -> LabeledScan:
    return LabeledScan(NO_POINTS, np.eye(4), truth, class_names=LABEL_NAMES,
                       num_points=np.full(len(truth), 9), **changes)


def test_beside_the_field_of_view_nothing_counts() -> None:
    scan = scan_of(cars((20, 0), (0, 20)), field_of_view=(-.7, .7))
    judged = judge(cars((20, 0), (0, 20), (-20, 0)), scan, CLASS_NAMES)
    assert judged.prediction.center[:, 0].tolist() == [20]
    assert judged.truth.label.tolist() == [0, 4]
    behind = turned(scan, 180.)  # now the view reaches over +-180 degrees
    judged = judge(cars((-20, 1), (-20, -1), (20, 0)), behind, CLASS_NAMES)
    assert judged.prediction.center[:, 0].tolist() == [-20, -20]


def test_a_detection_on_an_ignored_box_is_excused() -> None:
    truth = cars((20, 0), label=4)
    judged = judge(cars((21, .5), (24, 0), (22.4, 0)), scan_of(truth), CLASS_NAMES)
    assert judged.excused.tolist() == [True, False, True]


def test_but_not_if_a_truth_of_its_class_is_nearer() -> None:
    truth = Boxes3D(center=[[20., 0, 0], [22, 0, 0]], size=np.tile([4., 2, 1.6], (2, 1)),
                    yaw=[0, 0], label=[4, 0])
    judged = judge(cars((20.2, 0), (21.8, 0)), scan_of(truth), CLASS_NAMES)
    assert judged.excused.tolist() == [True, False]
    pedestrian = judge(cars((21.8, 0), label=2), scan_of(truth), CLASS_NAMES)
    assert pedestrian.excused.tolist() == [True]


def test_classes_are_matched_by_name() -> None:
    scan = dataclasses.replace(scan_of(cars((5, 0), label=1)), class_names=('tram', 'cyclist'))
    assert judge(Boxes3D.empty(), scan, CLASS_NAMES).truth.label.tolist() == [3]
    scan = dataclasses.replace(scan, class_names=('cyclist', 'tram'))
    assert judge(Boxes3D.empty(), scan, CLASS_NAMES).truth.label.tolist() == [4]


def test_points_are_counted_where_the_data_set_does_not() -> None:
    points = Points.from_xyz(np.array([[5., 0, 0], [5.5, 0, 0], [50, 0, 0]]))
    scan = LabeledScan(points, np.eye(4), cars((5, 0)))
    assert judge(Boxes3D.empty(), scan, CLASS_NAMES).num_points.tolist() == [2]


def test_no_boxes_no_judgement() -> None:
    with pytest.raises(InputError, match='no boxes'):
        judge(Boxes3D.empty(), LabeledScan(NO_POINTS, np.eye(4)), CLASS_NAMES)


@pytest.mark.parametrize('angle', [0., 90., 200.])
def test_dont_care_regions_of_the_image_turn_with_the_scan(angle: float) -> None:
    region = np.array([[550., 100, 650, 260]])  # straight ahead
    image = ImageLabels(CAMERA, np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), region,
                        np.zeros(0, np.str_))
    scan = KittiScan(NO_POINTS, np.eye(4), cars(), class_names=LABEL_NAMES,
                     num_points=np.zeros(0, np.int64), image=image)
    prediction = cars((40, 0), (40, 15), (-40, 0)).transformed(turned(
        dataclasses.replace(scan, pose=np.eye(4)), angle).pose.T)
    judged = judge(prediction, turned(scan, angle), CLASS_NAMES)
    assert len(judged.prediction) == 2
    assert judged.image is not None
    heights = judged.image.prediction_height
    assert (heights > 0).tolist() == [True, False]  # behind the camera there is no image


def test_a_detection_is_counted_where_its_truth_is() -> None:
    truth = cars((19.5, 0), (40, 0))
    distance = range_of(cars((20.5, 0), (30, 0)), truth)
    np.testing.assert_allclose(distance, [19.5, 30])


def test_recall_and_axis() -> None:
    truth = [cars((10, 0), (30, 0), (60, 0))]
    found = [cars((10.5, 0), (33, 0), yaw=np.pi + .1)]
    near = evaluate_recall(found, truth, 0, (0, 50))
    assert (near.found, near.num_truths, near.recall) == (1, 2, .5)
    assert near.axis_error == pytest.approx(.1) and near.center_error == pytest.approx(.5)
    assert evaluate_recall(found, truth, 1).recall is None
    np.testing.assert_allclose(axis_angle(np.array([0., 3., .1]), np.array([np.pi, 0., -.1])),
                               [0, np.pi - 3, .2], atol=1e-12)
