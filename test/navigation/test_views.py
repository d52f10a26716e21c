"""The ray caster: what cameras see turns with the heading and with the maze, and is to scale."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from eq_core.errors import ConfigError
from eq_eval.planning.rooms import make_rooms
from eq_eval.planning.rooms import Materials
from eq_eval.planning.rooms import neighbors
from eq_eval.planning.rooms import NO_WALL
from eq_eval.planning.rooms import Rooms
from eq_eval.planning.views import FADING
from eq_eval.planning.views import four_views
from eq_eval.planning.views import PILLAR_HEIGHT
from eq_eval.planning.views import PILLAR_RADIUS
from eq_eval.planning.views import render

EDGE = 5
WALL, FLOOR, CEILING, PILLAR = (.8, .4, .2), (.1, .3, .1), (.2, .2, .9), (1., 0., 0.)


def rooms_of(seed=0):
    return make_rooms(EDGE, np.random.default_rng(seed))


def hall(pillar=(2.5, 2.5)):
    """Three by three rooms without walls inside, all in plain colours."""
    across, along = np.full((3, 4), NO_WALL), np.full((4, 3), NO_WALL)
    across[:, [0, 3]] = along[[0, 3]] = 0
    middle = np.stack([np.arange(9) % 3, np.arange(9) // 3], -1) + .5
    return Rooms(across, along, middle, 8, np.array([pillar]), np.array([PILLAR]),
                 Materials(np.full((1, 2, 3), WALL), np.ones((1, 2), int), np.array(FLOOR),
                           np.array(CEILING)))


def seen(colour, depth):
    return np.rint(255 * np.array(colour) / (1 + FADING * depth))


def same(first, second):
    """Equal but for pixels that lie on an edge to within rounding."""
    return (first == second).all(-3).mean() > .999


def test_a_quarter_turn_of_the_heading_shifts_the_views():
    rooms = rooms_of()
    upright = four_views(rooms, 16, 24)
    for turns in range(1, 5):
        np.testing.assert_array_equal(four_views(rooms, 16, 24, 90. * turns),
                                      np.roll(upright, -turns, 1))
    assert not same(upright, np.roll(upright, 1, 1))


def test_what_is_seen_turns_with_the_maze():
    rooms = rooms_of()
    x, y = rooms.place.T
    px, py = rooms.pillar.T
    turned = replace(rooms, across=rooms.along[::-1].T, along=rooms.across[::-1].T,
                     place=np.stack([EDGE - y, x], -1), pillar=np.stack([EDGE - py, px], -1))
    assert same(np.roll(four_views(rooms, 16, 24), 1, 1), four_views(turned, 16, 24))
    assert same(np.roll(four_views(rooms, 16, 24, 20.), 1, 1), four_views(turned, 16, 24, 20.))


def test_a_mirrored_maze_gives_mirrored_views():
    rooms = rooms_of()
    mirrored = replace(rooms, across=rooms.across[::-1], along=rooms.along[::-1],
                       place=np.abs(rooms.place - [0, EDGE]),
                       pillar=np.abs(rooms.pillar - [0, EDGE]))
    upright, swapped = four_views(rooms, 16, 24), [0, 3, 2, 1]
    assert same(upright[:, swapped, ..., ::-1], four_views(mirrored, 16, 24))
    assert not same(upright, four_views(mirrored, 16, 24))


@pytest.mark.parametrize(('room', 'depth'), [(2, .5), (1, 1.5), (0, 2.5)])
def test_a_wall_is_as_high_and_as_bright_as_its_distance_says(room, depth):
    height, width = 120, 60
    view = render(hall(), hall().place[[room]], np.array([0.]), height, width)[0]
    column = view[:, :, width // 2].T
    wall = (column == seen(WALL, depth)).all(-1)
    # A wall of height 1 at that depth covers 1 / depth of what is 2 wide at depth 1.
    assert wall.sum() == pytest.approx(width / 2 / depth, abs=1)
    assert wall[height // 2] and wall[height // 2 - 1]
    above, below = column[0], column[-1]
    assert above @ [0, 0, 1] == above.max() and below @ [0, 1, 0] == below.max()
    # The optical axis meets it at a right angle, so all of it is equally deep.
    assert (view[:, height // 2, 25:35].T == seen(WALL, depth)).all()


def test_a_pillar_is_seen_where_it_stands_unless_a_wall_is_before_it():
    rooms, width = hall(pillar=(2.4, .5)), 240
    camera = rooms.place[[0]]
    view = render(rooms, camera, np.array([0.]), width, width)[0]
    depth = 2.4 - .5 - PILLAR_RADIUS
    shown = (view == seen(PILLAR, depth)[:, None, None]).all(0)
    assert shown.any()
    red = view[0].astype(int) - view[1] - view[2] > 100
    columns, rows = np.flatnonzero(red.any(0)), np.flatnonzero(red.any(1))
    assert columns.mean() == pytest.approx((width - 1) / 2)
    assert len(columns) == pytest.approx(width * PILLAR_RADIUS / 1.9, abs=2)
    assert len(rows) == pytest.approx(width / 2 * PILLAR_HEIGHT / depth, abs=2)
    left = render(rooms, camera, np.array([-30.]), width, width)[0]
    assert np.flatnonzero((left[0].astype(int) - left[1] - left[2] > 100).any(0)).max() < width / 2
    rooms.across[0, 1] = 0
    walled = render(rooms, camera, np.array([0.]), width, width)[0]
    assert not (walled[0].astype(int) - walled[1] - walled[2] > 100).any()


def test_all_rooms_hang_together_and_doors_open_both_ways():
    for seed in range(5):
        rooms = rooms_of(seed)
        beside, mask = neighbors(EDGE)
        free = rooms.open()
        assert not free[~mask].any()
        node, direction = np.nonzero(free)
        assert free[beside[node, direction], (direction + 2) % 4].all()
        edges = csr_matrix((np.ones(len(node)), (node, beside[node, direction])), (25, 25))
        assert connected_components(edges)[0] == 1
        apart = rooms.place[beside[mask]] - rooms.place[np.nonzero(mask)[0]]
        assert np.abs(np.abs(apart).max(-1) - 1).max() < .21


def test_a_maze_of_one_room_is_refused():
    with pytest.raises(ConfigError, match='edge must be at least 2, got 1'):
        make_rooms(1, np.random.default_rng(0))
