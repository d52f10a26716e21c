"""Planning by camera views: what is shown is optimal, headings do not matter, and it is learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eq_eval.planning.extent import Extent
from eq_eval.planning.rooms import make_rooms
from eq_eval.planning.rooms import STOP
from eq_eval.planning.tasks import run_task
from eq_eval.planning.view_tasks import distances
from eq_eval.planning.view_tasks import evaluate_views
from eq_eval.planning.view_tasks import judge_of
from eq_eval.planning.view_tasks import learn_views
from eq_eval.planning.view_tasks import plan
from eq_eval.planning.view_tasks import record
from eq_eval.planning.view_tasks import turning_difference
from eq_eval.planning.view_tasks import walk
from eq_eval.training.recipe import ViewPlannerRecipe
from eq_eval.training.view_planner import costs
from eq_eval.training.view_planner import going
from eq_eval.training.view_planner import ViewDemonstration
from eq_navigation.config import ViewPlannerConfig
from eq_navigation.view_model import ViewCost

CONFIG = ViewPlannerConfig()


def recorded(count, edge=4, seed=0):
    rng = np.random.default_rng(seed)
    return [record(make_rooms(edge, rng), rng, CONFIG) for _ in range(count)]


def network(equivariant=True):
    torch.manual_seed(0)
    return ViewCost(ViewPlannerConfig(equivariant=equivariant)).eval()


def random_headings(maze, seed=0):
    return np.random.default_rng(seed).integers(4, size=len(maze.heading))


def test_what_is_shown_leads_to_the_goal_in_fewest_moves_however_the_robot_faces():
    for maze in recorded(5):
        turned = maze.turned(random_headings(maze)).turned(1)
        steps = distances(maze.rooms)
        for start in range(len(steps)):
            assert walk(maze, maze.seen.action, start) == steps[start]
            assert walk(turned, turned.seen.action, start) == steps[start]
        assert (maze.seen.action == STOP).sum() == 1


def test_what_is_shown_of_a_mirrored_maze_is_what_its_mirror_image_shows():
    maze, = recorded(1)
    rooms, goal = maze.rooms, divmod(maze.rooms.goal, 4)
    node = np.arange(16).reshape(4, 4)[::-1].reshape(-1)
    other = replace(rooms, across=rooms.across[::-1], along=rooms.along[::-1],
                    goal=(3 - goal[0]) * 4 + goal[1], place=np.abs(rooms.place - [0, 4])[node],
                    pillar=np.abs(rooms.pillar - [0, 4]))
    expected = record(other, np.random.default_rng(0), CONFIG)
    mirrored = maze.seen.mirrored()
    assert (mirrored.views[node] == expected.seen.views).mean() > .999
    np.testing.assert_array_equal(mirrored.mask[node], expected.seen.mask)
    np.testing.assert_array_equal(node[mirrored.neighbor[node]][expected.seen.mask],
                                  expected.seen.neighbor[expected.seen.mask])
    steps = distances(other)
    assert all(walk(expected, mirrored.action[node], start) == steps[start]
               for start in range(16))


def test_walls_other_ends_and_going_in_circles_are_failures():
    maze, = recorded(1)
    start = int(distances(maze.rooms).argmax())
    closed = np.argmin(maze.rooms.open(), 1)
    assert np.isinf(walk(maze, np.full(16, STOP), start))
    assert np.isinf(walk(maze, closed, start))
    beside, = np.nonzero(distances(maze.rooms) == 1)
    circling = maze.seen.action.copy()
    circling[maze.rooms.goal] = (circling[beside[0]] + 2) % 4
    assert np.isinf(walk(maze, circling, int(beside[0])))


def test_who_is_told_walls_and_goal_succeeds_and_who_knows_nothing_does_not():
    mazes = recorded(6)
    known = {id(maze.seen): np.column_stack([
        np.where(maze.rooms.open(), 1., 99.),
        np.where(np.arange(16) == maze.rooms.goal, 1., 999.)]) for maze in mazes}
    told = evaluate_views(lambda seen: known[id(seen)], mazes, 10)
    assert told['success'] == told['spl'] == 100 and told['queries'] == 60
    assert evaluate_views(lambda seen: np.ones((16, 5)), mazes, 10)['success'] == 0


@pytest.mark.parametrize('heading', ['all alike', 'each its own'])
def test_plans_do_not_change_with_the_headings_unless_the_network_is_plain(heading):
    maze, = recorded(1, 5)
    turns = np.ones(25, int) if heading == 'all alike' else random_headings(maze)
    judge = judge_of(network())
    assert turning_difference(judge, maze, turns) < 1e-4
    assert turning_difference(judge_of(network(False)), maze, turns) > 1e-2
    upright, turned = maze, maze.turned(turns)
    first, second = (plan(judge(each.seen), each.seen) for each in (upright, turned))
    np.testing.assert_array_equal(np.where(first < STOP, (first - turns) % 4, first), second)


def test_values_turn_with_the_headings():
    maze, = recorded(1, 5)
    turns = random_headings(maze, 3)
    with torch.no_grad():
        first, second = (going(network(), each.seen).numpy()
                         for each in (maze, maze.turned(turns)))
    column = (np.arange(4) + turns[:, None]) % 4
    np.testing.assert_allclose(np.take_along_axis(first, column, 1), second[:, :4], rtol=1e-4)
    np.testing.assert_allclose(first[:, 4], second[:, 4], rtol=1e-4)


def test_a_move_costs_the_same_both_ways():
    maze, = recorded(1)
    turned = maze.turned(random_headings(maze)).seen
    with torch.no_grad():
        cost = costs(network(), turned).numpy()
    matrix = np.zeros((16, 16))
    node, column = np.nonzero(turned.mask)
    matrix[node, turned.neighbor[node, column]] = cost[node, column]
    assert (matrix > 0).sum() == turned.mask.sum()
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-6)


def test_joined_mazes_have_no_moves_between_them():
    shown = [maze.seen for maze in recorded(3)]
    batch = ViewDemonstration.joined(shown)
    maze_of = np.arange(48) // 16
    assert (maze_of[batch.neighbor] == maze_of[:, None])[batch.mask].all()
    with torch.no_grad():
        together, alone = (going(network(), each).numpy() for each in (batch, shown[1]))
    np.testing.assert_allclose(together[16:32], alone, rtol=1e-4)


def test_walls_and_goals_are_learnt_from_what_somebody_did():
    mazes = recorded(6)
    judge, _ = learn_views(ViewPlannerRecipe(iterations=250, batch_size=6), mazes)
    turned = [maze.turned(random_headings(maze)) for maze in mazes]
    assert evaluate_views(judge, mazes, 10)['success'] > 90
    assert evaluate_views(judge, turned, 10)['success'] > 90


def test_the_task_compares_networks_under_headings_of_all_kinds(tmp_path):
    said = []
    result = run_task('N7', tmp_path, Extent((2,), (0, 1), 2, 3, view_steps=2), said.append)
    assert len(said) == len(result['rows']) == 2 * 3 * 5
    ours = result['by_heading']['C4']
    assert ours['upright'] == ours['a quarter turn'] == ours['random'] == result['success']
    assert result['difference'] < 1e-4
    plain = max(row['difference'] for row in result['rows'] if row['variant'] == 'plain')
    assert plain > 1e-2 and result['seeds'] == [0, 1] and result['maps'] == [2]
