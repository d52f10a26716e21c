"""Demonstrations written as recordings of ROS 2 and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_eval.manipulation import demonstration_bags
from eq_eval.manipulation.demonstration_bags import read_demonstration_bag
from eq_eval.manipulation.demonstration_bags import write_demonstration_bag
from eq_eval.manipulation.recording import show_episode
from eq_eval.manipulation.tabletop.tasks import make_task
from eq_eval.manipulation.tabletop.world import WORKSPACE


@pytest.fixture(scope='module')
def shown():
    task = make_task('kit')
    return [each for seed in (0, 2) for each in show_episode(task, seed)[0]]


def test_what_is_written_is_read_back(tmp_path: Path, shown) -> None:
    write_demonstration_bag(tmp_path / 'bag', shown)
    found = read_demonstration_bag(tmp_path / 'bag', WORKSPACE)
    assert [each.episode for each in found] == [0, 0, 0, 1, 1, 1]
    for before, after in zip(shown, found, strict=True):
        np.testing.assert_array_equal(before.heightmap.seen, after.heightmap.seen)
        np.testing.assert_allclose(before.heightmap.height, after.heightmap.height, atol=1e-6)
        seen = before.heightmap.seen
        np.testing.assert_allclose(before.heightmap.color[seen], after.heightmap.color[seen],
                                   atol=.5 / 255 + 1e-6)
        np.testing.assert_allclose(before.pick, after.pick, atol=1e-12)
        np.testing.assert_allclose(before.place, after.place, atol=1e-12)
    with pytest.raises(ConfigError, match='exists'):
        write_demonstration_bag(tmp_path / 'bag', shown)


def test_recordings_that_lie_are_refused_by_name(tmp_path: Path, shown, monkeypatch) -> None:
    with pytest.raises(InputError, match='absent'):
        read_demonstration_bag(tmp_path / 'absent', WORKSPACE)
    write_demonstration_bag(tmp_path / 'bag', shown[:1])
    with pytest.raises(InputError, match='/other'):
        read_demonstration_bag(tmp_path / 'bag', WORKSPACE, topics=(
            demonstration_bags.POINTS, demonstration_bags.PICK, '/other'))
    with pytest.raises(InputError, match='without a pick'):
        read_demonstration_bag(tmp_path / 'bag', WORKSPACE, topics=(
            demonstration_bags.POINTS, '/b', demonstration_bags.PLACE))
    monkeypatch.setattr(demonstration_bags, '_header', lambda types, frame, stamp: types[
        'std_msgs/msg/Header'](types['builtin_interfaces/msg/Time'](1, 0), str(stamp)))
    write_demonstration_bag(tmp_path / 'frames', shown[:1])
    with pytest.raises(InputError, match='one frame'):
        read_demonstration_bag(tmp_path / 'frames', WORKSPACE)
    monkeypatch.undo()
    bad = replace(shown[0], place=np.full((4, 4), np.nan))
    bad.place[:3, :3] = np.eye(3)
    write_demonstration_bag(tmp_path / 'nan', [bad])
    with pytest.raises(InputError, match='finite'):
        read_demonstration_bag(tmp_path / 'nan', WORKSPACE)
