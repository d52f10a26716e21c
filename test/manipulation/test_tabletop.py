"""The simulated table: what holds, where things come to lie, what oracles earn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import Workspace
from eq_eval.manipulation.demonstrations import load_demonstrations
from eq_eval.manipulation.evaluation import evaluate
from eq_eval.manipulation.evaluation import summarize
from eq_eval.manipulation.face import picked_face
from eq_eval.manipulation.recording import record
from eq_eval.manipulation.recording import show_episode
from eq_eval.manipulation.tabletop.bodies import block
from eq_eval.manipulation.tabletop.bodies import Body
from eq_eval.manipulation.tabletop.bodies import planar_pose
from eq_eval.manipulation.tabletop.tasks import make_task
from eq_eval.manipulation.tabletop.tasks import TASKS
from eq_eval.manipulation.tabletop.tasks import WALL
from eq_eval.manipulation.tabletop.world import World
from eq_manipulation.outcome import PickPlace

TALL = Body((block(.04, .04, .1),), (1., 0., 0.))
FLAT = Body((block(.1, .1, .02),), (0., 1., 0.), movable=False)


class Oracle:
    """Answers what the task itself would do, moved aside."""

    def __init__(self, task, aside=0.):
        self.task, self.aside = task, aside

    def plan(self, heightmap, count=5):
        pick, place = self.task.show()
        place = planar_pose(self.aside, 0., 0., 0.) @ place
        heat = np.zeros(heightmap.height.shape, np.float32)
        return PickPlace(pick[None], np.ones(1), place[None], np.ones(1), heat, heat)


def test_a_cup_holds_the_topmost_body_and_lowers_it_onto_what_is_below():
    world = World(np.random.default_rng(0), [FLAT, TALL.at(.15, .0, .0, .0)])
    assert world.held_by(.2, .2) is None
    assert world.held_by(.0, .0) is None            # fixed
    assert world.held_by(.15, .01) == 1
    world.move(planar_pose(.15, .01, .1, 0.), planar_pose(.02, .01, 0., np.pi / 2))
    moved = world.bodies[1]
    # The cup held it 1 cm beside its middle, which a quarter turn carries round.
    np.testing.assert_allclose(moved.position, (.03, .01, .02), atol=1e-12)
    assert moved.yaw == pytest.approx(np.pi / 2)
    world.move(planar_pose(.03, .01, .1, 0.), planar_pose(.2, .2, 0., 0.))
    assert world.bodies[1].position[2] == 0


@pytest.mark.parametrize('name', TASKS)
def test_episodes_are_repeated_by_their_seed_and_solved_by_the_oracle(name):
    task = make_task(name)
    looks = []
    for seed in (0, 2, 0):
        shown, reward = show_episode(task, seed)
        assert reward == pytest.approx(1)
        assert len(shown) <= task.max_steps
        looks.append(shown[0].heightmap.height)
    np.testing.assert_array_equal(looks[0], looks[2])
    assert not np.array_equal(looks[0], looks[1])
    with pytest.raises(ConfigError, match='insert-l-block'):
        make_task('no-such-task')


def test_a_part_beside_its_hole_earns_nothing_and_lies_on_the_rim():
    task = make_task('insert-l-block')
    found = summarize(evaluate(Oracle(task), task, [1, 3]))
    assert found['success'] == 100 and found['success_strict'] == 100
    episodes = evaluate(Oracle(task, .004), task, [1, 3])
    assert all(each.error[0] > WALL for each in episodes)
    found = summarize(episodes)
    assert found['success'] == 0 and found['success_strict'] == 0
    assert found['rewards'] == {'1': 0., '3': 0.}
    other = make_task('red-in-green')
    assert summarize(evaluate(Oracle(other), other, [1]))['success_strict'] is None


def test_an_evaluation_goes_on_where_it_was_stopped(tmp_path: Path):
    task, kept = make_task('insert-l-block'), tmp_path / 'episodes.jsonl'
    first = evaluate(Oracle(task), task, [1, 3], kept=kept)
    done = []
    again = evaluate(Oracle(task, .004), task, [1, 3, 5], done.append, kept)
    assert again[:2] == first and again[2].reward == 0
    assert done == [1, 2, 3]
    assert evaluate(None, task, [1, 3, 5], kept=kept) == again


def test_recordings_are_of_even_seeds_and_read_back(tmp_path: Path):
    done = []
    record(make_task('kit'), 2, tmp_path / 'kit.npz', done.append)
    shown = load_demonstrations(tmp_path / 'kit.npz')
    assert done == [1, 2] and [each.episode for each in shown] == [0, 0, 0, 2, 2, 2]
    for each in shown:
        points, weight = picked_face(each.heightmap, each.pick)
        assert weight.sum() == pytest.approx(1) and len(points) > 20


def test_the_picked_face_ends_at_edges_and_prefers_its_inside():
    space = Workspace((0., 0., 0.), (.1, .1, .1), .0025)
    height, color = np.zeros((40, 40), np.float32), np.zeros((40, 40, 3), np.float32)
    height[10:20, 10:30] = .05
    color[10:20, 20:30] = 1.            # another body of equal height
    view = HeightMap(height, color, np.ones((40, 40), bool), space)
    pick = planar_pose(*space.place(np.array([10., 14.5, 0.]))[:2], .05, 0.)
    points, weight = picked_face(view, pick)
    assert points.min(0).tolist() == [10, 10] and points.max(0)[1] == 19
    assert points[:, 0].max() == 19
    edge = weight[points[:, 0] == 10].max()
    assert weight[(points == [14, 14]).all(1)][0] > 5 * edge
    nothing = planar_pose(*space.place(np.array([2., 2., 0.]))[:2], .05, 0.)
    points, weight = picked_face(view, nothing)
    assert points.shape == (1, 2) and weight.tolist() == [1.]
