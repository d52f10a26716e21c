"""Recordings of maps and goals: read in the order of their time, and made for the demo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.planning.mazes import make_mazes
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.search import shortest_route

KINDS = {'nav_msgs/msg/OccupancyGrid': 'map', 'map_msgs/msg/OccupancyGridUpdate': 'update',
         'geometry_msgs/msg/PoseStamped': 'goal', 'tf2_msgs/msg/TFMessage': 'tf'}
UPDATE = 'std_msgs/Header header\nint32 x\nint32 y\nuint32 width\nuint32 height\nint8[] data'
SECOND = 10**9
MAZE, RESOLUTION, CORRIDOR = 18, .05, 18     # seed of the demo's maze, [m], [cells]
YAW = .5                            # by which the demo's map is turned in its frame [rad]


@dataclass(frozen=True)
class MapMessage:
    """One message of a recording.

    Attributes:
        kind: 'map', 'update', 'goal', 'tf' or 'tf_static'.
        stamp: Time of recording [ns].
        data: CDR bytes.
        message: The same as an object.
    """

    kind: str
    stamp: int
    data: bytes
    message: Any


def is_map_bag(path: Path) -> bool:
    """Whether a recording holds maps and goals, and no clouds."""
    from rosbags.highlevel import AnyReader
    try:
        with AnyReader([path]) as reader:
            types = {connection.msgtype for connection in reader.connections}
    except Exception:  # noqa: BLE001 - whatever it is, it is no bag of maps
        return False
    return {'nav_msgs/msg/OccupancyGrid', 'geometry_msgs/msg/PoseStamped'} <= types and (
        'sensor_msgs/msg/PointCloud2' not in types)


def read_map_bag(path: Path) -> Iterator[MapMessage]:
    """Reads maps, updates, transforms and goals.

    Raises:
        InputError: The recording is damaged.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.highlevel import AnyReaderError
    from rosbags.rosbag2 import ReaderError
    try:
        with AnyReader([path], default_typestore=types()) as reader:
            wanted = [connection for connection in reader.connections
                      if connection.msgtype in KINDS]
            for connection, stamp, data in reader.messages(wanted):
                kind = KINDS[connection.msgtype]
                if kind == 'tf' and connection.topic.endswith('tf_static'):
                    kind = 'tf_static'
                yield MapMessage(kind, stamp, bytes(data),
                                 reader.deserialize(data, connection.msgtype))
    except (AnyReaderError, ReaderError) as error:
        raise InputError(f'{path}: {error}', 'bad_recording') from error


@cache
def types() -> Any:
    """Message types that a map bag has."""
    from rosbags.typesys import get_types_from_msg
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(get_types_from_msg(UPDATE, 'map_msgs/msg/OccupancyGridUpdate'))
    return store


def record_walk(path: Path) -> Path:
    """Makes the demo's recording: a robot in a maze, where a passage closes on the way.

    Args:
        path: Folder of the bag; must not exist.
    """
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer
    free = make_mazes(1, 15, MAZE).free[0]
    cells = np.kron(np.where(free, 0, 100), np.ones((CORRIDOR, CORRIDOR))).astype(np.int8)
    rooms = _rooms(free)
    store = types()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        names = {'map': '/map', 'update': '/map_updates', 'goal': '/goal_pose', 'tf': '/tf'}
        topics = {kind: writer.add_connection(names[kind], name, typestore=store)
                  for name, kind in KINDS.items()}

        def put(kind: str, seconds: float, message: Any) -> None:
            writer.write(topics[kind], round(seconds * SECOND),
                         store.serialize_cdr(message, topics[kind].msgtype))

        def go(start: NDArray[np.int64], goal: NDArray[np.int64], seconds: float) -> None:
            put('tf', seconds - .1, _robot(store, _place(start), seconds - .1))
            put('goal', seconds, _goal(store, _place(goal), seconds))
        put('map', 1., _grid(store, cells))
        for number, (start, goal) in enumerate(zip(rooms, rooms[1:], strict=False)):
            go(start, goal, 2 * number + 2.)
        passage = _passage(free, rooms[-2], rooms[-1])
        put('update', 20., _closed(store, passage))
        go(rooms[-2], rooms[-1], 21.)       # the same way again: now it leads around
        go(rooms[-1], passage, 23.)         # into what has closed
    return path


def _rooms(free: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(4, 2) rooms of one part of the maze, row and column, far from each other."""
    cells = Cells(OccupancyMap(np.where(free, 0, 100), 1.), free)
    part = cells.part == np.bincount(cells.part[free]).argmax()
    rooms = np.argwhere(part)
    chosen = [rooms[0]]
    for _ in range(3):
        apart = np.min([np.abs(rooms - room).sum(1) for room in chosen], axis=0)
        chosen.append(rooms[apart.argmax()])
    return np.array(chosen)


def _passage(free: NDArray[np.bool_], start: NDArray[np.int64], goal: NDArray[np.int64]
             ) -> NDArray[np.int64]:
    """A room on the way without which there is another way; the first such one.

    Raises:
        InputError: There is none.
    """
    graph = CellGraph(Cells(OccupancyMap(np.where(free, 0, 100), 1.), free))
    route = shortest_route(graph.edges, graph.node(*start.tolist()), graph.node(*goal.tolist()))
    for room in graph.cell[route.nodes[1:-1]]:
        closed = free.copy()
        closed[tuple(room)] = False
        part = Cells(graph.cells.world, closed).part
        if part[tuple(start)] == part[tuple(goal)]:
            return np.asarray(room)
    raise InputError('every room on the way is needed')


def _place(room: NDArray[np.int64]) -> NDArray[np.float64]:
    """(2,) middle of a room of the maze in the frame `map` [m]."""
    local = (room[::-1] + .5) * CORRIDOR * RESOLUTION
    cos, sin = np.cos(YAW), np.sin(YAW)
    return np.array([cos * local[0] - sin * local[1], sin * local[0] + cos * local[1]])


def _header(store: Any, seconds: float) -> Any:
    known = store.types
    stamp = known['builtin_interfaces/msg/Time'](int(seconds), round(seconds % 1 * SECOND))
    return known['std_msgs/msg/Header'](stamp, 'map')


def _pose(store: Any, place: NDArray[np.float64], yaw: float) -> Any:
    known = store.types
    return known['geometry_msgs/msg/Pose'](
        known['geometry_msgs/msg/Point'](float(place[0]), float(place[1]), 0.),
        known['geometry_msgs/msg/Quaternion'](0., 0., float(np.sin(yaw / 2)),
                                              float(np.cos(yaw / 2))))


def _grid(store: Any, cells: NDArray[np.int8]) -> Any:
    known = store.types
    header = _header(store, 1.)
    info = known['nav_msgs/msg/MapMetaData'](
        header.stamp, RESOLUTION, cells.shape[1], cells.shape[0],
        _pose(store, np.zeros(2), YAW))
    return known['nav_msgs/msg/OccupancyGrid'](header, info, cells.reshape(-1))


def _closed(store: Any, room: NDArray[np.int64]) -> Any:
    row, column = room * CORRIDOR
    return store.types['map_msgs/msg/OccupancyGridUpdate'](
        _header(store, 20.), int(column), int(row), CORRIDOR, CORRIDOR,
        np.full(CORRIDOR ** 2, 100, np.int8))


def _robot(store: Any, place: NDArray[np.float64], seconds: float) -> Any:
    known = store.types
    transform = known['geometry_msgs/msg/Transform'](
        known['geometry_msgs/msg/Vector3'](float(place[0]), float(place[1]), 0.),
        known['geometry_msgs/msg/Quaternion'](0., 0., 0., 1.))
    return known['tf2_msgs/msg/TFMessage']([known['geometry_msgs/msg/TransformStamped'](
        _header(store, seconds), 'base_link', transform)])


def _goal(store: Any, place: NDArray[np.float64], seconds: float) -> Any:
    return store.types['geometry_msgs/msg/PoseStamped'](
        _header(store, seconds), _pose(store, place, 0.))
