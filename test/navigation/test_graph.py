"""Graphs of cells and of scattered places; segments that squeeze through nothing."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.graph import GeometricGraph
from eq_navigation.graph import grid_graph
from eq_navigation.graph import radius_graph
from eq_navigation.graph import waypoint_graph
from eq_navigation.segments import segments_free


def maze(edge=24, share=.25, seed=0):
    free = np.random.default_rng(seed).random((edge, edge)) > share
    return free, OccupancyMap(np.where(free, 0, 100).astype(np.int8), .5, (-2., 3., .4))


def slowly_free(free, start, end, samples=4001):
    """Whether many places of a segment, and those a hair beside them, are free."""
    share = np.linspace(0, 1, samples)[:, None]
    place = start + share * (end - start)
    for shift in ([0, 0], [1e-7, 1e-7], [-1e-7, 1e-7], [1e-7, -1e-7], [-1e-7, -1e-7]):
        column, row = np.floor(place + shift).astype(int).T
        inside = (column >= 0) & (column < free.shape[1]) & (row >= 0) & (row < free.shape[0])
        if not inside.all() or not free[row, column].all():
            return False
    return True


def test_segments_agree_with_many_samples():
    free, _ = maze(share=.1)
    rng = np.random.default_rng(1)
    start, end = rng.uniform(-1, 25, (2, 400, 2))
    expected = [slowly_free(free, a, b) for a, b in zip(start, end, strict=True)]
    assert 10 < sum(expected) < 390
    found = segments_free(free, start, end)
    wrong = np.flatnonzero(found != expected)
    # Samples may step over the corner of a cell, so they may miss what is blocked, never the rest.
    assert not (found[wrong]).any() and len(wrong) < 8


def test_segments_between_centres_need_both_cells_beside_a_corner():
    free = np.array([[True, False], [True, True]])
    corner = np.array([[.5, .5], [1.5, 1.5]])
    assert not segments_free(free, corner[:1], corner[1:])[0]
    assert segments_free(np.ones((2, 2), bool), corner[:1], corner[1:])[0]
    assert segments_free(free, np.array([[.5, .5]]), np.array([[.5, 1.5]]))[0]
    assert len(segments_free(free, np.zeros((0, 2)), np.zeros((0, 2)))) == 0


def test_the_grid_has_every_move_that_is_allowed_and_no_other():
    free, world = maze()
    graph = grid_graph(free, world)
    number = {cell: row for row, cell in enumerate(map(tuple, np.argwhere(free)))}
    for (row, column), node in number.items():
        expected = set()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                beside = [(row + dy, column + dx), (row + dy, column), (row, column + dx)]
                if (dy, dx) != (0, 0) and all(cell in number for cell in beside):
                    expected.add(number[beside[0]])
        assert set(graph.neighbor[node][graph.mask[node]].tolist()) == expected
    assert set(np.round(graph.length[graph.mask], 9).tolist()) == {.5, round(.5 * 2 ** .5, 9)}
    assert (graph.length[~graph.mask] == 0).all()
    straight = grid_graph(free, world, diagonal=False)
    assert straight.mask.shape[1] == 4 and straight.mask.sum() == graph.mask[:, :4].sum()


@pytest.mark.parametrize('degrees', [0, 37, 90])
def test_scattered_places_are_joined_alike_from_every_side(degrees):
    free, world = maze(40, .08)
    rng = np.random.default_rng(2)
    rows, columns = np.nonzero(free)
    chosen = rng.choice(len(rows), 150, replace=False)
    # Not at the centres, where many are equally near.
    place = world.centre(rows[chosen], columns[chosen]) + rng.uniform(-.1, .1, (150, 2))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x, y, yaw = world.origin
    turned_world = OccupancyMap(world.cells, world.resolution,
                                (*(turn @ [x, y] + [5., -7.]), yaw + angle))
    first = radius_graph(place, 3., 4, free, world)
    second = radius_graph(place @ turn.T + [5., -7.], 3., 4, free, turned_world)
    np.testing.assert_array_equal(first.neighbor, second.neighbor)
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_allclose(first.length, second.length, atol=1e-9)
    source, column = np.nonzero(first.mask)
    cells = world.to_cells(place)
    assert segments_free(free, cells[source], cells[first.neighbor[source, column]]).all()


def test_waypoints_keep_apart_and_reach_every_room():
    cells = np.zeros((60, 60), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = 100
    cells[30, :] = cells[:, 30] = 100
    cells[30, [12, 13, 14, 45, 46, 47]] = cells[[12, 13, 14], 30] = 0     # three doors, four rooms
    world = OccupancyMap(cells, .1)
    graph = waypoint_graph(world, world.traversable(), .6, 2.)
    apart = np.linalg.norm(graph.position[:, None] - graph.position, axis=-1)
    assert apart[~np.eye(len(graph), dtype=bool)].min() > .6
    assert len(graph) < 120
    assert connected_components(graph.matrix(graph.length))[0] == 1


def test_edges_may_be_left_out_and_lengths_told():
    graph = GeometricGraph.from_edges(np.array([[0., 0.], [3., 4.], [6., 8.]]),
                                      np.array([[0, 1], [1, 0], [1, 2]]))
    np.testing.assert_array_equal(graph.matrix(graph.length).toarray(),
                                  [[0, 5, 0], [5, 0, 5], [0, 0, 0]])
    cost = np.where(graph.neighbor == 2, np.inf, 1.)
    assert graph.matrix(cost).toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    longer = GeometricGraph(graph.position, graph.neighbor, graph.mask, graph.feature,
                            2 * graph.length)
    np.testing.assert_allclose(longer.offset()[0, 0], [6., 8.])


@pytest.mark.parametrize(('field', 'value'), [
    ('position', np.full((2, 2), np.nan)), ('neighbor', np.full((2, 1), 2)),
    ('neighbor', np.zeros((2, 2), int)), ('mask', np.ones((1, 1), bool)),
    ('feature', np.zeros((3, 1), np.float32)), ('length', np.zeros((2, 3)))])
def test_bad_graphs_are_named(field, value):
    good = {'position': np.eye(2), 'neighbor': np.array([[1], [0]]),
            'mask': np.ones((2, 1), bool), 'feature': np.zeros((2, 0), np.float32)}
    with pytest.raises(InputError, match=field):
        GeometricGraph(**{**good, field: value})
