"""What stands apart on a table is looked at in one cube, and the answer is carried back."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.heightmap import Workspace
from eq_eval.manipulation.spatial.world import CUBE
from eq_manipulation.spatial.gathering import gather
from eq_manipulation.spatial.gathering import Gathered

TABLE = Workspace((0., -1., .004), (1., 1., .3), .004)


def scene(second: tuple[float, float, float]) -> Gathered:
    """Two solid boxes, a table and some noise; the second box stands where it is told."""
    rng = np.random.default_rng(0)
    box = rng.uniform(0, 1, (4000, 3)) * [.12, .06, .04]
    level = rng.uniform([0, -1, -.002], [1, 1, .002], (4000, 3))
    noise = np.array([[.9, .9, .2]])
    xyz = np.concatenate([box + [.2, -.6, .01], box[:, [1, 0, 2]] + second, level, noise])
    color = np.zeros_like(xyz)
    color[:4000] = 1
    return gather(xyz, color, TABLE, CUBE)


def test_bodies_come_into_the_cube_whole_and_apart() -> None:
    near = scene((.7, .7, .2))
    assert len(near.xyz) == 8000 and len(near.shifts) == 2
    assert CUBE.contains(near.xyz).mean() > .999
    first, second = (near.xyz[near.color[:, 0] == paint] for paint in (1, 0))
    gap = np.maximum(first.min(0) - second.max(0), second.min(0) - first.max(0)).max()
    assert gap > .05
    np.testing.assert_allclose(np.ptp(first, 0), [.12, .06, .04], atol=1e-3)


def test_poses_are_carried_back_with_the_body_they_are_on() -> None:
    near = scene((.7, .7, .2))
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, :3, 3] = [[.26, -.57, .06], [.73, .76, .25]]
    there = near.forth(poses)
    assert (near.body_at(there[:, :3, 3]) == near.body[[0, -1]]).all()
    np.testing.assert_allclose(near.back(there), poses, atol=1e-9)
    moved = near.xyz - near.shifts[near.body]
    np.testing.assert_allclose(moved[near.color[:, 0] == 0].min(0), [.7, .7, .2], atol=1e-3)


def test_bodies_that_fit_keep_their_distance() -> None:
    near = scene((.3, -.45, .1))
    np.testing.assert_allclose(near.shifts[0], near.shifts[1], atol=1e-9)
    with pytest.raises(InputError, match='nothing'):
        gather(np.zeros((3, 3)), np.zeros((3, 3)), TABLE, CUBE)
