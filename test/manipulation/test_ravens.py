"""Ravens behind our protocol: episodes by seed, the oracle's reward, and our own strict check."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_eval.manipulation.ravens import ASSETS
from eq_eval.manipulation.ravens import RavensTask
from eq_eval.manipulation.recording import show_episode

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
