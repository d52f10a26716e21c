"""Five lines from a map to a path.

Example::

    planner = Planner(PlanningConfig(robot_radius=.25))
    plan = planner.plan(world, start=(0, 0, 0), goal=(12, 3, 1.57))
    if plan.error_code == ErrorCode.NONE:
        follow(plan.poses)
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields
from enum import IntEnum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from eq_core.errors import ConfigError
from eq_navigation.graph import grid_edges
from eq_navigation.occupancy import OccupancyMap
from eq_navigation.search import shortest_route
from eq_navigation.segments import segments_free
from eq_navigation.smoothing import headings
from eq_navigation.smoothing import pull
from eq_navigation.smoothing import resample

DETOUR = 1.5    # most paths are no longer than this times the distance

Double = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pose = tuple[float, float, float]


class ErrorCode(IntEnum):
    """Results of `nav2_msgs/action/ComputePathToPose`, with Nav2's numbers."""

    NONE = 0
    UNKNOWN = 200
    INVALID_PLANNER = 201
    TF_ERROR = 202
    START_OUTSIDE_MAP = 203
    GOAL_OUTSIDE_MAP = 204
    START_OCCUPIED = 205
    GOAL_OCCUPIED = 206
    TIMEOUT = 207
    NO_VALID_PATH = 208


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


@dataclass(frozen=True, eq=False)
class Plan:
    """The answer to one question.

    Attributes:
        poses: (L, 3) x, y, yaw in the frame of the map [m, rad]; empty without a path.
        error_code: `ErrorCode.NONE` with a path, else why there is none.
        error_text: The same in words.
        frame_id: Frame of the map.
        milliseconds: Time it took.
    """

    poses: Double
    error_code: ErrorCode
    error_text: str
    frame_id: str
    milliseconds: float

    @property
    def length(self) -> float:
        """Length of the path [m]."""
        return float(np.hypot(*np.diff(self.poses[:, :2], axis=0).T).sum())


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A map, ready to be searched."""

    world: OccupancyMap
    traversable: Mask
    edges: csr_matrix
    cell: NDArray[np.int64]     # (N,) of each node
    node: NDArray[np.int64]     # (H * W,) of each cell, -1 where there is none

    def place(self, nodes: NDArray[np.int64]) -> Double:
        """(..., 2) centres of nodes [m]."""
        return self.world.centre(*np.divmod(self.cell[nodes], self.traversable.shape[1]))


class _Refusal(Exception):
    """Why there is no path."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Planner:
    """Shortest paths on the cells of an occupancy map.

    Turning or moving the map together with start and goal turns and moves the path.
    """

    def __init__(self, config: PlanningConfig | None = None) -> None:
        """Keeps the settings; a map is prepared when it first comes."""
        self.config = config if config is not None else PlanningConfig()
        self._prepared: _Prepared | None = None

    def plan(self, world: OccupancyMap, start: Pose, goal: Pose,
             time_limit: float = np.inf) -> Plan:
        """Looks for a path; every path is checked against the map before it is given.

        Args:
            world: The map. The graph is kept as long as the same map comes again.
            start: x, y, yaw in the frame of the map [m, rad].
            goal: Likewise.
            time_limit: The answer is `TIMEOUT` if it takes longer [s].
        """
        began = perf_counter()
        poses, code, text = np.zeros((0, 3)), ErrorCode.NONE, ''
        try:
            poses = self._plan(world, np.asarray(start, float), np.asarray(goal, float))
            if perf_counter() - began > time_limit:
                raise _Refusal(ErrorCode.TIMEOUT, f'no path within {time_limit} s')
        except _Refusal as refusal:
            poses, code, text = np.zeros((0, 3)), refusal.code, str(refusal)
        return Plan(poses, code, text, world.frame_id, 1e3 * (perf_counter() - began))

    def _plan(self, world: OccupancyMap, start: Double, goal: Double) -> Double:
        for name, pose in (('start', start), ('goal', goal)):
            if pose.shape != (3,) or not np.isfinite(pose).all():
                raise _Refusal(ErrorCode.UNKNOWN, f'{name} must be x, y, yaw, finite, got {pose}')
        ready = self._prepare(world)
        first = self._node(ready, start, 'start', 0.)
        last = self._node(ready, goal, 'goal', self.config.tolerance)
        distance = float(np.linalg.norm(ready.place(first) - ready.place(last)))
        route = shortest_route(ready.edges, int(first), int(last),
                               DETOUR * distance + 10 * world.resolution)
        if not len(route.nodes):
            raise _Refusal(ErrorCode.NO_VALID_PATH, f'no way leads from {start[:2]} to {goal[:2]}')
        moved = last != self._node_at(ready, goal)
        end = ready.place(last) if moved else goal[:2]
        path = np.concatenate([start[None, :2], ready.place(route.nodes[1:-1]), end[None]])
        return self._finish(ready, path, float(goal[2]))

    def _prepare(self, world: OccupancyMap) -> _Prepared:
        if self._prepared is None or self._prepared.world is not world:
            traversable = world.traversable(self.config.robot_radius, self.config.occupied,
                                            self.config.allow_unknown)
            cell = np.flatnonzero(traversable)
            node = np.full(traversable.size, -1)
            node[cell] = np.arange(len(cell))
            self._prepared = _Prepared(
                world, traversable, grid_edges(traversable, world.resolution), cell, node)
        return self._prepared

    def _node_at(self, ready: _Prepared, pose: Double) -> int:
        row, column, _ = ready.world.locate(pose[:2])
        return int(ready.node[row * ready.traversable.shape[1] + column])

    def _node(self, ready: _Prepared, pose: Double, name: str, tolerance: float
              ) -> NDArray[np.int64]:
        """Row of the cell that a pose is in, or of one near enough."""
        at_start = name == 'start'
        if not ready.world.locate(pose[:2])[2]:
            raise _Refusal(ErrorCode.START_OUTSIDE_MAP if at_start else ErrorCode.GOAL_OUTSIDE_MAP,
                           f'{name} {pose[:2]} is off the map')
        node = self._node_at(ready, pose)
        if node < 0 and tolerance and len(ready.cell):
            apart = np.linalg.norm(ready.place(np.arange(len(ready.cell))) - pose[:2], axis=1)
            if apart.min() <= tolerance:
                node = int(apart.argmin())
        if node < 0:
            raise _Refusal(ErrorCode.START_OCCUPIED if at_start else ErrorCode.GOAL_OCCUPIED,
                           f'{name} {pose[:2]} is occupied or too near to something')
        return np.asarray(node)

    def _finish(self, ready: _Prepared, path: Double, yaw: float) -> Double:
        """Smooths, checks and turns places into poses."""
        if self.config.smooth:
            path = path[pull(ready.traversable, ready.world.to_cells(path))]
        if not is_valid(ready.world, ready.traversable, path):
            raise _Refusal(ErrorCode.NO_VALID_PATH, 'the path found would touch an obstacle')
        path = resample(path, self.config.spacing)
        return np.column_stack([path, headings(path, yaw)])


def is_valid(world: OccupancyMap, traversable: Mask, path: Double) -> bool:
    """Tells whether all legs of a path (L, 2) [m] stay on traversable cells."""
    cells = world.to_cells(path)
    return bool(segments_free(traversable, cells[:-1], cells[1:]).all())
