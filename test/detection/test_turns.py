"""Seeing a scan in several directions: the whole turns with the scene in finer steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.boxes3d import joined
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.fusion import fuse
from eq_perception.detection.turns import exact_rotations
from eq_perception.detection.turns import over_turns
from eq_perception.detection.turns import TurnedDetector

OVERLAP = .2
COLUMNS = ('center', 'size', 'score', 'velocity', 'covariance', 'heading_confidence')


def pose(element: int, group: PlanarGroup) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:2, :2] = group.matrices[element % group.rotations]
    return matrix


def street(group: PlanarGroup, seed: int = 0) -> Points:
    """Walls of cars on a slope, no point so near to a cell's border that rounding moves it."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform(-50, 50, (5000, 2))
    cloud = [np.column_stack([ground, rng.normal(-1.8, .02, 5000)])]
    places = np.concatenate([rng.uniform(-45, 45, (40, 2)), [[44, 43], [-45, 42], [41, -44]]])
    for place, yaw in zip(places, rng.uniform(0, 6.3, len(places)), strict=True):
        side = rng.uniform(-1, 1, (400, 2)) * [2.1, .9]
        side[::2, 0], side[1::2, 1] = np.sign(side[::2, 0]) * 2.1, np.sign(side[1::2, 1]) * .9
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        cloud.append(np.column_stack([side @ turn.T + place, rng.uniform(-1.6, -.3, 400)]))
    xyz = np.concatenate(cloud)
    xyz[:, 2] += .01 * xyz[:, 0]
    clear = np.ones(len(xyz), bool)
    for matrix in group.matrices:
        cells = xyz[:, :2] @ matrix.T / .4
        clear &= (np.abs(cells - np.rint(cells)) > 1e-4).all(1)
    return Points.from_xyz(xyz[clear], rng.random(clear.sum()))


def assert_equal_boxes(found: Boxes3D, expected: Boxes3D, tolerance: float) -> None:
    """The same boxes in the same order."""
    assert (found.label == expected.label).all()
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0,
                                   atol=tolerance, err_msg=name)
    np.testing.assert_allclose(np.exp(1j * found.yaw), np.exp(1j * expected.yaw), atol=tolerance)


@pytest.fixture(scope='module')
def trained() -> Detector:
    return Detector.from_bundle(Path(__file__).parents[2] / 'models' / 'lidar_detector',
                                ['onnxruntime'])


def test_the_whole_turns_in_steps_of_thirty_degrees(trained: Detector) -> None:
    """On the whole square range: its corners turn with the cosets."""
    group = PlanarGroup(12)
    points = street(group)
    detector = over_turns(trained, 3)
    upright = detector.detect(points)
    assert len(upright) > 20
    assert (np.hypot(*upright.center[:, :2].T) > trained.config.point_cloud_range).any()
    for element in (1, 2, 3, 7):
        turn = pose(element, group)
        assert_equal_boxes(detector.detect(points.transformed(turn)), upright.transformed(turn),
                           2e-3)


def test_one_turn_does_not(trained: Detector) -> None:
    group = PlanarGroup(12)
    points, turn = street(group), pose(1, group)
    expected = trained.detect(points).transformed(turn)
    found = trained.detect(points.transformed(turn))
    count = min(len(found), len(expected), 10)
    assert np.abs(found.center[:count] - expected.center[:count]).max() > .05


def test_past_scans_and_poses_turn_along(trained: Detector) -> None:
    group = PlanarGroup(8)
    moved, turn = np.eye(4), pose(1, group)
    moved[:2, 3] = 3., -1.
    now = replace(street(group), stamp=100_000_000)
    before = replace(street(group).transformed(np.linalg.inv(moved)), stamp=0)
    turned = [each.transformed(turn) for each in (now, before)]
    poses, detector = [np.eye(4), moved], over_turns(trained, 2)
    upright = detector.detect(now, before, poses=poses)
    assert len(upright) > 5
    found = detector.detect(*turned, poses=[each @ turn.T for each in poses])
    assert_equal_boxes(found, upright.transformed(turn), 2e-3)
    other = detector.detect(*turned, poses=poses)
    assert np.abs(other.center[:5] - upright.transformed(turn).center[:5]).max() > .05


class Known:
    """Answers each direction with what it was told, turned as the scan was."""

    session = heading = None

    def __init__(self, answers: list[Boxes3D], group: str = 'C4') -> None:
        self.answers, self.config = answers, DetectorConfig(group=group)
        self.timing, self.dropped_pillars = {'inference': 2.}, 0

    def detect(self, points: Points, *past: Points, poses: object = None) -> Boxes3D:
        step = 2 * np.pi / (exact_rotations(self.config) * len(self.answers))
        angle = np.arctan2(points.xyz[0, 1], points.xyz[0, 0])
        number = round(angle / step) % len(self.answers)
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        self.dropped_pillars = 7 - number
        return self.answers[number].transformed(turn)


AHEAD = Points.from_xyz(np.array([[1., 0., 0.]]))


def some_boxes(count: int = 12, seed: int = 0) -> Boxes3D:
    """Boxes far enough from each other, all within the range in every direction."""
    rng = np.random.default_rng(seed)
    place = np.stack(np.meshgrid([-24., -8, 8, 24], [-20., 0, 20]), -1).reshape(-1, 2)[:count]
    spread = rng.normal(size=(count, 2, 2))
    return Boxes3D(
        np.column_stack([place + rng.uniform(-2, 2, (count, 2)), rng.normal(-1, .2, count)]),
        rng.uniform([3.5, 1.6, 1.4], [4.5, 2., 1.8], (count, 3)), rng.uniform(-3, 3, count),
        rng.integers(2, size=count), rng.uniform(.4, .9, count), rng.normal(size=(count, 2)),
        spread @ spread.transpose(0, 2, 1), rng.uniform(.1, 1, count))


def shaken(boxes: Boxes3D, seed: int) -> Boxes3D:
    """The same objects as seen a little differently, some of them backwards."""
    rng = np.random.default_rng(seed)
    count = len(boxes)
    return replace(
        boxes, center=boxes.center + rng.normal(0, .1, (count, 3)),
        size=boxes.size * np.exp(rng.normal(0, .05, (count, 3))),
        yaw=boxes.yaw + rng.normal(0, .1, count) + np.pi * (rng.random(count) < .3),
        score=boxes.score * rng.uniform(.8, 1, count)).select(rng.permutation(count))


def test_the_order_of_the_answers_does_not_matter() -> None:
    answers = [some_boxes(), *(shaken(some_boxes(), seed) for seed in (1, 2))]
    expected, count = fuse(answers, OVERLAP)
    assert len(expected) == 12 and (count == 3).all()
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        found, again = fuse([answers[each] for each in order], OVERLAP)
        assert_equal_boxes(found, expected, 1e-12)
        assert (again == count).all()


@pytest.mark.parametrize('angle', [.4, 2., -1.3])
def test_joining_commutes_with_any_turn(angle: float) -> None:
    answers = [some_boxes(), *(shaken(some_boxes(), seed) for seed in (1, 2))]
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned, count = fuse([each.transformed(turn) for each in answers], OVERLAP)
    upright, expected = fuse(answers, OVERLAP)
    assert_equal_boxes(turned, upright.transformed(turn), 1e-9)
    assert (count == expected).all()


def test_one_answer_stays_as_it_is_but_for_its_order() -> None:
    boxes = some_boxes()
    found, count = fuse([boxes], OVERLAP)
    assert_equal_boxes(found, boxes.select(np.argsort(-boxes.score)), 1e-12)
    assert (count == 1).all()
    empty, count = fuse([Boxes3D.empty(), Boxes3D.empty()], OVERLAP)
    assert not len(empty) and not len(count)


def test_means_are_weighted_by_score_and_headings_by_confidence() -> None:
    first = Boxes3D([[4., 0, 0]], [[4., 2, 1.5]], [.1], [0], [.6], heading_confidence=[.9])
    second = Boxes3D([[4.3, 0, 0]], [[4.4, 2, 1.5]], [-.1 + np.pi], [0], [.3],
                     heading_confidence=[.4])
    found, count = fuse([first, second], OVERLAP)
    assert len(found) == 1 and count.tolist() == [2]
    assert found.center[0, 0] == pytest.approx(4.1)
    assert found.size[0, 0] == pytest.approx(4 ** (2 / 3) * 4.4 ** (1 / 3))
    axis = np.angle(.6 * np.exp(.2j) + .3 * np.exp(-.2j)) / 2
    assert found.yaw[0] == pytest.approx(axis) and found.score[0] == pytest.approx(.9)
    expected = (.6 * .9 * np.cos(.1 - axis) - .3 * .4 * np.cos(.1 + axis)) / .9
    assert found.heading_confidence[0] == pytest.approx(expected)


def test_an_object_takes_one_box_of_an_answer_and_of_its_own_class() -> None:
    row = Boxes3D([[4., 0, 0], [5.5, 0, 0]], [[4., 2, 1.5]] * 2, [0., 0], [0, 0], [.9, .8])
    van = replace(row.select(slice(1)), label=np.array([1]), score=np.array([.5]))
    found, count = fuse([row, van, row], OVERLAP)
    assert found.label.tolist() == [0, 0, 1] and count.tolist() == [2, 2, 1]
    np.testing.assert_allclose(found.score, [1.8, 1.6, .5])
    np.testing.assert_allclose(found.center[:, 0], [4, 5.5, 4])


def test_what_few_directions_see_keeps_a_low_score() -> None:
    everywhere = some_boxes(6)
    lone = replace(some_boxes(12).select(slice(11, 12)), score=np.array([.9]))
    detector = TurnedDetector(Known([everywhere, joined([everywhere, lone]), everywhere]), 3)
    found = detector.detect(AHEAD)
    assert len(found) == 7 and found.score[-1] == pytest.approx(.3)
    np.testing.assert_allclose(found.score[:-1], np.sort(everywhere.score)[::-1])
    np.testing.assert_allclose(found.center[-1], lone.center[0], atol=1e-9)
    assert detector.timing['inference'] == 6. and detector.dropped_pillars == 7


def test_objects_in_the_corners_are_judged_by_the_directions_that_reach_them() -> None:
    corner = Boxes3D([[50., 50, 0]], [[4., 2, 1.5]], [0.], [0], [.8])
    none = Boxes3D.empty()
    found = TurnedDetector(Known([corner, none, none]), 3).detect(AHEAD)
    assert found.score.tolist() == pytest.approx([.8])
    near = replace(corner, center=np.array([[30., 30, 0]]))
    found = TurnedDetector(Known([near, none, none]), 3).detect(AHEAD)
    assert found.score.tolist() == pytest.approx([.8 / 3])


def test_the_second_look_is_at_the_joined_boxes_once() -> None:
    class Look:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def direct(self, points: Points, boxes: Boxes3D, *_: object) -> Boxes3D:
            self.seen.append(len(boxes))
            return replace(boxes, yaw=boxes.yaw + np.pi)

    boxes, known = some_boxes(6), Known([some_boxes(6), some_boxes(6)])
    known.heading = Look()
    found = TurnedDetector(known, 2).detect(AHEAD)
    assert known.heading.seen == [6]
    order = np.argsort(-boxes.score)
    np.testing.assert_allclose(np.exp(1j * found.yaw), -np.exp(1j * boxes.yaw[order]), atol=1e-9)


def test_what_falls_below_the_threshold_is_dropped() -> None:
    weak = replace(some_boxes(1), score=np.array([.2]))
    none = Boxes3D.empty()
    assert not len(TurnedDetector(Known([weak, none, none]), 3).detect(AHEAD))
    assert len(TurnedDetector(Known([weak, weak, none]), 3).detect(AHEAD)) == 1


def test_turns_are_even_over_the_step_of_the_network() -> None:
    for config, order in ((DetectorConfig(), 4), (DetectorConfig(group='C1'), 1),
                          (DetectorConfig(group='C8'), 4), (DetectorConfig(group='D4'), 4),
                          (DetectorConfig(group='C2'), 2),
                          (DetectorConfig(grid='polar', group='C1'), 32)):
        assert exact_rotations(config) == order


def test_one_turn_is_the_detector_itself_and_nonsense_is_refused() -> None:
    single = Known([some_boxes()])
    assert over_turns(single, 1) is single
    for turns in (0, -1, 17):
        with pytest.raises(ConfigError):
            over_turns(single, turns)
