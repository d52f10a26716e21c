"""Pure pursuit: its law, and where it leads a simulated robot."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_navigation.pure_pursuit import Command
from eq_navigation.pure_pursuit import PathFollower
from eq_navigation.pure_pursuit import PursuitConfig

STEP = .05      # [s]
LINE = np.column_stack([np.linspace(0, 12, 61), np.zeros(61)])
ANGLE = np.linspace(0, 1.9 * np.pi, 200)
CIRCLE = 4. * np.column_stack([np.sin(ANGLE), 1. - np.cos(ANGLE)])
EIGHT = 5. * np.column_stack([np.sin(ANGLE), np.sin(2 * ANGLE)])
coordinate = st.floats(-50., 50.)


def turned(angle: float) -> np.ndarray:
    """(2, 2) rotation."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def drive(path: np.ndarray, pose: tuple[float, float, float], config: PursuitConfig,
          steps: int = 2000) -> tuple[np.ndarray, Command]:
    """(T, 3) poses of a unicycle that does what it is told, and the last command."""
    follower, poses = PathFollower(path, config), [pose]
    for _ in range(steps):
        x, y, yaw = poses[-1]
        command = follower.command((x, y, yaw))
        if command.arrived:
            break
        yaw += command.turn_rate * STEP / 2
        poses.append((x + command.speed * STEP * math.cos(yaw),
                      y + command.speed * STEP * math.sin(yaw),
                      yaw + command.turn_rate * STEP / 2))
    return np.array(poses), command


@pytest.mark.parametrize('seed', range(40))
def test_turning_path_and_robot_together_turns_nothing_in_the_command(seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, .5, (rng.integers(1, 20), 2)), axis=0)
    x, y, yaw, angle = rng.uniform(-3, 3, 4)
    turn, shift = turned(angle), rng.uniform(-50, 50, 2)
    config = PursuitConfig(max_deviation=1000.)
    here = PathFollower(path, config).command((x, y, yaw))
    there = PathFollower(path @ turn.T + shift, config).command(
        (*(turn @ (x, y) + shift), yaw + angle))
    assert (there.speed, there.turn_rate) == pytest.approx((here.speed, here.turn_rate), abs=1e-9)
    assert there.arrived == here.arrived


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=20),
       st.tuples(coordinate, coordinate, st.floats(-1e3, 1e3)))
def test_no_command_is_beyond_the_limits_or_not_finite(
        path: list[tuple[float, float]], pose: tuple[float, float, float]) -> None:
    config = PursuitConfig(max_deviation=1000.)
    command = PathFollower(np.array(path), config).command(pose)
    assert 0. <= command.speed <= config.speed
    assert abs(command.turn_rate) <= config.max_turn_rate + 1e-9


@pytest.mark.parametrize('path', [LINE, CIRCLE, EIGHT])
@pytest.mark.parametrize('angle', [0., .7, 2.9])
def test_a_turned_drive_is_the_drive_turned(path: np.ndarray, angle: float) -> None:
    turn = turned(angle)
    here, _ = drive(path, (-.3, .4, .2), PursuitConfig(), 400)
    x, y = turn @ (-.3, .4)
    there, _ = drive(path @ turn.T, (x, y, .2 + angle), PursuitConfig(), 400)
    np.testing.assert_allclose(there[:, :2], here[:, :2] @ turn.T, atol=1e-6)


@pytest.mark.parametrize('path', [LINE, CIRCLE, EIGHT])
def test_the_robot_comes_onto_the_path_stays_on_it_and_stops_at_its_end(path: np.ndarray) -> None:
    config = PursuitConfig()
    aside = path[0] + (0., .6)
    poses, last = drive(path, (float(aside[0]), float(aside[1]), 0.), config)
    assert last == Command(arrived=True)
    gap = np.hypot(*(poses[:, None, :2] - path[None]).transpose(2, 0, 1)).min(1)
    assert gap[0] > .25 and gap[len(gap) // 4:].max() < .2
    assert np.hypot(*(poses[-1, :2] - path[-1])) < config.goal_tolerance
    length = np.hypot(*np.diff(poses[:, :2], axis=0).T).sum()
    assert length > .9 * np.hypot(*np.diff(path, axis=0).T).sum()      # no loop was left out
    speed = np.hypot(*np.diff(poses[:, :2], axis=0).T) / STEP
    assert speed.max() <= config.speed + 1e-9 and speed[-1] < config.speed


def test_a_path_behind_the_robot_is_turned_to_on_the_spot() -> None:
    command = PathFollower(LINE, PursuitConfig()).command((3., .1, math.pi))
    assert command.speed == 0. and abs(command.turn_rate) == 1.
    poses, last = drive(LINE, (0., 0., math.pi - .1), PursuitConfig())
    assert last.arrived and poses[:, 0].min() > -.1


def test_a_single_place_is_driven_to() -> None:
    poses, last = drive(np.array([[1., 1.]]), (0., 0., 0.), PursuitConfig())
    assert last.arrived and np.hypot(*(poses[-1, :2] - 1.)) < .2


@pytest.mark.parametrize('pose, reason', [
    ((math.nan, 0., 0.), 'bad_pose'), ((0., math.inf, 0.), 'bad_pose'),
    ((0., 0., math.nan), 'bad_pose'), ((5., 2.1, 0.), 'off_path')])
def test_poses_that_make_no_sense_are_refused(pose: tuple[float, float, float], reason: str
                                              ) -> None:
    with pytest.raises(InputError) as told:
        PathFollower(LINE, PursuitConfig()).command(pose)
    assert told.value.reason == reason


@pytest.mark.parametrize('path', [np.zeros((0, 2)), np.zeros((3, 3)), np.array([[0., np.nan]])])
def test_paths_that_make_no_sense_are_refused(path: np.ndarray) -> None:
    with pytest.raises(InputError) as told:
        PathFollower(path, PursuitConfig())
    assert told.value.reason == 'bad_path'


@pytest.mark.parametrize('name', ['speed', 'lookahead', 'max_turn_rate', 'goal_tolerance'])
@pytest.mark.parametrize('value', [0., -1., math.nan, math.inf])
def test_settings_must_be_positive(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        PursuitConfig(**{name: value})
