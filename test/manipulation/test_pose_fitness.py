"""Poses that score too low, lie outside or stand on nothing are never given out."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import Workspace
from eq_manipulation.fitness import fit_poses
from eq_manipulation.outcome import PickPlace
from eq_manipulation.outcome import Refusal
from eq_manipulation.outcome import ResultCode
from eq_manipulation.planar.config import PlanarConfig

SPACE = Workspace((.3, -.2, 0.), (.7, .2, .3), .00625)


def table() -> HeightMap:
    """Flat and seen but for one quarter."""
    seen = np.ones((64, 64), bool)
    seen[32:, 32:] = False
    return HeightMap(np.full((64, 64), .01), np.zeros((64, 64, 3)), seen, SPACE)


def poses(*places: tuple[float, float, float]) -> np.ndarray:
    found = np.stack([np.eye(4)] * len(places))
    found[:, :3, 3] = places
    return found


SEEN, HIDDEN, BEYOND, ABOVE = (.4, -.1, .01), (.65, .15, .01), (.71, 0., .01), (.4, -.1, .3)


def answer(picks=(SEEN,), places=(SEEN,), pick_score=None, place_score=None) -> PickPlace:
    heat = np.zeros((32, 32), np.float32)
    return PickPlace(poses(*picks), np.array(pick_score or [.9] * len(picks)), poses(*places),
                     np.array(place_score or [.9] * len(places)), heat, heat)


@pytest.mark.parametrize(('given', 'code', 'text'), [
    ({'picks': (BEYOND, SEEN)}, ResultCode.OUTSIDE_WORKSPACE, 'best pick at \\(0.710'),
    ({'places': (ABOVE,)}, ResultCode.OUTSIDE_WORKSPACE, 'best place at'),
    ({'picks': (HIDDEN, SEEN)}, ResultCode.INVALID_DEPTH, 'where nothing was seen'),
    ({'places': (HIDDEN,)}, ResultCode.INVALID_DEPTH, 'best place'),
    ({'pick_score': [.19]}, ResultCode.LOW_SCORE, 'scores 0.190, expected at least 0.2'),
    ({'place_score': [0.]}, ResultCode.LOW_SCORE, 'best place'),
    ({'places': ()}, ResultCode.LOW_SCORE, 'found no place')])
def test_an_answer_whose_best_pose_is_unfit_is_refused(given, code, text) -> None:
    if given.get('places') == ():
        found = answer()
        object.__setattr__(found, 'place', np.zeros((0, 4, 4)))
        object.__setattr__(found, 'place_score', np.zeros(0))
    else:
        found = answer(**given)
    with pytest.raises(Refusal, match=text) as refused:
        fit_poses(found, table(), .2)
    assert refused.value.code == code


def test_of_the_others_the_unfit_ones_are_left_out() -> None:
    found = fit_poses(answer((SEEN, HIDDEN, (.5, -.1, .01), BEYOND), (SEEN, SEEN),
                             place_score=[.5, .1]), table(), .2)
    np.testing.assert_array_equal(found.pick[:, :2, 3], [[.4, -.1], [.5, -.1]])
    assert found.pick_score.tolist() == [.9, .9] and found.place_score.tolist() == [.5]


def test_a_pose_on_a_corner_of_cells_stands_on_the_cell_that_gave_its_height() -> None:
    seen = np.zeros((64, 64), bool)
    for cell in range(64):
        seen[:] = False
        seen[cell, cell] = True
        corner = SPACE.place(np.array([cell - .5, cell - .5, 1.]))
        alone = HeightMap(np.full((64, 64), .01), np.zeros((64, 64, 3)), seen, SPACE)
        assert len(fit_poses(answer((corner,), (corner,)), alone, .2).pick) == 1


def test_a_workspace_must_be_of_the_size_of_the_policy() -> None:
    config = PlanarConfig(rows=64, columns=64, resolution=.00625, depth=.3, crop=32)
    assert config.workspace_between(SPACE.lower, SPACE.upper).shape == SPACE.shape
    with pytest.raises(ConfigError, match='spans 0.4 x 0.4 x 0.2 m, the policy covers 0.4 x 0.4 x '
                                          '0.3 m: 64 x 64 cells of 0.00625 m'):
        config.workspace_between(SPACE.lower, (.7, .2, .2))
