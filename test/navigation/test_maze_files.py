"""Files of mazes: which moves are taken from them."""

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.planning.mazes import FOUR_STEPS
from eq_eval.planning.mazes import read_mazes


def test_moves_that_do_not_lead_to_the_goal_are_not_shown(tmp_path):
    free = np.ones((1, 5, 5), bool)
    free[0, 3] = False      # cuts off the last row
    move = np.zeros((1, 4, 5, 5), bool)
    move[:, 0] = True       # up from everywhere, through the wall as well
    move[0, :, 0] = False
    move[0, 1, 0, 1:] = True    # and left along the first row, to the goal in its corner
    path = tmp_path / 'mazes.npz'
    np.savez(path, free=free, goal=[[0, 0]], optimal_actions=move)
    mazes = read_mazes(path)
    assert mazes.steps is FOUR_STEPS
    shown = mazes.action[0] >= 0
    assert not shown[0, 0] and shown[0, 1:].all() and shown[1:3].all()
    assert not shown[3:].any()
    np.savez(path, free=free)
    with pytest.raises(InputError, match='not a file of mazes'):
        read_mazes(path)
