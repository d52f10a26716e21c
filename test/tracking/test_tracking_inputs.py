"""Bad inputs are named and change nothing; strange times are lived through."""

from __future__ import annotations

from dataclasses import fields
from dataclasses import replace

import numpy as np
import pytest
from tracking_scenes import drive
from tracking_scenes import follow
from tracking_scenes import PERIOD
from tracking_scenes import planar_pose
from tracking_scenes import Step

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.config import ObjectClass
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracker import Tracker


def cars(count: int = 20) -> list[Step]:
    return drive(np.array([[-10., 4.], [12., -6.]]), np.array([[8., 0.], [0., 0.]]),
                 np.array([0, 0]), count)


def spoil(column: str, value: float) -> Boxes3D:
    boxes = cars(1)[0].boxes
    changed = getattr(boxes, column).copy()
    changed.reshape(-1)[-1] = value
    return replace(boxes, **{column: changed})


BAD_BOXES = [
    *[(spoil(column, value), 'not_finite') for value in (np.nan, np.inf)
      for column in ('center', 'size', 'yaw', 'score', 'velocity', 'covariance',
                     'heading_confidence')],
    (spoil('size', 0.), 'bad_box'), (spoil('size', -1.), 'bad_box'),
    (spoil('size', 1e9), 'bad_box'), (spoil('score', 1.1), 'bad_box'),
    (spoil('score', -.1), 'bad_box'), (spoil('heading_confidence', 2.), 'bad_box'),
    (spoil('label', 4), 'bad_box'), (spoil('label', -1), 'bad_box'),
    (spoil('covariance', -1.), 'bad_box'),
    (replace(spoil('yaw', 0.), covariance=np.tile([[1., 2.], [2., 1.]], (2, 1, 1))), 'bad_box'),
    (replace(spoil('yaw', 0.), covariance=np.tile([[1., .5], [0., 1.]], (2, 1, 1))), 'bad_box'),
]


@pytest.mark.parametrize(('boxes', 'reason'), BAD_BOXES)
def test_bad_boxes_are_refused_by_name_and_change_nothing(boxes, reason):
    steps = cars()
    disturbed, calm = Tracker(), Tracker()
    for step in steps[:10]:
        disturbed.update(step.boxes, step.pose, step.stamp)
        calm.update(step.boxes, step.pose, step.stamp)
    with pytest.raises(InputError) as caught:
        disturbed.update(boxes, steps[10].pose, steps[10].stamp)
    assert caught.value.reason == reason
    for tracks, expected in zip(follow(disturbed, steps[10:]), follow(calm, steps[10:])):
        np.testing.assert_array_equal(tracks.track_id, expected.track_id)
        np.testing.assert_array_equal(tracks.center, expected.center)


BAD_POSES = [np.eye(3), np.full((4, 4), np.nan), np.zeros((4, 4)), 2 * np.eye(4),
             np.diag([1., 1., -1., 1.]), np.diag([1., -1., -1., 1.])]


@pytest.mark.parametrize('pose', BAD_POSES)
def test_bad_poses_are_refused_and_change_nothing(pose):
    tracker, steps = Tracker(), cars()
    list(follow(tracker, steps[:10]))
    with pytest.raises(TransformError):
        tracker.update(steps[10].boxes, pose, steps[10].stamp)
    assert tracker.update(steps[10].boxes, steps[10].pose,
                          steps[10].stamp).track_id.tolist() == [1, 2]


def test_no_boxes_are_no_fault():
    tracker = Tracker()
    for number in range(3):
        assert len(tracker.update(Boxes3D.empty('lidar'), np.eye(4), number)) == 0
        assert tracker.assignment.shape == (0,)
    assert tracker.update(cars(1)[0].boxes, np.eye(4), 4).track_id.tolist() == [1, 2]


def test_time_that_goes_back_is_named_and_reset_begins_anew():
    tracker, steps = Tracker(), cars()
    list(follow(tracker, steps))
    with pytest.raises(InputError, match='reset') as caught:
        tracker.update(steps[0].boxes, steps[0].pose, steps[0].stamp)
    assert caught.value.reason == 'stamp_back'
    later = steps[-1].stamp + PERIOD
    assert tracker.update(steps[-1].boxes, None, later).track_id.tolist() == [3, 4]
    tracker.reset()
    assert tracker.update(steps[0].boxes, steps[0].pose, 0).track_id.tolist() == [5, 6]


def test_second_look_at_one_moment_sharpens_without_moving():
    tracker, steps = Tracker(), cars(5)
    *_, first = follow(tracker, steps)
    again = tracker.update(steps[-1].boxes, steps[-1].pose, steps[-1].stamp)
    assert again.track_id.tolist() == [1, 2]
    np.testing.assert_allclose(again.center, first.center, atol=.1)
    assert (np.trace(again.covariance, axis1=1, axis2=2)
            < np.trace(first.covariance, axis1=1, axis2=2)).all()


@pytest.mark.parametrize('pause', [10., 1e6, 9e9])
def test_long_pause_ends_all_tracks(pause):
    tracker, steps = Tracker(), cars()
    list(follow(tracker, steps))
    tracks = tracker.update(steps[-1].boxes, steps[-1].pose, steps[-1].stamp + int(pause * 1e9))
    assert tracks.track_id.tolist() == [3, 4]
    assert np.isfinite(tracks.covariance).all()


@pytest.mark.parametrize('every', [2, 8])
def test_slow_scans_are_followed_too(every):
    """A track seen in the scan before is not lost, however long ago that was."""
    tracker, steps = Tracker(TrackerConfig(reid_distance=0.)), cars(60)[::every]
    *_, last = follow(tracker, steps)
    assert last.track_id.tolist() == [1, 2]
    assert tracker.confirmed.all()


def test_missing_covariance_is_taken_as_the_default():
    steps = cars(3)
    bare = [replace(step.boxes, covariance=None) for step in steps]
    given = [replace(step.boxes, covariance=np.tile(
        TrackerConfig().position_default**2 * np.eye(2), (2, 1, 1))) for step in steps]
    one, other = Tracker(), Tracker()
    for step, left, right in zip(steps, bare, given):
        tracks = one.update(left, step.pose, step.stamp)
        expected = other.update(right, step.pose, step.stamp)
        np.testing.assert_array_equal(tracks.covariance, expected.covariance)


def test_tilted_sensor_gets_its_own_boxes_back():
    tilt = np.eye(4)
    tilt[:3, :3] = [[np.cos(.05), 0, np.sin(.05)], [0, 1, 0], [-np.sin(.05), 0, np.cos(.05)]]
    boxes = cars(1)[0].boxes
    tracks = Tracker().update(boxes, planar_pose(50, 20, 1.) @ tilt, 0)
    np.testing.assert_allclose(tracks.center, boxes.center, atol=1e-9)
    np.testing.assert_allclose(tracks.yaw, boxes.yaw, atol=1e-2)


@pytest.mark.parametrize('field', [field.name for field in fields(TrackerConfig)
                                   if field.name != 'classes'])
@pytest.mark.parametrize('value', [-1, np.nan, 1e12])
def test_settings_out_of_range_are_refused_by_name(field, value):
    if field in ('confirm_hits', 'max_tentative_misses') and value != -1:
        pytest.skip('a count may be large')
    with pytest.raises(ConfigError, match=field):
        TrackerConfig(**{field: value})


def test_settings_that_contradict_are_refused():
    with pytest.raises(ConfigError, match='max_lost'):
        TrackerConfig(max_coast=3., max_lost=2.)
    with pytest.raises(ConfigError, match='classes'):
        TrackerConfig(classes=())
    with pytest.raises(ConfigError, match='speed'):
        ObjectClass('car', 'vehicle', 1., 0.)


def test_one_class_is_enough():
    tracker = Tracker(TrackerConfig(classes=(ObjectClass('thing', 'thing', 1., 5.),)))
    *_, last = follow(tracker, cars())
    assert last.track_id.tolist() == [1, 2]
