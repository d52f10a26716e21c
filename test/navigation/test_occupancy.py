"""Maps: places and cells, obstacles, unknown space, the size of the robot, bad input."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap


def room(edge=20, resolution=.1, origin=(0., 0., 0.)):
    """A closed room with one cell of furniture and one unknown cell."""
    cells = np.zeros((edge, edge), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = 100
    cells[5, 7], cells[12, 12] = 100, -1
    return OccupancyMap(cells, resolution, origin)


@pytest.mark.parametrize('origin', [(0., 0., 0.), (-3.5, 2., 0.), (1., -2., .7), (0., 0., 3.14)])
def test_places_are_in_the_cells_whose_centres_they_are(origin):
    world = room(origin=origin)
    rows, columns = np.indices(world.cells.shape).reshape(2, -1)
    row, column, inside = world.locate(world.centre(rows, columns))
    assert inside.all() and (row == rows).all() and (column == columns).all()
    off = world.centre(np.array([-1, 0, 20]), np.array([3, 20, 3]))
    assert not world.locate(off)[2].any()


def test_the_first_cell_lies_at_the_origin():
    np.testing.assert_allclose(room(origin=(5., 1., 0.)).centre(np.array(0), np.array(2)),
                               [5.25, 1.05])
    np.testing.assert_allclose(room(origin=(0., 0., np.pi / 2)).centre(np.array(0), np.array(2)),
                               [-.05, .25], atol=1e-12)


def test_a_robot_keeps_its_radius_from_obstacles_and_unknown_space():
    world = room()
    assert not world.traversable()[5, 7] and not world.traversable()[12, 12]
    assert world.traversable(allow_unknown=True)[12, 12]
    wide = world.traversable(.25)
    rows, columns = np.nonzero(~world.traversable())
    for row, column in np.argwhere(wide):
        assert .1 * np.hypot(rows - row, columns - column).min() > .25
    for row, column in np.argwhere(world.traversable() & ~wide):
        assert .1 * np.hypot(rows - row, columns - column).min() <= .25


def test_a_threshold_divides_free_from_occupied():
    world = OccupancyMap(np.array([[0, 40, 64, 65, 100, -1]], np.int8), 1.)
    assert world.traversable().tolist() == [[True, True, True, False, False, False]]
    assert world.traversable(occupied=41).tolist() == [[True, True, False, False, False, False]]


@pytest.mark.parametrize(('change', 'reason'), [
    ({'cells': np.zeros((0, 4), np.int8)}, 'empty_map'), ({'cells': np.zeros(4)}, 'empty_map'),
    ({'cells': np.full((2, 2), 101)}, 'bad_cells'), ({'cells': np.full((2, 2), -2)}, 'bad_cells'),
    ({'resolution': 0.}, 'bad_resolution'), ({'resolution': np.nan}, 'bad_resolution'),
    ({'origin': (0., np.inf, 0.)}, 'not_finite')])
def test_bad_maps_are_named(change, reason):
    with pytest.raises(InputError) as caught:
        OccupancyMap(**{'cells': np.zeros((2, 2), np.int8), 'resolution': .1, **change})
    assert caught.value.reason == reason


def test_a_map_may_not_be_larger_than_what_can_be_searched():
    with pytest.raises(InputError, match='64000000'):
        OccupancyMap(np.broadcast_to(np.zeros(1, np.int8), (8001, 8000)), .05)
