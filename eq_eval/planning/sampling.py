"""Sampling planners of OMPL on the same cells, to compare with."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

PLANNERS = ('RRTConnect', 'BITstar')
SECONDS = .5        # that each plan may take; BIT* takes them all

Double = NDArray[np.float64]


def sampled_path(name: str, traversable: NDArray[np.bool_], start: Double, goal: Double
                 ) -> tuple[float, float]:
    """Plans once.

    Args:
        name: Class of `ompl.geometric`.
        traversable: (H, W).
        start: (2,) column, row in units of cells.
        goal: (2,), likewise.

    Returns:
        Length of the simplified path in units of cells, infinite without an exact one, and the
        time it took [ms].
    """
    from ompl import base
    from ompl import geometric
    from ompl import util
    util.noOutputHandler()
    height, width = traversable.shape
    space = base.RealVectorStateSpace(2)
    bounds = base.RealVectorBounds(2)
    for axis, high in enumerate((width, height)):
        bounds.setLow(axis, 0)
        bounds.setHigh(axis, high)
    space.setBounds(bounds)
    setup = geometric.SimpleSetup(space)

    def is_free(state: object) -> bool:
        column, row = int(state[0]), int(state[1])      # type: ignore[index]
        return bool(0 <= row < height and 0 <= column < width and traversable[row, column])
    setup.setStateValidityChecker(is_free)
    information = setup.getSpaceInformation()
    information.setStateValidityCheckingResolution(.5 / float(np.hypot(height, width)))
    ends = []
    for place in (start, goal):
        state = space.allocState()
        state[0], state[1] = place.tolist()
        ends.append(state)
    setup.setStartAndGoalStates(*ends)
    setup.setPlanner(getattr(geometric, name)(information))
    began = perf_counter()
    setup.solve(SECONDS)
    if not setup.haveExactSolutionPath():
        return np.inf, 1e3 * (perf_counter() - began)
    setup.simplifySolution(SECONDS / 5)
    return float(setup.getSolutionPath().length()), 1e3 * (perf_counter() - began)
