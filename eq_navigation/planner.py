"""Five lines from a map to a path.

Example::

    planner = Planner(PlanningConfig(robot_radius=.25))
    plan = planner.plan(world, start=(0, 0, 0), goal=(12, 3, 1.57))
    if plan.error_code == ErrorCode.NONE:
        follow(plan.poses)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from eq_core.errors import ConfigError
from eq_core.errors import EqError
from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.budget import Budget
from eq_navigation.budget import RATES
from eq_navigation.cells import Cell
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.cells import Window
from eq_navigation.corridor import find_corridor
from eq_navigation.features import map_features
from eq_navigation.graph import GeometricGraph
from eq_navigation.graph import grid_graph
from eq_navigation.outcome import ErrorCode
from eq_navigation.outcome import Plan
from eq_navigation.outcome import Refusal
from eq_navigation.search import NO_ROUTE
from eq_navigation.search import route_within
from eq_navigation.search import shortest_route
from eq_navigation.segments import segments_free
from eq_navigation.smoothing import headings
from eq_navigation.smoothing import pull
from eq_navigation.smoothing import resample

DETOUR = 1.5        # most paths are no longer than this times the distance
SMALL = 1 << 20     # of a map with more cells only a part is made a graph

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Mask = NDArray[np.bool_]
Pose = tuple[float, float, float]
Costs = Callable[[GeometricGraph], Double]


@dataclass(frozen=True)
class PlanningConfig:
    """How paths are looked for.

    Attributes:
        robot_radius: The centre keeps farther from obstacles than this [m].
        occupied: Least occupancy of an obstacle, 1..100.
        allow_unknown: Whether unknown cells may be crossed.
        smooth: Whether paths are pulled tight.
        spacing: Largest distance of two poses of a path [m].
        tolerance: A goal that is occupied is replaced by the nearest place that can be reached
            within this distance [m]; 0 refuses it.
    """

    robot_radius: float = 0.
    occupied: int = 65
    allow_unknown: bool = False
    smooth: bool = True
    spacing: float = .1
    tolerance: float = 0.

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        limits = {'robot_radius': (0, 100), 'occupied': (1, 100), 'spacing': (1e-3, 100),
                  'tolerance': (0, 100)}
        for each in fields(self):
            low, high = limits.get(each.name, (0, 1))
            value = getattr(self, each.name)
            if not low <= value <= high:
                raise ConfigError(f'{each.name} must be in {low}..{high}, got {value}')


class Planner:
    """Shortest or, with learned costs, cheapest paths on the cells of an occupancy map.

    Turning or moving the map together with start and goal turns and moves the path.
    """

    def __init__(self, config: PlanningConfig | None = None, costs: Costs | None = None) -> None:
        """Keeps the settings; a map is prepared when it first comes.

        Args:
            config: The settings.
            costs: Judges moves between places with `MAP_FEATURES`; lengths do if None. Paths on
                learned costs are not pulled tight, as that would lead over costly ground.
        """
        self.config = config if config is not None else PlanningConfig()
        self._costs = costs
        self._cells: Cells | None = None
        self._graph: CellGraph | None = None
        self._priced: tuple[CellGraph, csr_matrix] | None = None
        self._rates = dict(RATES)

    def plan(self, world: OccupancyMap, start: Pose, goal: Pose, time_limit: float = np.inf,
             cancelled: Callable[[], bool] = lambda: False) -> Plan:
        """Looks for a path; every path is checked against the map before it is given.

        Args:
            world: The map. What was prepared is kept as long as the same map comes again.
            start: x, y, yaw in the frame of the map [m, rad].
            goal: Likewise.
            time_limit: The answer is `TIMEOUT` if it takes or would take longer [s].
            cancelled: Asked now and then whether the answer is not wanted any more.
        """
        budget = Budget(time_limit, cancelled, self._rates)
        poses, code, text, note = np.zeros((0, 3)), ErrorCode.NONE, '', ''
        try:
            poses, note = self._plan(world, np.asarray(start, float), np.asarray(goal, float),
                                     budget)
        except Refusal as refusal:
            code, text = refusal.code, str(refusal)
        return Plan(poses, code, text, world.frame_id, 1e3 * budget.spent, note)

    def edges_around(self, path: Double, reach: float) -> tuple[Double, Double]:
        """Tells what the last path was chosen from.

        Args:
            path: (L, 2) [m].
            reach: Moves between places that are nearer to the path are told [m].

        Returns:
            (M, 2, 2) moves, each from, to [m], and (M,) what they cost per metre.
        """
        graph, edges = self._priced or (self._graph, None)
        if graph is None or not len(path):
            return np.zeros((0, 2, 2)), np.zeros(0)
        place = graph.place(np.arange(len(graph.cell)))
        near = np.flatnonzero(np.isfinite(
            cKDTree(path).query(place, distance_upper_bound=reach)[0]))
        chosen = (graph.edges if edges is None else edges)[near][:, near].tocoo()
        once = chosen.row < chosen.col
        ends = place[near][np.stack([chosen.row, chosen.col], -1)[once]]
        length = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
        return ends, np.asarray(chosen.data[once] / np.maximum(length, 1e-9))

    def _plan(self, world: OccupancyMap, start: Double, goal: Double, budget: Budget
              ) -> tuple[Double, str]:
        for name, pose in (('start', start), ('goal', goal)):
            if pose.shape != (3,) or not np.isfinite(pose).all():
                raise Refusal(ErrorCode.UNKNOWN, f'{name} must be x, y, yaw, finite, got {pose}')
        cells = self._prepare(world, budget)
        first = self._cell(cells, start, 'start', 0.)
        last = self._cell(cells, goal, 'goal', self.config.tolerance)
        if cells.part[first] != cells.part[last]:
            raise Refusal(ErrorCode.NO_VALID_PATH, f'no way leads from {start[:2]} to {goal[:2]}')
        priced, note = self._price(cells, budget)
        nodes, place = (self._search(cells, first, last, budget) if priced is None else
                        self._cheapest(priced, first, last, budget))
        moved = last != _cell_at(world, goal)
        end = place[-1] if moved else goal[:2]
        path = np.concatenate([start[None, :2], place[1:-1], end[None]])
        return self._finish(cells, path, float(goal[2]), priced is None), note

    def _prepare(self, world: OccupancyMap, budget: Budget) -> Cells:
        """Finds out where the robot can be."""
        if self._cells is None or self._cells.world is not world:
            with budget.step('map', world.cells.size):
                cells = Cells(world, world.traversable(
                    self.config.robot_radius, self.config.occupied, self.config.allow_unknown))
                _ = cells.part
            self._cells, self._graph, self._priced = cells, None, None
        return self._cells

    def _search(self, cells: Cells, first: Cell, last: Cell, budget: Budget
                ) -> tuple[Integer, Double]:
        """Finds the shortest way: nodes, and (L, 2) their places.

        Looks within a length; what is not found there is looked for within more. Of a large map
        only the part is taken that no path of the length leaves; if that is large too, a corridor
        is looked through first, in which a path may be a little longer than the shortest.
        """
        world = cells.world
        ends = np.array([first, last])[:, ::-1] + .5
        apart = float(np.hypot(*(ends[1] - ends[0])))
        limit, whole, tried = DETOUR * apart + 10, Window.of(cells.traversable.shape), False
        while True:
            window = (whole if whole.size <= SMALL else
                      Window.around(ends[0], ends[1], limit, cells.traversable.shape))
            if window.size > SMALL and not tried:
                tried = True
                found = self._along_corridor(cells, first, last, budget)
                if len(found[0]):
                    return found
            graph = self._graph_of(cells, window, budget)
            route = NO_ROUTE
            with budget.step('search', min(len(graph.cell), np.pi * limit ** 2)):
                route = route_within(graph.edges, graph.node(*first), graph.node(*last),
                                     limit * world.resolution)
            if len(route.nodes):
                return route.nodes, graph.place(route.nodes)
            limit *= 2

    def _along_corridor(self, cells: Cells, first: Cell, last: Cell, budget: Budget
                        ) -> tuple[Integer, Double]:
        """Looks for a way near a coarse one: nodes, and (L, 2) their places; none if none."""
        with budget.step('corridor', cells.traversable.size):
            graph = find_corridor(cells, first, last)
        if graph is None:
            return NO_ROUTE.nodes, np.zeros((0, 2))
        return self._cheapest((graph, graph.edges), first, last, budget)

    def _graph_of(self, cells: Cells, window: Window, budget: Budget) -> CellGraph:
        """The moves of a window, or of one that covers it."""
        if self._graph is None or not self._graph.window.covers(window):
            self._graph = None      # both would not always fit into memory
            with budget.step('graph', window.size):
                self._graph = CellGraph(cells, window)
        return self._graph

    def _price(self, cells: Cells, budget: Budget
               ) -> tuple[tuple[CellGraph, csr_matrix] | None, str]:
        """All moves of the map with their learned costs; None and why where there are none."""
        if self._costs is None:
            return None, ''
        if self._priced is None:
            world, config = cells.world, self.config
            with budget.step('costs', 8 * cells.traversable.size):
                graph = grid_graph(cells.traversable, world)
                feature = map_features(world, config.occupied, config.allow_unknown)
                graph = replace(graph, feature=feature[cells.traversable])
                try:
                    edges = graph.matrix(self._costs(graph))
                except EqError as error:
                    return None, f'learned costs failed, the path is the shortest: {error}'
            whole = Window.of(cells.traversable.shape)
            self._priced = self._graph_of(cells, whole, budget), edges
        return self._priced, ''

    def _cheapest(self, priced: tuple[CellGraph, csr_matrix], first: Cell, last: Cell,
                  budget: Budget) -> tuple[Integer, Double]:
        """Finds the way of least cost: nodes, and (L, 2) their places."""
        graph, edges = priced
        route = NO_ROUTE
        with budget.step('search', len(graph.cell)):
            route = shortest_route(edges, graph.node(*first), graph.node(*last))
        return route.nodes, graph.place(route.nodes)

    def _cell(self, cells: Cells, pose: Double, name: str, tolerance: float) -> Cell:
        """The cell that a pose is in, or the nearest within the tolerance where a robot can be."""
        world, at_start = cells.world, name == 'start'
        if not world.locate(pose[:2])[2]:
            raise Refusal(ErrorCode.START_OUTSIDE_MAP if at_start else ErrorCode.GOAL_OUTSIDE_MAP,
                          f'{name} {pose[:2]} is off the map')
        cell = _cell_at(world, pose)
        if not cells.traversable[cell] and tolerance:
            reach = int(np.ceil(tolerance / world.resolution)) + 1
            window = Window.of(cells.traversable.shape)
            window = Window(max(0, cell[0] - reach), min(window.bottom, cell[0] + reach + 1),
                            max(0, cell[1] - reach), min(window.right, cell[1] + reach + 1))
            near = np.argwhere(window.cut(cells.traversable)) + (window.top, window.left)
            apart = np.linalg.norm(world.centre(*near.T) - pose[:2], axis=1)
            if len(near) and apart.min() <= tolerance:
                row, column = near[apart.argmin()]
                cell = int(row), int(column)
        if not cells.traversable[cell]:
            raise Refusal(ErrorCode.START_OCCUPIED if at_start else ErrorCode.GOAL_OCCUPIED,
                          f'{name} {pose[:2]} is occupied or too near to something')
        return cell

    def _finish(self, cells: Cells, path: Double, yaw: float, shortest: bool) -> Double:
        """Smooths, checks and turns places into poses."""
        if self.config.smooth and shortest:
            path = path[pull(cells.traversable, cells.world.to_cells(path))]
        if not is_valid(cells.world, cells.traversable, path):
            raise Refusal(ErrorCode.NO_VALID_PATH, 'the path found would touch an obstacle')
        path = resample(path, self.config.spacing)
        return np.column_stack([path, headings(path, yaw)])


def _cell_at(world: OccupancyMap, pose: Double) -> Cell:
    row, column, _ = world.locate(pose[:2])
    return int(row), int(column)


def is_valid(world: OccupancyMap, traversable: Mask, path: Double) -> bool:
    """Tells whether all legs of a path (L, 2) [m] stay on traversable cells."""
    cells = world.to_cells(path)
    return bool(segments_free(traversable, cells[:-1], cells[1:]).all())
