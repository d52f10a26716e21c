"""The real node with learned costs that take their time, or fail, as x of the first place says."""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import OutputError
from eq_navigation.graph import GeometricGraph
from eq_navigation.nodes.graph_planner import GraphPlannerNode
from eq_navigation.nodes.graph_planner import Parameters
from eq_navigation.planner import Costs
from eq_ros.process import run

SLOW, NONSENSE, RAISE = 40, 41, 42      # rows of the maps that provoke it


def costs(graph: GeometricGraph) -> NDArray[np.float64]:
    """Judges moves."""
    rows = round(float(np.ptp(graph.position[:, 1]) / .1)) + 1
    if rows == SLOW:
        time.sleep(1.)
    if rows == NONSENSE:
        raise OutputError('the model gave a cost that is negative or not finite')
    if rows == RAISE:
        raise ValueError('told to raise')
    return graph.length


def make(parameters: Parameters) -> Costs:
    return costs


if __name__ == '__main__':
    sys.exit(run(lambda: GraphPlannerNode(make)))
