"""Classes and objects have the colours of the legend, where they are, turned as the scene is."""

from __future__ import annotations

import base64
import dataclasses
import io
from itertools import combinations

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.report.bev import SIZE
from eq_eval.report.class_colours import object_colour
from eq_eval.report.class_colours import point_class_colour
from eq_eval.report.class_colours import POINT_CLASSES
from eq_eval.report.class_colours import rgb
from eq_eval.report.palette import BACKGROUND
from eq_eval.report.palette import CLASS_COLOURS
from eq_eval.report.panoptic_bev import class_plan
from eq_eval.report.panoptic_bev import object_plan
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.panoptic_scene import trails
from eq_eval.report.range_view import class_range_view
from eq_eval.report.range_view import COLUMNS
from eq_eval.report.range_view import object_range_view
from eq_eval.report.range_view import range_image
from eq_eval.report.range_view import ROWS
from eq_eval.report.tags import place_tags
from eq_perception.panoptic.classes import CLASS_NAMES

NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
REACH = 20.
PIXEL = 2 * REACH / SIZE


def pixels(uri: str) -> np.ndarray:
    """(H, W, 3) colours in a `data:` address, black where it is transparent."""
    from PIL import Image
    picture = Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1]))).convert('RGBA')
    image = np.asarray(picture).astype(int)
    return image[..., :3] * (image[..., 3:] > 0)


def tracked(xy: np.ndarray, ids: list[int]) -> Boxes3D:
    count = len(ids)
    return Boxes3D(np.column_stack([xy, np.zeros(count)]), np.tile([4., 2, 1.5], (count, 1)),
                   np.zeros(count), np.zeros(count), score=np.linspace(1, .5, count),
                   track_id=np.array(ids))


def scene(xyz: np.ndarray, semantic: np.ndarray, instance: np.ndarray | None = None,
          objects: Boxes3D | None = None, **options: object) -> PanopticScene:
    return PanopticScene(
        'scan 0', Points.from_xyz(xyz), semantic,
        np.zeros(len(xyz), np.uint32) if instance is None else instance,
        Boxes3D.empty() if objects is None else objects, NAMES, **options)


def quarter_turn(xyz: np.ndarray) -> np.ndarray:
    """What was ahead is on the left."""
    return xyz @ np.array([[0., 1, 0], [-1, 0, 0], [0, 0, 1]])


def scattered(count: int = 400, seed: int = 0) -> np.ndarray:
    """Points in the middle of pixels, all at their own height, none on a cell's border."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(SIZE * SIZE, count, replace=False)
    xy = (np.stack([cells // SIZE, cells % SIZE], -1) + .5) * PIXEL - REACH
    return np.column_stack([xy, rng.uniform(-2, 2, count)])


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    part = np.array(rgb(colour)) / 255
    return float(np.where(part <= .04045, part / 12.92, ((part + .055) / 1.055) ** 2.4)
                 @ [.2126, .7152, .0722])


def test_every_colour_stands_out_from_the_ground() -> None:
    ground = luminance(BACKGROUND) + .05
    colours = [*POINT_CLASSES.values(), *(object_colour(key) for key in range(1, 241))]
    assert min((luminance(colour) + .05) / ground for colour in colours) > 2.5


def test_classes_can_be_told_apart() -> None:
    assert tuple(POINT_CLASSES) == CLASS_NAMES
    for one, other in combinations(POINT_CLASSES, 2):
        gap = np.subtract(rgb(POINT_CLASSES[one]), rgb(POINT_CLASSES[other]))
        assert np.abs(gap).sum() > 50, (one, other)


def test_the_classes_of_boxes_have_colours_of_their_own() -> None:
    colours = {point_class_colour(name) for name in CLASS_COLOURS}
    assert len(colours) == len(CLASS_COLOURS)
    assert point_class_colour('unlabeled') not in colours


def test_neighbouring_ids_have_unlike_colours() -> None:
    for step in (1, 2, 3):
        for key in range(1, 300):
            gap = np.subtract(rgb(object_colour(key)), rgb(object_colour(key + step)))
            assert np.abs(gap).sum() > 60, (key, step)


def test_a_point_has_the_colour_of_its_class_where_it_is() -> None:
    xyz = np.array([[10., 5., 0.], [-3., -8., 2.]])
    shown = scene(xyz, np.array([1, 15]))
    image = pixels(class_plan(shown, shown.semantic, REACH).points_uri)
    assert tuple(image[250, 375]) == rgb(POINT_CLASSES['car'])
    assert tuple(image[575, 700]) == rgb(POINT_CLASSES['vegetation'])
    assert np.count_nonzero(image.any(-1)) == 2


def test_a_point_has_the_colour_of_its_object_and_the_ground_is_grey() -> None:
    xyz = np.array([[10., 5., 0.], [-3., -8., 0.]])
    image = pixels(object_plan(scene(xyz, np.array([1, 9]), np.array([7, 0])), REACH).points_uri)
    assert tuple(image[250, 375]) == rgb(object_colour(7))
    assert np.ptp(image[575, 700]) < 60


def test_the_view_from_above_turns_with_the_scene() -> None:
    xyz = scattered()
    # Far points are drawn larger than a pixel, which has no middle that could stay.
    xyz = xyz[np.hypot(xyz[:, 0], xyz[:, 1]) < 17]
    label = np.arange(len(xyz)) % 20
    upright, turned = (scene(points, label, label) for points in (xyz, quarter_turn(xyz)))
    for plan in (lambda shown: class_plan(shown, shown.semantic, REACH),
                 lambda shown: object_plan(shown, REACH)):
        first, second = (pixels(plan(shown).points_uri) for shown in (upright, turned))
        assert first.any()
        assert np.array_equal(np.rot90(first), second)


def test_the_view_around_moves_across_as_the_scene_turns() -> None:
    rng = np.random.default_rng(1)
    azimuth = (rng.integers(0, COLUMNS, 900) + .5) / COLUMNS * 2 * np.pi
    distance = rng.uniform(3, 30, 900)
    xyz = np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth),
                           rng.uniform(-2, 3, 900)])
    label = np.arange(900) % 20
    first, second = (pixels(class_range_view(scene(points, label), label).points_uri)
                     for points in (xyz, quarter_turn(xyz)))
    assert first.any()
    assert np.array_equal(np.roll(first, -COLUMNS // 4, axis=1), second)


def test_the_view_around_has_left_on_the_left_and_up_above() -> None:
    xyz = np.array([[10., 5, 0], [10., -5, 0], [10., 0, 3], [10., 0, -3]])
    image = pixels(object_range_view(scene(xyz, np.ones(4, int), np.arange(1, 5))).points_uri)

    def place(key: int) -> np.ndarray:
        return np.argwhere((image == rgb(object_colour(key))).all(-1))[0]
    assert place(1)[1] < COLUMNS / 2 < place(2)[1]
    assert place(3)[0] < place(1)[0] < place(4)[0]


def test_near_points_hide_far_ones() -> None:
    ray = np.array([10., 5, 1])
    frame = np.array([[10., 0, 5], [10., 0, -5]])
    xyz = np.concatenate([[ray, 2 * ray], frame])
    colours = np.array([3, 4, 1, 1], np.uint8)
    for order in ([0, 1, 2, 3], [1, 0, 2, 3]):
        image = range_image(Points.from_xyz(xyz[order]), colours[order])
        assert 3 in image and 4 not in image


def test_gaps_between_beams_are_closed_and_the_sky_stays_empty() -> None:
    elevation = np.repeat(np.linspace(-.4, .1, 20), COLUMNS)
    azimuth = np.tile((np.arange(COLUMNS) + .5) / COLUMNS * 2 * np.pi, 20)
    sky = (elevation > -.1) & (azimuth < np.pi)
    xyz = 10 * np.column_stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
    image = range_image(Points.from_xyz(xyz[~sky]), np.full((~sky).sum(), 2, np.uint8))
    left, right = image[:, :COLUMNS // 2], image[:, COLUMNS // 2:]
    assert (right > 0).all()
    horizon = (left > 0).argmax(0)
    assert np.ptp(horizon) == 0
    assert abs(horizon[0] / ROWS - 2 / 5) < 1.5 / 20   # of the half turn with sky above
    assert (left[horizon[0]:] > 0).all()


def test_a_trail_leads_to_its_box_and_turns_with_the_scene() -> None:
    def shown(turn: np.ndarray) -> tuple[np.ndarray, ...]:
        history = [tracked(np.array([[x, 4.]]) @ turn[:2, :2], [3]) for x in (2., 5., 9.)]
        found = trails(history, [np.eye(4)] * 3, 2)
        picture = object_plan(scene(np.zeros((0, 3)), np.zeros(0, int), None, history[-1],
                                    trails=found), REACH)
        points = np.array([tuple(map(float, part.split(',')))
                           for part in picture.trails[0].points.split()])
        center = (SIZE / 2 - history[-1].center[0, 1::-1] / PIXEL)
        return points, center
    points, center = shown(np.eye(3))
    assert len(points) == 3
    assert points[-1] == pytest.approx(center)
    turned, _ = shown(np.array([[0., 1, 0], [-1, 0, 0], [0, 0, 1]]))
    across, down = (points - SIZE / 2).T
    assert turned - SIZE / 2 == pytest.approx(np.stack([down, -across], -1))


def test_what_stands_still_has_come_no_way_however_the_sensor_moved() -> None:
    poses, history = [], []
    for step in range(4):
        pose = np.eye(4)
        cos, sin = np.cos(.2 * step), np.sin(.2 * step)
        pose[:2, :2] = [[cos, -sin], [sin, cos]]
        pose[:2, 3] = 1.5 * step, .3 * step
        poses.append(pose)
        history.append(tracked(np.array([[12., -3.]]), [5]).transformed(np.linalg.inv(pose)))
    path = trails(history, poses, 3)[5]
    assert len(path) == 4
    assert np.ptp(path, axis=0) == pytest.approx(0, abs=1e-9)
    assert len(trails(history, poses, 3, length=1)[5]) == 2


def test_trails_pass_over_scans_without_an_answer_and_objects_that_are_gone() -> None:
    near = np.array([[1., 1.]])
    history = [tracked(near, [1]), None, tracked(np.repeat(near, 2, 0), [1, 2])]
    assert {key: len(path) for key, path in trails(history, [np.eye(4)] * 3, 2).items()} == {1: 2}
    assert trails(history, [np.eye(4)] * 3, 1) == {}


def test_no_name_covers_another_or_leaves_the_picture() -> None:
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, SIZE, (150, 2))
    things = np.concatenate([corner, corner + rng.uniform(4, 60, (150, 2))], axis=1)
    texts = [str(number) for number in rng.integers(1, 2000, 150)]
    tags = place_tags(things, texts, ['#fff'] * 150, (SIZE, SIZE))
    assert 50 < len(tags) <= 150
    bounds = np.array([tag.bounds for tag in tags])
    assert (bounds >= 0).all() and (bounds <= SIZE).all()
    for one, other in combinations(bounds, 2):
        assert (one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1]
                or other[3] <= one[1])


def test_a_name_keeps_off_other_boxes_where_it_can() -> None:
    things = np.array([[100., 100, 140, 120], [144., 100, 200, 120]])
    tags = place_tags(things, ['1', '2'], ['#fff'] * 2, (SIZE, SIZE))
    assert [tag.text for tag in tags] == ['1', '2']
    left, top, right, bottom = tags[0].bounds
    assert right <= 144 or bottom <= 100 or top >= 120


def test_every_box_has_its_number_and_what_it_is() -> None:
    boxes = tracked(np.array([[10., 0], [-10, 5]]), [12, 345])
    picture = object_plan(scene(np.zeros((0, 3)), np.zeros(0, int), None, boxes), REACH)
    assert [tag.text for tag in picture.tags] == ['12', '345']
    assert [mark.colour for mark in picture.predictions] == [object_colour(12), object_colour(345)]
    assert 'car' in picture.predictions[0].text and '#12' in picture.predictions[0].text


def test_what_was_not_answered_can_be_drawn() -> None:
    silent = dataclasses.replace(scene(scattered(), np.zeros(400, int)), semantic=None,
                                 instance=None)
    assert pixels(object_plan(silent, REACH).points_uri).any()
    assert pixels(object_range_view(silent).points_uri).any()
    empty = scene(np.zeros((0, 3)), np.zeros(0, int))
    assert not pixels(object_range_view(empty).points_uri).any()
