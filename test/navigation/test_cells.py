"""Parts of maps, windows that no short path leaves, corridors: fast, and still right."""

import numpy as np
import pytest

from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation import planner as planner_module
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.cells import Window
from eq_navigation.corridor import find_corridor
from eq_navigation.outcome import ErrorCode
from eq_navigation.planner import is_valid
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig
from eq_navigation.search import shortest_route


def rubble(seed, edge=120):
    """A map with boxes of all sizes lying about; cells of 0.1 m."""
    rng = np.random.default_rng(seed)
    cells = np.zeros((edge, edge), np.int8)
    for _ in range(edge // 2):
        row, column, height, width = (*rng.integers(0, edge, 2), *rng.integers(2, 18, 2))
        cells[row:row + height, column:column + width] = 100
    return OccupancyMap(cells, .1, (3., -2., .4))


def ends(world, seed):
    rng = np.random.default_rng(seed)
    free = np.argwhere(world.traversable())
    chosen = free[rng.integers(len(free), size=2)]
    return [tuple(map(int, cell)) for cell in chosen]


@pytest.mark.parametrize('seed', range(6))
def test_no_path_within_a_length_leaves_its_window(seed):
    world = rubble(seed)
    cells = Cells(world, world.traversable())
    first, last = ends(world, seed)
    whole = CellGraph(cells)
    route = shortest_route(whole.edges, whole.node(*first), whole.node(*last))
    assert bool(len(route.nodes)) == bool(cells.part[first] == cells.part[last])
    if not len(route.nodes):
        return
    window = Window.around(*(np.array(cell)[::-1] + .5 for cell in (first, last)),
                           route.cost / world.resolution + 1e-6, cells.traversable.shape)
    part = CellGraph(cells, window)
    assert Window.of(cells.traversable.shape).covers(window)
    again = shortest_route(part.edges, part.node(*first), part.node(*last))
    assert again.cost == pytest.approx(route.cost)
    np.testing.assert_allclose(part.place(again.nodes[[0, -1]]),
                               whole.place(route.nodes[[0, -1]]))
    assert all(part.node(*map(int, cell)) == number for number, cell in enumerate(part.cell))


@pytest.mark.parametrize('seed', range(6))
def test_parts_of_large_maps_give_the_paths_of_all_of_it(monkeypatch, seed):
    world = rubble(seed)
    places = [(*map(float, world.centre(*np.array(cell))), 0.) for cell in ends(world, seed)]
    config = PlanningConfig(smooth=False)
    whole = Planner(config).plan(world, *places)
    monkeypatch.setattr(planner_module, 'SMALL', 1)
    monkeypatch.setattr(planner_module, 'find_corridor', lambda *_: None)
    windows = Planner(config).plan(world, *places)
    assert windows.error_code == whole.error_code
    assert windows.length == pytest.approx(whole.length)
    monkeypatch.undo()
    monkeypatch.setattr(planner_module, 'SMALL', 1)
    corridor = Planner(config).plan(world, *places)
    assert corridor.error_code == whole.error_code
    assert corridor.length >= whole.length - 1e-9
    assert is_valid(world, world.traversable(), corridor.poses[:, :2])


def test_a_corridor_is_a_part_of_what_is_free_and_there_may_be_none():
    world = rubble(1)
    cells = Cells(world, world.traversable())
    first, last = ends(world, 1)
    graph = find_corridor(cells, first, last)
    assert graph is not None and 0 < len(graph.cell) < cells.traversable.sum()
    assert cells.traversable[tuple(graph.cell.T)].all()
    narrow = np.zeros((40, 40), bool)
    narrow[20] = narrow[:, 2] = True        # ways of one cell, no block is free
    assert find_corridor(Cells(OccupancyMap(np.zeros((40, 40)), 1.), narrow), (20, 30), (5, 2)) \
        is None


def test_a_huge_map_is_answered_with_the_right_code():
    cells = np.zeros((4000, 4000), np.int8)
    cells[:, 2000] = 100
    cells[3000:3040, 2000] = 0
    cells[100:200, [3000, 3100]] = cells[[100, 200], 3000:3101] = 100
    world, planner = OccupancyMap(cells, .05), Planner(PlanningConfig(robot_radius=.2))
    start = (10., 10., 0.)
    through = planner.plan(world, start, (190., 10., 0.))
    assert through.error_code == ErrorCode.NONE
    assert through.length < 1.05 * (np.hypot(90, 140.5) * 2)
    assert is_valid(world, world.traversable(.2), through.poses[:, :2])
    assert planner.plan(world, start, (152., 7., 0.)).error_code == ErrorCode.NO_VALID_PATH
    assert planner.plan(world, start, (100.02, 10., 0.)).error_code == ErrorCode.GOAL_OCCUPIED
    assert planner.plan(world, start, (300., 10., 0.)).error_code == ErrorCode.GOAL_OUTSIDE_MAP
    late = Planner().plan(world, start, (190., 10., 0.), time_limit=.01)
    assert late.error_code == ErrorCode.TIMEOUT and 'would take' in late.error_text
