"""What is ahead is up, what is left is left, and sums are sums."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from shapely import Point
from shapely import Polygon

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.report.bev import bev_picture
from eq_eval.report.bev import fitting_reach
from eq_eval.report.bev import SIZE
from eq_eval.report.bev import to_pixels
from eq_eval.report.charts import histogram
from eq_eval.report.charts import nice_ticks
from eq_eval.report.charts import rotation_chart
from eq_eval.report.palette import point_index
from eq_eval.report.palette import point_palette
from eq_eval.report.perspective import HEIGHT
from eq_eval.report.perspective import perspective_picture
from eq_eval.report.perspective import project
from eq_eval.report.perspective import WIDTH
from eq_eval.report.picture import write_picture
from eq_eval.report.scene import Scene
from eq_eval.report.sections import accounting

NAMES = ('car', 'truck', 'pedestrian', 'cyclist')


def boxes(*rows: tuple[float, float, float], label: int = 0) -> Boxes3D:
    """Cars at x, y with a yaw."""
    table = np.array(rows, float).reshape(-1, 3)
    return Boxes3D(np.column_stack([table[:, :2], np.zeros(len(table))]),
                   np.tile([4., 2, 1.5], (len(table), 1)), table[:, 2],
                   np.full(len(table), label))


def scene(points: np.ndarray, predictions: Boxes3D | None = None, **options: object) -> Scene:
    return Scene('scan 0', Points.from_xyz(points.reshape(-1, 3)), predictions, None, NAMES,
                 **options)


def drawn(uri: str) -> np.ndarray:
    """The palette image in a `data:` address."""
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1]))))


def test_ahead_is_up_and_left_is_left() -> None:
    u, v = to_pixels(np.array([[10., 0.], [0., 10.]]), 50.).T
    assert (u[0], v[1]) == (SIZE / 2, SIZE / 2)
    assert v[0] < SIZE / 2
    assert u[1] < SIZE / 2


def test_points_are_drawn_where_they_are() -> None:
    picture = bev_picture(scene(np.array([[10., 5., 0.], [-3., -8., 2.]])), reach=20.)
    image = drawn(picture.points_uri)
    assert image.shape == (SIZE, SIZE)
    rows, columns = np.nonzero(image)
    assert sorted(zip(columns.tolist(), rows.tolist(), strict=True)) == [(375, 250), (700, 575)]


def test_a_higher_point_covers_a_lower_one() -> None:
    image = drawn(bev_picture(scene(np.array([[5., 5, 3], [5., 5, 0]])), reach=20.).points_uri)
    alone = drawn(bev_picture(scene(np.array([[5., 5, 0], [5., 5, 0]])), reach=20.).points_uri)
    assert image.max() > alone.max()


def test_the_tick_of_a_box_points_ahead_of_it() -> None:
    mark, = bev_picture(scene(np.zeros((0, 3)), boxes((10., 0., np.pi / 2))), 50.).predictions
    x1, y1, x2, y2 = mark.heading
    assert x2 < x1                      # its front looks left
    assert y1 == pytest.approx(y2)
    assert 'car' in mark.text


def test_what_is_less_certain_is_fainter_and_shown_on_request_only() -> None:
    found = dataclasses.replace(boxes((10., 0, 0), (20., 0, 0)), score=np.array([.9, .1]))
    shown = scene(np.zeros((0, 3)), found)
    likely, unlikely = bev_picture(shown, 50.).predictions
    assert likely.sure and not unlikely.sure
    assert likely.opacity > unlikely.opacity
    assert len(perspective_picture(shown).predictions) == 1


def test_boxes_out_of_the_picture_are_left_out() -> None:
    picture = bev_picture(scene(np.zeros((0, 3)), boxes((10., 0, 0), (60., 0, 0))), 50.)
    assert len(picture.predictions) == 1


def test_the_blind_sector_is_behind_a_front_camera() -> None:
    text = bev_picture(scene(np.zeros((0, 3)), field_of_view=(-.7, .7)), 50.).blind
    corners = [tuple(map(float, part[1:].split(','))) for part in text.split() if part != 'Z']
    outline = Polygon(corners)
    behind, ahead = to_pixels(np.array([[-20., 1.], [20., 1.]]), 50.)
    assert outline.contains(Point(behind))
    assert not outline.contains(Point(ahead))


def test_the_reach_fits_the_scan() -> None:
    def ring(radius: float) -> Points:
        angle = np.linspace(0, 2 * np.pi, 400)
        return Points.from_xyz(
            np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle]))
    assert fitting_reach(ring(8.)) < fitting_reach(ring(25.)) < fitting_reach(ring(45.))


def test_the_camera_looks_ahead_and_does_not_mirror() -> None:
    ahead, left, right = project(np.array([[12., 0, 0], [12., 5, 0], [12., -5, 0]]), 0.)
    assert ahead[0] == pytest.approx(WIDTH / 2)
    assert left[0] < ahead[0] < right[0]
    near, far = project(np.array([[5., 0, 0], [40., 0, 0]]), 0.)
    assert near[1] > far[1]
    assert far[2] > near[2] > 0
    assert 0 < ahead[1] < HEIGHT


def test_boxes_behind_the_camera_are_left_out() -> None:
    picture = perspective_picture(scene(np.zeros((0, 3)), boxes((10., 0, 0), (-40., 0, 0))))
    assert len(picture.predictions) == 1


def test_an_empty_scan_can_be_drawn() -> None:
    empty = scene(np.zeros((0, 3)), Boxes3D.empty())
    assert not drawn(bev_picture(empty).points_uri).any()
    assert not drawn(perspective_picture(empty).points_uri).any()


def test_higher_and_brighter_points_have_higher_entries() -> None:
    entry = point_index(np.array([-5., 0., 1., 9.]), np.full(4, .5))
    assert (np.diff(entry.astype(int)) > 0).all()
    assert point_index(np.array([1.]), np.array([1.])) > point_index(np.array([1.]), np.zeros(1))
    assert entry.min() >= 1
    assert len(point_palette()) <= 256


@pytest.mark.parametrize(('low', 'high'), [(0, 1), (0, 97), (143.2, 201.), (-3, 3), (0, 1e-3)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert low <= min(ticks) and max(ticks) <= high * (1 + 1e-9)


def test_a_histogram_counts_every_value() -> None:
    values = np.random.default_rng(0).gamma(4, 20, 500).tolist()
    chart = histogram(values, 'ms')
    assert sum(int(bar.text.split()[0]) for bar in chart.bars) == 500
    assert len(histogram([5.], 'ms').bars) == 1


def test_a_flat_curve_is_a_flat_line() -> None:
    chart = rotation_chart([0., 90, 180, 270, 360],
                           {'ours': [.7] * 5, 'twin': [.7, .2, .7, .2, .7]})
    ours, twin = ({point.split(',')[1] for point in curve.points.split()}
                  for curve in chart.curves)
    assert (len(ours), len(twin)) == (1, 2)


@pytest.mark.parametrize('missing', [0, 2])
def test_the_balance_table_sums_up_or_says_so(missing: int) -> None:
    table = accounting({'scans_in_bag': 10, 'received': 9 - missing, 'published': 6 - missing,
                        'dropped': {'busy': 2, 'stale': 1}, 'in_flight': 0,
                        'lost_in_transport': 1, 'lost_in_bag': 0})
    assert sum(row['count'] for row in table['rows']) + missing == table['total'] == 10
    assert ('not accounted' in table['verdict']) is bool(missing)


def test_a_picture_for_other_pages_is_small_and_shows_the_boxes(tmp_path: Path) -> None:
    from PIL import Image
    random = np.random.default_rng(0)
    shown = scene(random.uniform(-40, 40, (60000, 3)) * [1, 1, .02], boxes((15., 0., 0.)))
    write_picture(tmp_path / 'street.png', shown)
    pixels = np.asarray(Image.open(tmp_path / 'street.png').convert('RGB')).astype(int)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert (tmp_path / 'street.png').stat().st_size < 300_000
    assert (np.abs(pixels - [0x4c, 0xc9, 0xf0]).sum(-1) < 90).sum() > 300
