"""A simulated arm that does what the live policy says, as in the demo."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='ROS 2 missing')
pytest.importorskip('open3d', reason='Open3D missing')

from eq_eval.replay.pick_place import PickPlaceRun
from eq_eval.replay.pick_place import play_episodes
from eq_eval.report.builder import environment
from eq_eval.report.pick_place import pick_place_section
from eq_ros.messages import PlanPickPlace

pytestmark = pytest.mark.skipif(PlanPickPlace is None, reason='eq_msgs are not generated')


@pytest.fixture(scope='module')
def run(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> PickPlaceRun:
    return play_episodes(repository / 'models' / 'kit', tmp_path_factory.mktemp('out'), seeds=(3,))


def test_every_question_is_accounted_for_and_the_kit_is_filled(run: PickPlaceRun) -> None:
    result = run.result
    assert result['accounted']
    assert result['asked'] == result['received'] == len(run.acts)
    assert result['published'] == sum(not act.reason for act in run.acts)
    assert result['success'] > 60
    for act in run.acts:
        assert act.pick is not None and act.table.workspace.contains(act.pick[:3, 3])
        assert min(act.scores) > 0


def test_a_threshold_that_nothing_reaches_moves_nothing(
        repository: Path, tmp_path: Path) -> None:
    run = play_episodes(repository / 'models' / 'kit', tmp_path, seeds=(3,),
                        parameters={'score_threshold': '1.0'})
    assert [act.reason for act in run.acts] == ['low_score']
    assert run.result['dropped'] == {'low_score': 1} and run.result['accounted']
    assert run.result['success'] == 0


def test_the_report_shows_every_act(run: PickPlaceRun) -> None:
    section = pick_place_section(run)
    assert len(section['episodes'][0]['pictures']) == len(run.acts) + 1
    text = environment().get_template('pick_place.html.j2').render(pick_place=section)
    HTMLParser().feed(text)
    assert text.count('<figure') == len(run.acts) + 1
    assert 'the balance does not hold' not in text
