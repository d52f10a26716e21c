"""The live planner: every request is answered with a valid path or with Nav2's reason."""

from __future__ import annotations

import copy

from fake_graph_planner import NONSENSE
from fake_graph_planner import RAISE
from fake_graph_planner import SLOW
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from action_msgs.msg import GoalStatus
from graph import ACTIVATE
from graph import DEACTIVATE
from graph import Graph
from planner_graph import grid
from planner_graph import house
from planner_graph import places
from planner_graph import PlannerGraph
from planner_graph import pose
from rosgraph_msgs.msg import Clock

from eq_navigation.outcome import ErrorCode
from eq_navigation.planner import is_valid
from eq_ros import messages
from eq_ros.maps import decode_map

pytestmark = pytest.mark.skipif(
    None in (messages.TFMessage, messages.OccupancyGridUpdate, messages.ComputePathToPose),
    reason='needs tf2_msgs, map_msgs and an action to plan')
FAKE = 'fake_graph_planner.py'


@pytest.fixture
def planner(graph: Graph) -> PlannerGraph:
    return PlannerGraph(graph)


def open_space(rows: int) -> object:
    """A map whose inside has some rows."""
    return grid(np.zeros((rows, 30), np.int8))


def test_goals_are_answered_with_valid_paths_on_the_newest_map(planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start()
    assert planner.go(pose(7., 4.5)) is None        # neither a map nor a place
    assert graph.count('dropped.no_map') == 1
    planner.give_map(house())
    planner.place('base_link', 1., 1.)
    path = planner.go(pose(7., 4.5, 1.))
    assert path.header.frame_id == 'map' and path.header.stamp.sec == 1
    world = decode_map(house())
    assert is_valid(world, world.traversable(.2), places(path))
    np.testing.assert_allclose(places(path)[[0, -1]], [[1., 1.], [7., 4.5]])
    turn = path.poses[-1].pose.orientation
    assert 2 * np.arctan2(turn.z, turn.w) == pytest.approx(1.)
    update = messages.OccupancyGridUpdate(header=messages.header('map', 0), x=40, y=45, width=1,
                                          height=10)
    update.data.frombytes(bytes([100] * 10))
    planner.updates.publish(update)                 # the door closes
    graph.wait(lambda: planner.go(pose(7., 4.5)) is None, 'closed')
    assert graph.count('dropped.no_valid_path') == 1
    planner.give_map(house(.5))                     # the same house lies at another angle
    cos, sin = np.cos(.5), np.sin(.5)
    planner.place('goal_post', 7. * cos - 4.5 * sin - 1., 7. * sin + 4.5 * cos - 1., 'base_link')
    aside = None

    def arrived() -> bool:
        nonlocal aside
        aside = planner.go(pose(0., 0., frame_id='goal_post'))
        return aside is not None
    graph.wait(arrived, 'a path on the turned map')
    np.testing.assert_allclose(places(aside)[-1], [7. * cos - 4.5 * sin, 7. * sin + 4.5 * cos],
                               atol=1e-9)
    graph.settled()
    assert graph.balance() == 0


def test_a_goal_is_planned_to_again_when_the_map_changes_if_asked(planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start('-p', 'replan:=true', '-p', 'robot_radius:=0.0')
    planner.place('base_link', 1., 1.)
    planner.give_map(house())
    graph.wait(lambda: planner.go(pose(7., 4.5)) is not None, 'path')
    before, seen = planner.paths[-1], len(planner.paths)
    update = messages.OccupancyGridUpdate(header=messages.header('map', 0), x=40, y=45, width=1,
                                          height=5)
    update.data.frombytes(bytes([100] * 5))         # half the door closes
    planner.updates.publish(update)
    graph.wait(lambda: len(planner.paths) > seen, 'another path')
    at_door = [places(path)[np.abs(places(path)[:, 0] - 4.05).argmin(), 1]
               for path in (before, planner.paths[-1])]
    assert at_door[0] < 5. < at_door[1]
    graph.settled()
    assert graph.balance() == 0


def test_the_action_answers_with_the_codes_of_nav2(planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start('-p', 'tolerance:=0.0')
    planner.give_map(house())
    start = pose(1., 1.)
    nowhere, lost = pose(1., 1.), pose(1., 1., frame_id='moon')
    nowhere.pose.position.x = float('nan')
    for expected, goal, first, planner_id in (
            (ErrorCode.NONE, pose(7., 4.5), start, ''),
            (ErrorCode.NONE, pose(1., 1.), start, 'GraphPlanner'),
            (ErrorCode.INVALID_PLANNER, pose(7., 4.5), start, 'GridBased'),
            (ErrorCode.TF_ERROR, pose(7., 4.5), None, ''),      # nobody knows where the robot is
            (ErrorCode.TF_ERROR, lost, start, ''),
            (ErrorCode.START_OUTSIDE_MAP, pose(7., 4.5), pose(-1., 1.), ''),
            (ErrorCode.GOAL_OUTSIDE_MAP, pose(9., 1.), start, ''),
            (ErrorCode.START_OCCUPIED, pose(7., 4.5), pose(4.05, 1.), ''),
            (ErrorCode.GOAL_OCCUPIED, pose(4.05, 1.), start, ''),
            (ErrorCode.NO_VALID_PATH, pose(6.5, 1.), start, ''),
            (ErrorCode.UNKNOWN, nowhere, start, ''),
            (ErrorCode.UNKNOWN, pose(7., 4.5, frame_id=''), start, '')):
        status, result = planner.result(planner.ask(goal, first, planner_id))
        assert result.error_code == expected, result.error_msg
        if expected == ErrorCode.NONE:
            assert status == GoalStatus.STATUS_SUCCEEDED and result.path.poses
        else:
            assert status == GoalStatus.STATUS_ABORTED and not result.path.poses
            assert result.error_msg
    values = graph.settled()
    assert (values['published'], values['dropped.tf_error'], values['dropped.bad_pose'],
            values['dropped.frame']) == ('2', '2', '1', '1')
    assert graph.balance() == 0
    assert not graph.set_parameter('max_planning_time', 0.).successful
    assert graph.set_parameter('max_planning_time', .01).successful
    planner.give_map(grid(np.zeros((3000, 3000), np.int8)), '3000 x 3000')
    status, result = planner.result(planner.ask(pose(299., 299.), pose(1., 1.)))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.TIMEOUT)
    assert graph.wait_report('timeout: no path within 0.0')


def test_a_request_that_is_cancelled_or_overtaken_is_told_so_and_counted(
        planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start('-p', 'max_planning_time:=60.0', script=FAKE)
    planner.give_map(open_space(SLOW))
    start, goal = pose(.5, .5), pose(2., 3.)
    slow = planner.ask(goal, start)
    cancelled = slow.cancel_goal_async()
    status, result = planner.result(slow)
    assert status == GoalStatus.STATUS_CANCELED and 'cancelled' in result.error_msg
    graph.wait(cancelled.done, 'cancel response')
    planner.give_map(open_space(SLOW))      # so that costs are judged again
    first, second = planner.ask(goal, start), planner.ask(goal, start)
    status, result = planner.result(first)
    assert status == GoalStatus.STATUS_ABORTED and 'newer goal' in result.error_msg
    status, result = planner.result(second)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.path.poses
    values = graph.settled()
    assert (values['received'], values['published'], values['dropped.cancelled'],
            values['dropped.busy']) == ('3', '1', '1', '1')
    assert graph.balance() == 0


def test_costs_that_fail_leave_the_shortest_path_and_a_warning(planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start(script=FAKE)
    planner.place('base_link', .5, .5)
    planner.give_map(open_space(NONSENSE), f'{NONSENSE} x 30')
    path = None

    def arrived() -> bool:
        nonlocal path
        path = planner.go(pose(2., 3.))
        return path is not None
    graph.wait(arrived, 'place of the robot')
    assert len(places(path)) > 10
    assert graph.wait_report('learned costs failed').level == b'\x01'
    planner.give_map(open_space(RAISE), f'{RAISE} x 30')
    before = graph.count('dropped.internal')
    for _ in range(10 - before):
        assert planner.go(pose(2., 3.)) is None
    graph.wait(lambda: graph.values['state'] == 'inactive', 'gave up')
    assert graph.count('dropped.internal') == 10 and graph.balance() == 0
    assert graph.change_state(ACTIVATE)
    planner.give_map(house())
    graph.wait(lambda: planner.go(pose(1., 3.)) is not None, 'comes back')


def test_a_map_that_makes_no_sense_is_refused_until_a_good_one_comes(
        planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start()
    planner.place('base_link', 1., 1.)
    planner.give_map(house())
    graph.wait(lambda: planner.go(pose(1., 3.)) is not None, 'path')
    short = copy.deepcopy(house())
    short.info.width += 1
    planner.give_map(short, 'none')
    assert graph.wait_report('no planning, the map is refused').level == b'\x02'
    assert planner.go(pose(1., 3.)) is None
    planner.give_map(house())
    graph.wait(lambda: graph.reports[-1].message == 'active', 'recovery')
    assert planner.go(pose(1., 3.)) is not None
    graph.settled()
    assert graph.count('dropped.no_map') == 1 and graph.balance() == 0


def test_poses_of_the_robot_grow_old_and_time_may_jump_back(planner: PlannerGraph) -> None:
    graph = planner.graph
    planner.start('-p', 'use_sim_time:=true')
    planner.give_map(house())
    now = Clock()

    def at(seconds: int) -> None:
        now.clock.sec = seconds
        graph.wait(lambda: graph.clock.get_subscription_count() > 0, 'clock')
        graph.clock.publish(now)
    at(100)
    graph.wait(lambda: 'time jumped by +100' in graph.log(), 'time')
    planner.move('base_link', 1., 1., 100.)
    graph.wait(lambda: planner.go(pose(1., 3.)) is not None, 'path')
    at(103)
    graph.wait(lambda: planner.go(pose(1., 3.)) is None, 'old')
    assert graph.wait_report('was last told 3.000 s ago').level == b'\x01'
    at(50)                                          # a bag that begins again
    graph.wait(lambda: 'time jumped by -53' in graph.log(), 'jump')
    assert planner.go(pose(1., 3.)) is None         # where it was later is forgotten
    planner.move('base_link', 2., 2., 50.)
    graph.wait(lambda: planner.go(pose(1., 3.)) is not None, 'path after the jump')
    np.testing.assert_allclose(places(planner.paths[-1])[0], [2., 2.])
    assert graph.change_state(DEACTIVATE)
    graph.settled()
    assert graph.balance() == 0


def test_a_model_that_is_damaged_or_about_other_things_fails_to_configure(
        planner: PlannerGraph, repository) -> None:
    graph = planner.graph
    for path, text in ((repository / 'models' / 'maze_planner', 'a map tells 3'),
                       (repository / 'models', 'configure failed')):
        graph.start('-p', f'model_path:={path}', script='eq_navigation.nodes.graph_planner',
                    name='/graph_planner')
        graph.wait(lambda text=text: text in graph.log(), text)
        graph.wait(lambda: graph.values.get('state') == 'unconfigured', 'alive')
    graph.start('-p', 'spacing:=0.0', script='eq_navigation.nodes.graph_planner',
                name='/graph_planner')
    graph.wait(lambda: "'spacing'" in graph.log(), 'spacing')
