"""A trained detector goes on learning from labelled scans, where their labels tell something."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_core.runtime.bundle import Bundle
from eq_eval.cli.train import app as train_app
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.rotation import within
from eq_eval.rotation import yaw_pose
from eq_eval.seen_scans import refuse_seen
from eq_eval.training.augmentation import augment
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import start_detector
from eq_eval.training.detector import train_detector
from eq_eval.training.export import export_detector
from eq_eval.training.frame_samples import FrameSamples
from eq_eval.training.labeled_frames import LabeledFrames
from eq_eval.training.pasting import ObjectBank
from eq_eval.training.recipe import Recipe
from eq_eval.training.scan_store import ScanStore
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.model import BevDetector

SMALL = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                       depth=(1, 1, 1))
NO_SCENES = ScanStore(Path(), ())
FRONT = (-.7, .7)


def scan(index: int, ground: float = -1.7, view: tuple[float, float] | None = None,
         name: str = 'car') -> LabeledScan:
    """Flat ground and one car ahead."""
    rng = np.random.default_rng(index)
    flat = np.column_stack([rng.uniform(-12, 12, (2500, 2)), rng.normal(ground, .02, 2500)])
    boxes = Boxes3D([[7., index % 3 - 1, ground + .75]], [[4.2, 1.8, 1.5]], [.1 * index], [0])
    body = (rng.uniform(-.5, .5, (500, 3)) * boxes.size[0] * .98) @ yaw_pose(
        float(np.degrees(boxes.yaw[0])))[:3, :3].T + boxes.center[0]
    xyz = np.concatenate([flat, body])
    return LabeledScan(Points.from_xyz(xyz, rng.random(len(xyz))), np.eye(4), boxes,
                       sequence='drive', index=index, field_of_view=view, class_names=(name,))


def recording(scans: list[LabeledScan], name: str = 'drive') -> Recording:
    return Recording(name, 'made', len(scans), lambda lost: iter(scans), has_boxes=True)


def test_frames_are_spread_over_all_recordings_and_told() -> None:
    drives = [recording([scan(row) for row in range(6)]),
              recording([replace(scan(9), boxes=None), scan(7)], 'other')]
    frames = LabeledFrames.read(drives, SMALL, 3)
    assert frames.to_list() == [{'name': 'drive', 'scans': [0, 3]},
                                {'name': 'other', 'scans': [1]}]
    assert str(frames) == '2 scans of drive, 1 scans of other' and len(frames) == 3
    with pytest.raises(InputError, match='7 scans with boxes, asked for 8'):
        LabeledFrames.read(drives, SMALL, 8)
    with pytest.raises(InputError, match='drive has boxes of some objects alone'):
        LabeledFrames.read([replace(drives[0], complete=False)], SMALL)


def test_nothing_is_learnt_where_the_labels_tell_nothing() -> None:
    frame, = LabeledFrames.read([recording([scan(0, view=FRONT)])], SMALL).frames
    centre = SMALL.head_grid.centre(np.arange(SMALL.head_size ** 2))
    azimuth = np.arctan2(centre[:, 1], centre[:, 0])
    for degrees in (0, 90):
        np.testing.assert_array_equal(
            frame.background(SMALL, yaw_pose(degrees)[:2, :2]).ravel(),
            within(azimuth - np.radians(degrees), FRONT))
    rng = np.random.default_rng(0)
    samples = FrameSamples(LabeledFrames.read([recording([scan(0, view=FRONT)])], SMALL), SMALL,
                           Augmentation(180.), 0)
    for _ in range(5):
        _, _, targets = samples.sample(rng)
        assert len(targets.cell) and targets.background.ravel()[targets.cell[0]] == 1
        assert .1 < targets.background.mean() < .4
        assert not targets.velocity_weight.any()


def test_objects_of_foreign_classes_are_neither_there_nor_background() -> None:
    frame, = LabeledFrames.read([recording([scan(0, name='tram')])], SMALL).frames
    samples = FrameSamples(LabeledFrames.read([recording([scan(0, name='tram')])], SMALL), SMALL,
                           Augmentation(0., flip=False, scale=0.), 0)
    _, _, targets = samples.sample(np.random.default_rng(0))
    cell, _ = SMALL.head_grid.locate(frame.boxes.center)
    assert not targets.heatmap.any() and targets.background.ravel()[cell[0]] == 0
    assert targets.background.mean() > .8


def test_pasted_objects_stand_on_the_ground_keep_their_distance_and_touch_nothing() -> None:
    frames = LabeledFrames.read(
        [recording([scan(0), scan(1, ground=-2.4)])], SMALL).frames
    bank, rng = ObjectBank(frames, SMALL), np.random.default_rng(3)
    points, boxes, num_points = bank.paste(frames[1], 12, rng)
    assert 3 <= len(boxes) == len(num_points)
    np.testing.assert_allclose(boxes.center[:, 2], -2.4 + .75, atol=.05)
    reach = np.linalg.norm([each.boxes.center[0, :2] for each in frames], axis=1)
    for center in boxes.center[1:]:
        assert np.abs(np.linalg.norm(center[:2]) - reach).min() < 1e-6
    apart = np.linalg.norm(boxes.center[:, None, :2] - boxes.center[:, :2], axis=-1)
    assert apart[~np.eye(len(boxes), dtype=bool)].min() > np.hypot(4.2, 1.8)
    inside = count_points_in_boxes(points.xyz, boxes)
    assert (np.abs(inside - 500) < 120).all()     # the ground within made room


def test_every_other_beam_is_lost_as_a_whole() -> None:
    elevation = np.radians(np.repeat(np.arange(-20, 4) * .4 + .2, 100))
    azimuth = np.tile(np.linspace(-3, 3, 100), 24)
    xyz = 10 * np.column_stack([np.cos(elevation) * np.cos(azimuth),
                                np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    found = augment(Points.from_xyz(xyz), Boxes3D.empty(),
                    Augmentation(height=0., dropout=0., beams=1.), np.random.default_rng(0))
    whole = found.kept.reshape(24, 100)
    assert (whole.all(1) | ~whole.any(1)).all() and whole.any(1).sum() == 12


def test_what_is_frozen_keeps_its_weights(tmp_path: Path) -> None:
    frames = LabeledFrames.read([recording([scan(0)])], SMALL)
    recipe = Recipe(detector=SMALL, iterations=2, batch_size=2, learning_rate=.1,
                    recorded=str(frames), frozen='backbone')
    before = {name: weight.clone()
              for name, weight in start_detector(recipe).model.named_parameters()}
    run = train_detector(recipe, NO_SCENES, tmp_path, frames=frames)
    for name, weight in run.model.named_parameters():
        if name.startswith(('encoder.', 'stages.')):
            assert torch.equal(weight, before[name]), name
        if name == 'shared.convolution.weight' or name.startswith('heads.heatmap'):
            assert not torch.equal(weight, before[name]), name
    with pytest.raises(ConfigError, match="got 'tail'"):
        start_detector(replace(recipe, frozen='tail'))
    with pytest.raises(InputError, match='holds a run on 1 scans of drive, not on no recording'):
        train_detector(replace(recipe, recorded=''), NO_SCENES, tmp_path)


def test_the_command_adapts_and_tells_on_what(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    torch.manual_seed(0)
    start = export_detector(BevDetector(SMALL).eval(), tmp_path / 'start', scan(0).points,
                            'random', {}, '')
    monkeypatch.setattr('eq_eval.datasets.open.open_recording',
                        lambda path: recording([scan(row) for row in range(4)], path.name))

    def adapt(out: str, data: str, initial: Path) -> None:
        command = ['detector', '--out', tmp_path / out, '--scenes', tmp_path / 'scenes',
                   '--num-scenes', 0, '--data', data, '--frames', 2, '--from', initial,
                   '--iterations', 4, '--batch-size', 2, '--threads', 1, '--json']
        answer = CliRunner().invoke(train_app, list(map(str, command)))
        assert answer.exit_code == 0, answer.exception
        assert json.loads(answer.stdout.splitlines()[-1])['equivariance_error'] < 1e-4

    adapt('run', 'drive', start.path)
    adapted = Bundle.load(tmp_path / 'run/bundle')
    assert adapted.manifest.name == 'lidar_detector_adapted'
    assert adapted.manifest.license == 'Apache-2.0 AND LicenseRef-recording'
    assert adapted.manifest.training['recorded'] == [{'name': 'drive', 'scans': [0, 3]}]
    assert '2 scans of drive' in adapted.read('card.md').decode()
    for wanted in (None, range(3, 4)):
        with pytest.raises(InputError, match='trained on scans 0 to 3 of drive'):
            refuse_seen(adapted.path, 'drive', wanted)
    refuse_seen(adapted.path, 'drive', range(1, 3))
    refuse_seen(adapted.path, 'other')
    adapt('again', 'elsewhere', adapted.path)
    twice = Bundle.load(tmp_path / 'again/bundle').manifest.training
    assert twice['recorded'] == [{'name': 'drive', 'scans': [0, 3]},
                                 {'name': 'elsewhere', 'scans': [0, 3]}]
