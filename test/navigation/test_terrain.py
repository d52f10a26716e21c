"""Hidden costs of ground: what is shown is optimal, and what is learnt from it holds elsewhere."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.planning.extent import QUICK
from eq_eval.planning.tasks import run_task
from eq_eval.planning.terrain import grid_terrain
from eq_eval.planning.terrain import scattered_terrain
from eq_eval.planning.terrain_tasks import learn_terrain
from eq_eval.planning.terrain_tasks import score_terrain
from eq_navigation.search import cost_to_go


@pytest.mark.parametrize('make', [grid_terrain, scattered_terrain])
def test_what_is_shown_leads_to_the_goal_at_the_least_true_cost(make):
    rng = np.random.default_rng(0)
    terrain = make(16, rng)
    shown = terrain.demonstrate(rng)
    graph = terrain.graph
    true = graph.matrix(np.where(graph.mask, terrain.cost, np.inf))
    cost, _ = cost_to_go(true, shown.goal)
    assert np.isfinite(cost).all()      # all places hang together
    for node in np.flatnonzero(shown.action >= 0):
        neighbor = graph.neighbor[node, shown.action[node]]
        assert cost[node] == pytest.approx(true[node, neighbor] + cost[neighbor])
    assert (shown.action >= 0).sum() == len(graph) - 1


def test_costs_lie_between_those_of_the_best_and_the_worst_ground():
    terrain = grid_terrain(20, np.random.default_rng(1))
    per_metre = (terrain.cost / np.maximum(terrain.graph.length, 1e-9))[terrain.graph.mask]
    assert per_metre.min() >= 1 and per_metre.max() <= 5 and np.ptp(per_metre) > 2


def test_learnt_costs_plan_nearly_as_well_as_true_ones_where_length_does_not():
    costs, _ = learn_terrain(grid_terrain, 12, 12, 0)
    tests = [grid_terrain(40, np.random.default_rng([5, number])) for number in range(4)]
    learnt, by_length = score_terrain(costs, tests), score_terrain(lambda g: g.length, tests)
    assert learnt['success'] == by_length['success'] == 100
    assert learnt['spl'] > 94 > 90 > by_length['spl']


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(InputError, match='N99'):
        run_task('N99', tmp_path, QUICK, print)
