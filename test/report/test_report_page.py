"""The report is one file, safe, complete, and looks like something in a browser."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
import re
import shutil
import subprocess

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.panoptic_evaluation import Scores
from eq_eval.report.builder import build_report
from eq_eval.report.builder import write_report
from eq_eval.report.inputs import PanopticInputs
from eq_eval.report.inputs import ReportInputs
from eq_eval.report.inputs import RotationCurve
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.panoptic_scene import trails
from eq_eval.report.scene import Scene
from eq_eval.scores import full_scores
from eq_perception.panoptic.classes import train_ids

NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
VOID = {'meta', 'input', 'br', 'link', 'img', 'hr'}
RESULT = {'scans_in_bag': 5, 'received': 5, 'published': 4, 'dropped': {'busy': 1},
          'in_flight': 0, 'lost_in_transport': 0, 'lost_in_bag': 0, 'rate': 0.,
          'round_trip_p50_ms': 101., 'round_trip_p99_ms': 140., 'accounted': True,
          'node_latency_ms': {'decode': {'p50': .5, 'p99': .9},
                              'total': {'p50': 99., 'p99': 130.}}}


class Page(HTMLParser):
    """Collects tags and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def scenes(count: int = 3) -> list[Scene]:
    random = np.random.default_rng(0)
    result = []
    for index in range(count):
        xyz = random.uniform(-30, 30, (5000, 3)) * [1, 1, .05]
        truth = Boxes3D(random.uniform(-20, 20, (4, 3)) * [1, 1, 0], np.tile([4., 2, 1.5], (4, 1)),
                        random.uniform(-3, 3, 4), np.arange(4))
        result.append(Scene(f'scan {index}', Points.from_xyz(xyz), truth if index else None, truth,
                            NAMES, 'published' if index else 'dropped:busy', (-2., 2.)))
    return result


def inputs(**changes: object) -> ReportInputs:
    shown = scenes()
    judged = [judge(scene.predictions or Boxes3D.empty(), LabeledScan(
        scene.points, np.eye(4), scene.truth, class_names=NAMES), NAMES) for scene in shown]
    curve = RotationCurve(tuple(range(0, 361, 30)), {
        'ours': (.7,) * 13, 'twin': tuple(np.linspace(.3, .6, 13))}, 'Measured.')
    return ReportInputs(**{
        'title': 'a drive', 'lead': 'Played.', 'command': 'eq replay x --out y', 'result': RESULT,
        'round_trips': [90., 101., 102., 140.], 'scenes': shown,
        'scores': full_scores(judged, NAMES, False), 'scores_text': 'How.', 'rotation': curve,
        'model': {'name': 'lidar_detector'}, 'versions': {'Python': '3'},
        'notes': ['Look here.'], **changes})


def panoptic(**changes: object) -> PanopticInputs:
    random = np.random.default_rng(0)
    shown, scores, history = [], Scores(), []
    for index in range(3):
        points = Points.from_xyz(random.uniform(-30, 30, (5000, 3)) * [1, 1, .05])
        truth = np.repeat([10, 30, 40, 50], 1250).astype(np.uint16)
        found, instance = train_ids(truth), np.repeat([1, 2, 0, 0], 1250)
        history.append(Boxes3D(random.uniform(-20, 20, (2, 3)), np.ones((2, 3)), np.zeros(2),
                               np.array([0, 2]), track_id=np.array([1, 2])) if index else None)
        scores.add(LabeledScan(points, np.eye(4), semantic=truth, instance=instance),
                   (found, instance))
        shown.append(PanopticScene(
            f'scan {index}', points, found if index else None, instance if index else None,
            history[-1] or Boxes3D.empty(), NAMES, trails(history, [np.eye(4)] * 3, index), found,
            'published' if index else 'dropped:no_pose'))
    return PanopticInputs(**{
        'result': {**RESULT, 'received': 3, 'scans_in_bag': 3, 'published': 2}, 'objects': history,
        'class_names': NAMES, 'round_trips': [90., 111.], 'scenes': shown,
        'scores': scores.result(), 'scores_text': 'Of the points.',
        'model': {'name': 'panoptic_segmenter'}, **changes})


def test_the_page_shows_what_became_of_every_point_too() -> None:
    text = build_report(inputs(panoptic=panoptic()))
    page = Page(text)
    sections = [attributes.get('id') for attributes in page.of('section')]
    assert sections == ['scans', 'perspective', 'panoptic', 'tracks', 'accounting', 'latency',
                        'scores', 'panoptic-scores', 'reliability', 'rotation', 'record']
    for wanted in ('LSTQ', 'S_assoc', 'vegetation', 'panoptic_segmenter', 'lidar_detector',
                   'Of the points.', 'received 3 = published 2 + dropped 1 + in flight 0',
                   'received 5 = published 4 + dropped 1 + in flight 0'):
        assert (wanted in text) is (wanted != 'vegetation'), wanted  # nobody saw any
    # Both nodes have their own balance, and every picture of a scan can be chosen.
    assert text.count('class="balance"') == 2
    groups = {attributes['name'] for attributes in page.of('input') if 'name' in attributes}
    assert groups == {'scan', 'panoptic', 'tracks'}
    targets = {attributes['id'] for attributes in page.of('input')}
    assert {attributes['for'] for attributes in page.of('label') if 'for' in attributes} <= targets
    assert len(page.of('figure')) == 3 + 1 + 3 * 4 + 3 * 2


@pytest.mark.parametrize('changes', [
    {'scenes': ()}, {'scores': None}, {'objects': ()}, {'round_trips': ()}, {'model': {}}])
def test_what_is_not_known_of_the_points_is_left_out(changes: dict[str, object]) -> None:
    Page(build_report(inputs(panoptic=panoptic(**changes))))


def test_ids_on_a_page_are_unique() -> None:
    page = Page(build_report(inputs(panoptic=panoptic())))
    ids = [attributes['id'] for _, attributes in page.tags if 'id' in attributes]
    assert sorted(ids) == sorted(set(ids))


def test_the_page_is_well_formed_and_complete() -> None:
    text = build_report(inputs())
    page = Page(text)
    sections = [attributes.get('id') for attributes in page.of('section')]
    assert sections == ['scans', 'perspective', 'accounting', 'latency', 'scores',
                        'reliability', 'rotation', 'record']
    assert len(page.of('figure')) == 4
    assert 'received 5 = published 4 + dropped 1 + in flight 0' in text
    assert 'eq replay x --out y' in text
    for wanted in ('10 m', 'Look here.', 'mAP', 'ATE [m]', 'KITTI', 'prefers-color-scheme'):
        assert wanted in text


def test_the_page_asks_for_nothing_from_outside() -> None:
    text = build_report(inputs())
    page = Page(text)
    assert not page.of('script') and not page.of('link') and not page.of('iframe')
    for _, attributes in page.tags:
        for name in ('src', 'href', 'xlink:href', 'data', 'action'):
            value = attributes.get(name) or ''
            assert value.startswith(('data:image/png;base64,', '#')) or not value
    assert not re.search(r'url\(|@import|https?://', text)


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    evil = '<script>alert(1)</script>"\'&'
    shown = [Scene(evil, Points.from_xyz(np.zeros((1, 3))), Boxes3D(
        np.zeros((1, 3)), np.ones((1, 3)), np.zeros(1), np.zeros(1)), None, (evil,), evil)]
    text = build_report(inputs(
        title=evil, lead=evil, command=evil, notes=[evil], model={evil: evil},
        versions={evil: evil}, scenes=shown, scores=None,
        result={**RESULT, 'dropped': {evil: 1}},
        rotation=RotationCurve((0., 360.), {evil: (.5, .5)}, evil)))
    assert '<script' not in text
    assert not Page(text).of('script')
    assert '&lt;script&gt;' in text


@pytest.mark.parametrize('changes', [
    {'scenes': ()}, {'scores': None}, {'rotation': None}, {'round_trips': ()}, {'model': {}},
    {'scenes': (), 'scores': None, 'rotation': None, 'round_trips': (), 'notes': ()},
])
def test_what_is_not_there_is_left_out(changes: dict[str, object]) -> None:
    Page(build_report(inputs(**changes)))


def test_recall_alone_is_shown_where_precision_means_nothing() -> None:
    shown = scenes()
    judged = [judge(scene.truth, LabeledScan(scene.points, np.eye(4), scene.truth,
                                             class_names=NAMES), NAMES) for scene in shown]
    text = build_report(inputs(scores=full_scores(judged, NAMES, False, complete=False)))
    assert 'recall' in text
    assert 'ATE [m]' not in text


def test_the_file_is_written_as_a_whole(tmp_path: Path) -> None:
    path = write_report(tmp_path / 'new' / 'report.html', inputs())
    assert [file.name for file in path.parent.iterdir()] == ['report.html']
    assert path.stat().st_size < 2_000_000


@pytest.fixture
def browser() -> str:
    path = shutil.which('chromium') or shutil.which('chromium-browser')
    if path is None:
        pytest.skip('no chromium to look at the report with')
    return path


@pytest.mark.parametrize(('width', 'scheme'), [(1280, 'light'), (1280, 'dark'), (420, 'light')])
def test_a_browser_shows_it(browser: str, tmp_path: Path, width: int, scheme: str) -> None:
    from PIL import Image
    report = write_report(tmp_path / 'report.html', inputs())
    picture = tmp_path / 'picture.png'
    command = [
        browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
        '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--hide-scrollbars', '--force-device-scale-factor=1',
        f'--user-data-dir={tmp_path / "profile"}', f'--window-size={width},2400',
        f'--screenshot={picture}', report.as_uri()]
    if scheme == 'dark':
        command.insert(1, '--blink-settings=preferredColorScheme=0')
    try:
        subprocess.run(command, check=False, capture_output=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip('chromium does not answer on this machine')
    if not picture.exists():
        pytest.skip('chromium cannot draw on this machine')
    pixels = np.asarray(Image.open(picture).convert('RGB')).astype(int)
    assert pixels.shape[1] == width
    background = pixels[-5, 2]
    assert bool(background.mean() < 60) is (scheme == 'dark')
    # The dark view of the scan is there, with points and coloured boxes in it.
    view = (np.abs(pixels - [0x0b, 0x10, 0x20]).sum(-1) < 12).sum()
    assert view > 0.05 * pixels.shape[0] * pixels.shape[1]
    assert (np.abs(pixels - [0x4c, 0xc9, 0xf0]).sum(-1) < 60).sum() > 20  # a car
    # Nothing sticks out on the right.
    assert (np.abs(pixels[:, -2:] - background).sum(-1) < 12).all()
