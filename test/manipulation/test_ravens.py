"""Ravens behind our protocol: episodes by seed, the oracle's reward, and our own strict check."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_eval.manipulation.ravens import ASSETS
from eq_eval.manipulation.ravens import RavensTask
from eq_eval.manipulation.recording import show_episode
from eq_eval.manipulation.spatial.ravens import RavensInSpace

needs_ravens = pytest.mark.skipif(not ASSETS.is_dir(), reason='the models of Ravens are absent')


@needs_ravens
def test_the_oracle_inserts_the_block_and_a_seed_repeats_its_episode():
    pytest.importorskip('pybullet')
    task = RavensTask('block-insertion')
    try:
        looks = []
        for seed in (0, 0):
            shown, reward = show_episode(task, seed)
            assert reward == 1
            looks.append(shown[0].heightmap)
        np.testing.assert_array_equal(looks[0].height, looks[1].height)
        assert looks[0].height.shape == (320, 160)
        assert .035 < looks[0].height.max() < .05       # the block is 4 cm tall
        position, angle = task.error()
        assert position < .005 and angle < 5
        task.reset(1)
        position, angle = task.error()
        assert position > .05
        assert task.step(np.eye(4), np.eye(4))[0] == 0
    finally:
        task.close()


def test_missing_models_are_named(tmp_path):
    pytest.importorskip('ravens')
    with pytest.raises(ConfigError, match=str(tmp_path)):
        RavensTask('block-insertion', tmp_path)


@needs_ravens
def test_in_six_degrees_of_freedom_the_oracle_is_right_in_all_of_them():
    pytest.importorskip('pybullet')
    task = RavensInSpace()
    try:
        task.reset(0)
        pick, place = task.show()
        assert max(task.pick_error(pick)) < .003
        assert max(task.place_error(pick, place)) < 1e-3
        tilted = place.copy()
        tilted[:3, :3] = Rotation.from_euler('x', 20, degrees=True).as_matrix() @ place[:3, :3]
        assert task.place_error(pick, tilted)[1] == pytest.approx(20, abs=1e-3)
        aside = pick.copy()
        aside[:3, 3] += .05
        assert task.pick_error(aside)[0] > .04
    finally:
        task.close()
