"""Maps are read exactly or refused by name: sizes, numbers, frames and origins that lie."""

from __future__ import annotations

from array import array
import copy
from types import SimpleNamespace

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_ros.maps import apply_update
from eq_ros.maps import decode_map
from eq_ros.maps import planar_pose


def stamp_and_frame(frame_id='map', sec=3, nanosec=5):
    return SimpleNamespace(frame_id=frame_id, stamp=SimpleNamespace(sec=sec, nanosec=nanosec))


def pose(x=0., y=0., quaternion=(0., 0., 0., 1.)):
    return SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=0.), orientation=SimpleNamespace(
        **dict(zip('xyzw', quaternion, strict=True))))


def grid(cells, resolution=.1, origin=None, frame_id='map', typed=True):
    height, width = cells.shape
    data = array('b', cells.astype(np.int8).tobytes()) if typed else cells.reshape(-1).tolist()
    return SimpleNamespace(header=stamp_and_frame(frame_id), data=data, info=SimpleNamespace(
        height=height, width=width, resolution=resolution, origin=origin or pose()))


def update(cells, x, y, frame_id='map'):
    return SimpleNamespace(header=stamp_and_frame(frame_id, 9), x=x, y=y, width=cells.shape[1],
                           height=cells.shape[0], data=array('b', cells.astype(np.int8).tobytes()))


CELLS = np.random.default_rng(0).integers(-1, 101, (4, 7))


@pytest.mark.parametrize('typed', [True, False])
def test_a_map_is_read_exactly(typed):
    half = np.deg2rad(40) / 2
    world = decode_map(grid(CELLS, .25, pose(2., -3., (0., 0., np.sin(half), np.cos(half))),
                            typed=typed))
    np.testing.assert_array_equal(world.cells, CELLS)
    assert (world.resolution, world.frame_id, world.stamp) == (.25, 'map', 3 * 10**9 + 5)
    np.testing.assert_allclose(world.origin, (2., -3., np.deg2rad(40)))


def bad_grids():
    def changed(change):
        message = copy.deepcopy(grid(CELLS))
        change(message)
        return message

    def set_info(**values):
        return lambda message: message.info.__dict__.update(values)
    yield 'bad_layout', changed(set_info(width=8))
    yield 'bad_layout', changed(set_info(height=0))
    yield 'bad_layout', changed(set_info(height=2**31, width=2**31))
    yield 'bad_layout', changed(lambda message: message.data.pop())
    yield 'empty_map', grid(np.zeros((0, 7)))
    yield 'bad_cells', grid(np.full((2, 2), 101))
    yield 'bad_cells', grid(np.full((2, 2), -2))
    yield 'bad_cells', grid(np.full((2, 2), 300), typed=False)
    yield 'bad_cells', grid(np.full((2, 2), .5), typed=False)
    yield 'frame', grid(CELLS, frame_id='')
    for resolution in (0., -1., np.nan, np.inf):
        yield 'bad_resolution', grid(CELLS, resolution)
    for origin in (pose(np.nan), pose(0., np.inf), pose(quaternion=(0., 0., 0., 0.)),
                   pose(quaternion=(0., 0., 0., np.nan)), pose(quaternion=(.1, 0., 0., .995))):
        yield 'bad_pose', grid(CELLS, origin=origin)


@pytest.mark.parametrize(('reason', 'message'), bad_grids())
def test_maps_that_lie_are_refused_by_name(reason, message):
    with pytest.raises(InputError) as refused:
        decode_map(message)
    assert refused.value.reason == reason


def test_an_update_changes_its_part_and_leaves_the_old_map():
    world, part = decode_map(grid(CELLS)), np.full((2, 3), 77)
    changed = apply_update(world, update(part, 4, 1))
    np.testing.assert_array_equal(changed.cells[1:3, 4:7], part)
    same = np.ones(CELLS.shape, bool)
    same[1:3, 4:7] = False
    np.testing.assert_array_equal(changed.cells[same], CELLS[same])
    np.testing.assert_array_equal(world.cells, CELLS)
    assert changed.stamp == 9 * 10**9 + 5 and changed.origin == world.origin


@pytest.mark.parametrize(('x', 'y', 'frame_id', 'reason'), [
    (5, 1, 'map', 'bad_layout'), (-1, 0, 'map', 'bad_layout'), (0, 3, 'map', 'bad_layout'),
    (0, -2**31, 'map', 'bad_layout'), (0, 0, 'odom', 'frame')])
def test_updates_elsewhere_are_refused(x, y, frame_id, reason):
    with pytest.raises(InputError) as refused:
        apply_update(decode_map(grid(CELLS)), update(np.zeros((2, 3)), x, y, frame_id))
    assert refused.value.reason == reason


def test_a_pose_is_read_in_the_plane():
    half = 1.2
    assert planar_pose(pose(1., 2., (0., 0., np.sin(half), np.cos(half))), 'it') == pytest.approx(
        (1., 2., 2.4))
    with pytest.raises(InputError, match='it is tilted by 11.48 degrees'):
        planar_pose(pose(quaternion=(.1, 0., 0., .995)), 'it')
