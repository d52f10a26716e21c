"""Unknown mazes: what is seen, what is shown, and that the goal is always reached."""

import numpy as np

from eq_eval.planning.exploration import Exploration
from eq_eval.planning.exploration import explore
from eq_eval.planning.exploration import exploring_demonstrations
from eq_eval.planning.exploration import KNOWN_FEATURES
from eq_eval.planning.exploration import optimistic
from eq_eval.planning.exploration import VIEW
from eq_eval.planning.mazes import free_edges
from eq_eval.planning.mazes import make_mazes
from eq_navigation.search import cost_to_go


def test_only_what_is_near_is_seen_and_walls_that_were_seen_are_not_entered():
    maze = make_mazes(1, 15, 4)
    free, lattice = maze.free[0], maze.lattice()
    state = Exploration.begin(free)
    state.look(7 * 15 + 7)
    row, column = np.indices(free.shape)
    near = (abs(row - 7) <= VIEW) & (abs(column - 7) <= VIEW)
    border = (row % 14 == 0) | (column % 14 == 0)
    np.testing.assert_array_equal(state.seen, near | border)
    graph = state.graph(lattice)
    assert graph.feature.shape == (225, KNOWN_FEATURES)
    seen_wall = (state.seen & ~free).reshape(-1)
    assert not seen_wall[graph.neighbor[graph.mask]].any() and not graph.mask[seen_wall].any()
    hidden = lattice.mask & ~seen_wall[lattice.neighbor] & ~seen_wall[:, None]
    np.testing.assert_array_equal(graph.mask, hidden)
    np.testing.assert_array_equal(graph.feature[:, 0] + graph.feature[:, 1] + seen_wall, 1)
    assert graph.feature.min() >= 0 and graph.feature.max() <= 1


def test_every_goal_that_can_be_reached_is_reached_and_never_sooner_than_possible():
    mazes = make_mazes(8, 15, 5)
    lattice, longer = mazes.lattice(), 0
    for number, free in enumerate(mazes.free):
        goal = mazes.goal_row(number)
        distance, _ = cost_to_go(free_edges(lattice, free), goal)
        start = int(np.where(np.isfinite(distance), distance, 0).argmax())
        steps = explore(optimistic, free, start, goal, lattice)
        assert distance[start] <= steps < np.inf
        longer += steps > distance[start]
        cut_off = np.flatnonzero(free.reshape(-1) & ~np.isfinite(distance))
        if len(cut_off):
            assert np.isinf(explore(optimistic, free, int(cut_off[0]), goal, lattice))
    assert longer


def test_what_is_shown_are_best_moves_on_cells_that_were_seen():
    mazes = make_mazes(5, 15, 6)
    shown = exploring_demonstrations(mazes, np.random.default_rng(0))
    assert len(shown) > 5
    for each in shown:
        node = np.flatnonzero(each.action >= 0)
        assert len(node) and (each.graph.feature[node, 0] == 1).all()
        assert each.graph.mask[node, each.action[node]].all()
