"""Objects of demonstrations that are put elsewhere before they are learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from eq_eval.manipulation.learning import policy_recipe
from eq_eval.manipulation.recording import show_episode
from eq_eval.manipulation.tabletop.tasks import make_task
from eq_eval.training.policy import policy_losses
from eq_eval.training.policy_samples import PolicyStream
from eq_eval.training.rearrange import find_thing
from eq_eval.training.rearrange import put_copy
from eq_eval.training.rearrange import put_elsewhere
from eq_manipulation.planar.config import STRIDE
from eq_manipulation.planar.model import PlanarNetworks

RESOLUTION = .005


@pytest.fixture
def table():
    """An L, and a wall beyond which nothing of the table is."""
    height = np.zeros((60, 60), np.float32)
    height[10:20, 10:14] = height[16:20, 10:18] = .04
    height[40:56, :] = .03
    picture = np.stack([height * 10, height, height])
    inside = np.ones(height.shape, bool)
    inside[:, :4] = False
    return picture, height, inside


def test_a_thing_is_found_with_the_room_it_has(table):
    picture, height, inside = table
    thing = find_thing(picture, height, inside, (12, 12), RESOLUTION)
    assert thing.mask.sum() == 10 * 4 + 4 * 4
    assert thing.middle.tolist() == [14, 14]
    for row, column in thing.free:
        turned = put_elsewhere(picture, thing, np.array([row, column]), .7)
        moved = (turned[1] > .035)
        assert abs(int(moved.sum()) - int(thing.mask.sum())) < 12
        assert (turned[1, 40:56] == np.float32(.03)).all()
        assert inside[moved].all()
    assert find_thing(picture, height, inside, (30, 30), RESOLUTION) is None    # bare table
    assert find_thing(picture, height, inside, (41, 30), RESOLUTION) is None    # too large


def test_quarter_turns_of_a_thing_are_exact(table):
    picture, height, inside = table
    thing = find_thing(picture, height, inside, (12, 12), RESOLUTION)
    alone = np.where(thing.mask, picture, 0)
    moved = put_elsewhere(alone, thing, np.array([29, 30]), np.pi / 2)
    # Turned from columns to rows about its middle, then moved there.
    middle = thing.middle.astype(int)
    cut = alone[:, middle[0] - 9:middle[0] + 10, middle[1] - 9:middle[1] + 10]
    np.testing.assert_array_equal(moved[:, 20:39, 21:40], np.rot90(cut, -1, (1, 2)))


def test_a_copy_lies_on_what_is_there_and_the_thing_stays(table):
    picture, height, inside = table
    thing = find_thing(picture, height, inside, (12, 12), RESOLUTION)
    added = put_copy(picture, thing, np.array([48, 30]), 0., 1)      # on the wall, 3 cm tall
    np.testing.assert_array_equal(added[:, thing.mask], picture[:, thing.mask])
    assert added[1, 45, 27] == pytest.approx(.07)
    assert (added[1] > .05).sum() > 20


def test_what_lies_at_its_place_is_not_taught_as_a_place():
    shown, _ = show_episode(make_task('insert-l-block'), 0)
    recipe = replace(policy_recipe('insert-l-block', shown), finished=1., yaw_degrees=0.,
                     shift=0., scale=0., rearrange=0., batch_size=1)
    batch = next(PolicyStream(shown, recipe).batches(0, 1))
    assert not batch.placing.any()
    red = batch.picture[0, 0].numpy() > .2
    assert ndimage.label(ndimage.binary_opening(red))[1] == 2
    assert set(policy_losses(PlanarNetworks(recipe.policy), batch)) == {'pick', 'place', 'total'}


def test_samples_tell_where_the_object_goes_however_it_was_moved():
    shown, _ = show_episode(make_task('insert-l-block'), 0)
    recipe = replace(policy_recipe('insert-l-block', shown), rearrange=1., finished=0.,
                     yaw_degrees=0., shift=0., scale=0., brightness=0., tint=0.,
                     height_scale=0., batch_size=1)
    final, turns = [], []
    for batch in PolicyStream(shown, recipe).batches(0, 12):
        crop = batch.crop[0].numpy()
        row, column = np.nonzero(crop[0] > .25)         # the only red thing
        # Its cells about the centre of the crop, carried to where it goes.
        offset = np.stack([column, row], -1) + .5 - crop.shape[-1] / 2
        cos, sin = np.cos(batch.angle.item()), np.sin(batch.angle.item())
        carried = offset @ np.array([[cos, sin], [-sin, cos]])
        final.append(carried.mean(0) + STRIDE * batch.corner[0].numpy()[::-1])
        turns.append(batch.angle.item())
        assert batch.pick[0].sum() == pytest.approx(1, abs=1e-5)
    assert np.ptp(turns) > 1
    assert np.ptp(final, axis=0).max() < 2
