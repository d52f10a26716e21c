"""A recording of maps and goals through the live planner: paths, reasons, pictures, balance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip('rclpy', reason='needs ROS 2')

from eq_eval.cli.main import app
from eq_eval.replay.map_bag import is_map_bag
from eq_eval.replay.map_bag import read_map_bag
from eq_eval.replay.map_bag import record_walk
from eq_eval.replay.planning import PlanningRun
from eq_eval.replay.planning import replay_planning
from eq_eval.report.planning import planning_section
from eq_navigation.planner import is_valid
from eq_ros import messages

pytestmark = pytest.mark.skipif(
    None in (messages.TFMessage, messages.OccupancyGridUpdate), reason='needs tf2_msgs, map_msgs')


@pytest.fixture(scope='module')
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp('recordings') / 'walk')


@pytest.fixture(scope='module')
def run(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> PlanningRun:
    return replay_planning(walk, tmp_path_factory.mktemp('out'))


def test_a_recording_of_maps_is_told_from_others(walk: Path, tmp_path: Path) -> None:
    assert is_map_bag(walk) and not is_map_bag(tmp_path) and not is_map_bag(tmp_path / 'absent')
    kinds = [message.kind for message in read_map_bag(walk)]
    assert kinds == ['map', *['tf', 'goal'] * 3, 'update', *['tf', 'goal'] * 2]


def test_every_goal_has_a_valid_path_or_a_reason(run: PlanningRun) -> None:
    assert run.result['accounted'] is True and run.result['goals'] == 5
    assert run.result['dropped'] == {'goal_occupied': 1} and run.result['published'] == 4
    assert [goal.reason for goal in run.goals] == ['', '', '', '', 'goal_occupied']
    for goal in run.goals[:4]:
        assert goal.world is not None
        assert is_valid(goal.world, goal.world.traversable(.2), goal.path)
        np.testing.assert_allclose(goal.path[-1], goal.xy, atol=1e-6)
    before, after = run.goals[2], run.goals[3]      # the same way, before and after it closed
    np.testing.assert_array_equal(before.xy, after.xy)
    assert before.world is not None and after.world is not None
    assert not is_valid(after.world, after.world.traversable(.2), before.path)
    assert np.hypot(*np.diff(after.path, axis=0).T).sum() > (
        np.hypot(*np.diff(before.path, axis=0).T).sum() + .1)


def test_the_report_shows_each_path_on_the_map_of_its_time(run: PlanningRun) -> None:
    section = planning_section(run)
    assert [[mark['number'] for mark in each['marks']] for each in section['maps']] == [
        [1, 2, 3], [4, 5]]
    assert section['maps'][0]['uri'] != section['maps'][1]['uri']
    for picture, goals in zip(section['maps'], (run.goals[:3], run.goals[3:]), strict=True):
        for mark, goal in zip(picture['marks'], goals, strict=True):
            points = np.array([point.split(',') for point in mark['points'].split()], float)
            assert len(points) == len(goal.path)
            if len(points):
                world = goal.world
                assert world is not None
                column, row = points[:, 0], picture['height'] - points[:, 1]
                np.testing.assert_allclose(np.stack([column, row], -1),
                                           world.to_cells(goal.path), atol=.06)
                assert (mark['x'], mark['y']) == pytest.approx(points[-1].tolist(), abs=.06)
    assert [row['answer'] for row in section['rows']][-1] == 'goal occupied'


def test_the_command_writes_report_and_balance(walk: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ['replay', str(walk), '--out', str(tmp_path / 'out'),
                                      '--json'])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / 'out' / 'result.json').read_text())
    assert figures['accounted'] is True and figures['published'] == 4
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert page.count('<polyline') == 4 and 'goal occupied' in page and 'http' not in (
        page.replace('http://www.w3.org', ''))
    paths = json.loads((tmp_path / 'out' / 'paths.json').read_text())
    assert [bool(path['path']) for path in paths] == [True] * 4 + [False]
    assert (tmp_path / 'out' / 'outputs' / 'metadata.yaml').is_file()
