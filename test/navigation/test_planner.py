"""The planner as a user has it: valid paths, Nav2's codes, and answers that turn with the map."""

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import OutputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.features import MAP_FEATURES
from eq_navigation.outcome import ErrorCode
from eq_navigation.planner import is_valid
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig


def house(origin=(0., 0., 0.), unknown=False):
    """Two rooms, a wall with a door of 1 m between them, and a closed chamber; cells of 0.1 m."""
    cells = np.zeros((60, 80), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = 100
    cells[:, 40] = 100
    cells[45:55, 40] = -1 if unknown else 0
    cells[5:15, [60, 70]] = cells[[5, 15], 60:71] = 100
    return OccupancyMap(cells, .1, origin, 'map')


START, GOAL = (1., 1., 0.), (7., 4.5, 1.)


def test_a_path_leads_through_the_door():
    plan = Planner().plan(house(), START, GOAL)
    assert plan.error_code == ErrorCode.NONE and plan.frame_id == 'map'
    np.testing.assert_allclose(plan.poses[0, :2], START[:2])
    np.testing.assert_allclose(plan.poses[-1], GOAL)
    assert is_valid(house(), house().traversable(), plan.poses[:, :2])
    at_wall = plan.poses[np.abs(plan.poses[:, 0] - 4.05).argmin()]
    assert 4.5 < at_wall[1] < 5.5
    # From start to the lower jamb and from there to the goal is the shortest that there is.
    least = np.hypot(3.1, 3.5) + np.hypot(2.9, 0.)
    assert least - .2 < plan.length < 1.03 * least + .1
    ahead = np.diff(plan.poses[:, :2], axis=0)
    np.testing.assert_allclose(plan.poses[:-1, 2], np.arctan2(ahead[:, 1], ahead[:, 0]))
    assert np.hypot(*ahead.T).max() <= .1 + 1e-9


def test_smoothing_shortens_and_both_ways_are_valid():
    long = Planner(PlanningConfig(smooth=False)).plan(house(), START, GOAL)
    short = Planner().plan(house(), START, GOAL)
    assert short.length < long.length - .05
    assert is_valid(house(), house().traversable(), long.poses[:, :2])


@pytest.mark.parametrize('degrees', [30, 45, 77, 90, 180])
def test_the_path_turns_and_moves_with_the_map(degrees):
    angle, shift = np.deg2rad(degrees), np.array([12., -5.])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def moved(pose):
        return (*(turn @ pose[:2] + shift), pose[2] + angle)
    upright = Planner(PlanningConfig(robot_radius=.2)).plan(house(), START, GOAL)
    aside = Planner(PlanningConfig(robot_radius=.2)).plan(
        house((*shift, angle)), moved(START), moved(GOAL))
    np.testing.assert_allclose(aside.poses[:, :2], upright.poses[:, :2] @ turn.T + shift,
                               atol=1e-9)
    apart = aside.poses[:, 2] - upright.poses[:, 2] - angle
    np.testing.assert_allclose(np.cos(apart), 1, atol=1e-9)


@pytest.mark.parametrize(('start', 'goal', 'code'), [
    ((-1., 1., 0.), GOAL, ErrorCode.START_OUTSIDE_MAP),
    (START, (9., 1., 0.), ErrorCode.GOAL_OUTSIDE_MAP),
    ((4.05, 1., 0.), GOAL, ErrorCode.START_OCCUPIED),
    (START, (4.05, 1., 0.), ErrorCode.GOAL_OCCUPIED),
    (START, (6.5, 1., 0.), ErrorCode.NO_VALID_PATH),
    ((np.nan, 1., 0.), GOAL, ErrorCode.UNKNOWN),
    (START, (1., 1., np.inf), ErrorCode.UNKNOWN)])
def test_no_path_has_a_reason(start, goal, code):
    plan = Planner().plan(house(), start, goal)
    assert plan.error_code == code and plan.poses.shape == (0, 3)
    assert plan.error_text and plan.length == 0


def test_the_size_of_the_robot_decides_about_doors():
    assert Planner(PlanningConfig(robot_radius=.45)).plan(house(), START, GOAL).error_code == 0
    wide = Planner(PlanningConfig(robot_radius=.6)).plan(house(), START, GOAL)
    assert wide.error_code == ErrorCode.NO_VALID_PATH


def test_unknown_space_is_crossed_only_if_allowed():
    assert Planner().plan(house(unknown=True), START, GOAL).error_code == ErrorCode.NO_VALID_PATH
    bold = Planner(PlanningConfig(allow_unknown=True)).plan(house(unknown=True), START, GOAL)
    assert bold.error_code == ErrorCode.NONE


def test_an_occupied_goal_is_replaced_within_the_tolerance():
    inside_wall = (4.05, 2., 0.)
    near = Planner(PlanningConfig(tolerance=.3)).plan(house(), START, inside_wall)
    assert near.error_code == ErrorCode.NONE
    assert 0 < np.linalg.norm(near.poses[-1, :2] - inside_wall[:2]) < .3


def test_a_limit_of_time_is_kept():
    plan = Planner().plan(house(), START, GOAL, time_limit=0.)
    assert plan.error_code == ErrorCode.TIMEOUT and not len(plan.poses)


def test_planning_that_nobody_wants_any_more_ends():
    answers = iter([False, False, True])
    plan = Planner().plan(house(), START, GOAL, cancelled=lambda: next(answers))
    assert plan.error_code == ErrorCode.UNKNOWN and 'cancelled' in plan.error_text
    assert not len(plan.poses) and not list(answers)


def test_learned_costs_decide_and_without_them_the_path_is_the_shortest():
    def shy(graph):         # ground near obstacles costs more
        assert graph.feature.shape[1] == len(MAP_FEATURES)
        return graph.length * (1 + 20 * (1 - graph.feature[:, 2:]))

    def broken(graph):
        raise OutputError('the model gave nonsense')

    world = house()
    clearance = world.clearance(world.obstacles())

    def nearest(plan):
        row, column, _ = world.locate(plan.poses[5:-5, :2])
        return float(clearance[row, column].mean())
    short, wide = Planner().plan(world, START, GOAL), Planner(None, shy).plan(world, START, GOAL)
    assert wide.error_code == ErrorCode.NONE and not wide.note
    assert nearest(wide) > nearest(short) + .1 and wide.length > short.length
    assert is_valid(world, world.traversable(), wide.poses[:, :2])
    failed = Planner(None, broken).plan(world, START, GOAL)
    np.testing.assert_array_equal(failed.poses, short.poses)
    assert 'nonsense' in failed.note and failed.error_code == ErrorCode.NONE


def test_a_new_map_is_taken_and_the_same_one_kept():
    planner, world = Planner(), house()
    assert planner.plan(world, START, GOAL).error_code == ErrorCode.NONE
    closed = world.cells.copy()
    closed[:, 40] = 100
    shut = OccupancyMap(closed, .1)
    assert planner.plan(shut, START, GOAL).error_code == ErrorCode.NO_VALID_PATH
    assert planner.plan(world, START, GOAL).error_code == ErrorCode.NONE


def test_start_and_goal_may_be_the_same():
    plan = Planner().plan(house(), START, START)
    assert plan.error_code == ErrorCode.NONE and plan.length == 0


@pytest.mark.parametrize('change', [{'robot_radius': -1.}, {'occupied': 0}, {'spacing': 0.},
                                    {'tolerance': -.1}, {'robot_radius': float('nan')}])
def test_settings_out_of_range_are_named(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        PlanningConfig(**change)
