"""The segmenter as a user has it: a sequence in, classes, objects and tracks out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_eval.training.export import export_segmenter
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.model import BevSegmenter
from eq_perception.panoptic.segmenter import Segmenter
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracker import Tracker

CONFIG = SegmenterConfig(
    DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(2, 3, 3, 4, 3),
                   depth=(1, 1, 1), score_threshold=.02, max_objects=40),
    pillar_channels=3, column_channels=9, point_channels=6, max_points=3000, instance_score=.02)
SCAN_NS = 10**8


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Random weights: they know no objects, but what they see turns."""
    torch.manual_seed(5)
    model = BevSegmenter(CONFIG)
    with torch.no_grad():
        model.bev.heads['heatmap'].bias.fill_(-2.)
        model.classifier.classify.weight.mul_(3.)
    return export_segmenter(model.eval(), tmp_path_factory.mktemp('bundle') / 'random',
                            sequence(1)[0][0], 'random', {}, '').path


def sequence(count=6, seed=0, number=2500):
    """A still world, seen by a sensor that drives forward and turns a little."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-14, 14, (number, 2))
    lumps = np.round(xy / 4) * 4 + rng.normal(0, .3, (number, 2))
    up = rng.random(number) < .6
    world = np.column_stack([np.where(up[:, None], lumps, xy),
                             np.where(up, rng.uniform(-1.6, .5, number), -1.7)])
    intensity = rng.random(number)
    scans = []
    for index in range(count):
        angle = .02 * index
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        pose[0, 3] = .2 * index
        xyz = (world - pose[:3, 3]) @ pose[:3, :3]
        scans.append((Points.from_xyz(xyz, intensity, 'lidar', (index + 1) * SCAN_NS), pose))
    return scans


def run(bundle, scans, with_poses=True, sweeps=1):
    """The answers of a segmenter that believes every object at first sight."""
    segmenter = Segmenter.from_bundle(bundle, sweeps=sweeps)
    segmenter.tracker = Tracker(TrackerConfig(confirm_hits=1, confirm_score=0.))
    return [segmenter.segment(points, pose if with_poses else None) for points, pose in scans]


@pytest.mark.parametrize('sweeps', [1, 3])
@pytest.mark.parametrize('with_poses', [True, False])
@pytest.mark.parametrize('turns', [1, 2])
def test_a_turned_sequence_has_the_same_classes_and_ids_and_turned_objects(
        bundle, turns, with_poses, sweeps):
    turn = np.eye(4)
    turn[:2, :2] = PlanarGroup(4).matrices[turns]
    scans = sequence()
    upright = run(bundle, scans, with_poses, sweeps)
    aside = run(bundle, [(points.transformed(turn), pose @ turn.T) for points, pose in scans],
                with_poses, sweeps)
    assert len(upright[-1].objects) > 3 and (upright[-1].instance > 0).any()
    for first, second in zip(upright, aside, strict=True):
        assert (first.semantic == second.semantic).mean() > .999
        assert (first.instance == second.instance).mean() > .999
        np.testing.assert_array_equal(first.objects.track_id, second.objects.track_id)
        expected = first.objects.transformed(turn)
        for name in ('center', 'velocity', 'covariance', 'size'):
            np.testing.assert_allclose(getattr(second.objects, name), getattr(expected, name),
                                       atol=2e-3, err_msg=name)


def test_ids_are_never_used_again(bundle):
    segmenter = Segmenter.from_bundle(bundle)
    before, after = set(), set()
    for seen in (before, after):
        for points, pose in sequence(3):
            seen.update(np.unique(segmenter.segment(points, pose).instance).tolist())
        segmenter.reset()
    assert before & after <= {0} and len(before) > 1 < len(after)


def test_time_may_not_go_back_without_a_reset(bundle):
    segmenter = Segmenter.from_bundle(bundle)
    (first, pose), (second, _) = sequence(2)
    segmenter.segment(second, pose)
    with pytest.raises(InputError, match='reset'):
        segmenter.segment(first, pose)
    segmenter.reset()
    assert len(segmenter.segment(first, pose).semantic) == len(first)


def test_every_point_of_a_scan_beyond_the_capacity_has_a_class(bundle):
    points, pose = sequence(1, number=7000)[0]
    answer = Segmenter.from_bundle(bundle).segment(points, pose)
    assert len(answer.semantic) == len(answer.instance) == len(answer.probability) == 7000
    assert (answer.semantic > 0).all() and ((0 < answer.probability) & (
        answer.probability <= 1)).all()


def test_an_object_has_one_class(bundle):
    for answer in run(bundle, sequence(3)):
        for number in np.unique(answer.instance)[1:]:
            assert len(np.unique(answer.semantic[answer.instance == number])) == 1


def test_bad_points_are_named(bundle):
    segmenter = Segmenter.from_bundle(bundle)
    points, pose = sequence(1)[0]
    xyz = points.xyz.copy()
    xyz[3, 1] = np.nan
    with pytest.raises(InputError, match='finite'):
        segmenter.segment(replace(points, xyz=xyz), pose)
    assert len(segmenter.segment(Points.from_xyz(np.zeros((0, 3)), stamp=SCAN_NS)).semantic) == 0


def test_more_sweeps_than_the_model_takes_are_refused(bundle):
    with pytest.raises(InputError, match=r'1\.\.3'):
        Segmenter.from_bundle(bundle, sweeps=4)
