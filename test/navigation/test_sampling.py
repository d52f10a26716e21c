"""Sampling planners beside ours: their paths are no shorter than the shortest, and stay free."""

import numpy as np
import pytest

pytest.importorskip('ompl')

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.planning.sampling import PLANNERS
from eq_eval.planning.sampling import sampled_path
from eq_navigation.planner import Planner


@pytest.mark.parametrize('name', PLANNERS)
def test_a_sampled_path_leads_around_the_wall_and_there_is_none_through_it(name):
    cells = np.zeros((30, 40), np.int8)
    cells[5:, 20] = 100
    world = OccupancyMap(cells, 1.)
    start, goal = np.array([10.5, 25.5]), np.array([30.5, 25.5])
    least = 2 * np.hypot(9.5, 20.5) + 1        # over the upper end of the wall
    length, milliseconds = sampled_path(name, world.traversable(), start, goal)
    # OMPL looks at a motion point by point, so that it may cut a corner by a part of a cell.
    assert .99 * least < length < 1.5 * least and milliseconds > 0
    ours = Planner().plan(world, (*start, 0.), (*goal, 0.))
    assert ours.length < 1.1 * least
    cells[:, 20] = 100
    assert np.isinf(sampled_path(name, OccupancyMap(cells, 1.).traversable(), start, goal)[0])
