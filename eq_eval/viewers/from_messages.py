"""Messages -> things to show. Works on any objects with their attributes, so it needs no ROS."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_eval.viewers.things import BoxSet
from eq_eval.viewers.things import CellGrid
from eq_eval.viewers.things import Item
from eq_eval.viewers.things import Line
from eq_eval.viewers.things import Link
from eq_eval.viewers.things import Picture
from eq_eval.viewers.things import PointSet
from eq_eval.viewers.things import PoseSet
from eq_eval.viewers.things import Status
from eq_eval.viewers.things import Thing
from eq_ros.colored_points import COLOR_FIELDS
from eq_ros.colored_points import decode_colored
from eq_ros.images import decode_color
from eq_ros.images import decode_depth
from eq_ros.images import DEPTH_UNITS
from eq_ros.maps import decode_map
from eq_ros.point_layout import read_layout
from eq_ros.pointcloud2 import coordinate_fields
from eq_ros.pointcloud2 import read_xyz

FARTHEST = 1e5      # points beyond it are not shown [m]
FIELDS = ('intensity', 'semantic', 'instance', 'probability')

Double = NDArray[np.float64]


def items_of(kind: str, message: Any) -> list[Item]:
    """What a message shows.

    Args:
        kind: Its type, one of `KINDS`, such as ``nav_msgs/msg/Path``.
        message: With the attributes of the type.

    Raises:
        InputError: The message is not what it says.
    """
    return KINDS[kind](message)


def links(message: Any, static: bool = False) -> list[Item]:
    """Where frames are, of a ``tf2_msgs/TFMessage``."""
    return [Item(each.header.frame_id, _stamp(each.header), Link(
        each.child_frame_id, _vector(each.transform.translation),
        _quaternion(each.transform.rotation), static)) for each in message.transforms]


def points(message: Any) -> PointSet:
    """A cloud with those of its fields that are worth colours."""
    layout = read_layout(message)
    if not len(layout):
        return PointSet(np.zeros((0, 3), np.float32))
    if any(layout.fields.get(name) for name in COLOR_FIELDS):
        xyz, color = decode_colored(message)
        return PointSet(xyz, {}, (color * 255).round().astype(np.uint8))
    columns, kept = read_xyz(layout, coordinate_fields(layout), None, FARTHEST)
    return PointSet(np.ascontiguousarray(columns.T), {
        name: np.array(layout.column(layout.fields[name], kept)) for name in FIELDS
        if name in layout.fields})


def boxes(message: Any) -> BoxSet | PoseSet:
    """Objects; poses where none of them has a size."""
    found = message.detections
    size = np.array([_vector(each.bbox.size) for each in found]).reshape(-1, 3)
    placed = _poses(each.bbox.center for each in found)
    if len(found) and not size.any():
        return placed
    best = [max(each.results, key=lambda result: result.hypothesis.score, default=None)
            for each in found]
    names = tuple('' if result is None else result.hypothesis.class_id for result in best)
    texts = tuple(' '.join(filter(None, (
        name, f'#{each.id}' if each.id else '', '' if result is None else
        f'{result.hypothesis.score:.2f}'))) for each, name, result in zip(found, names, best))
    return BoxSet(placed.position, size, placed.rotation, names, texts)


def path(message: Any) -> Line:
    """A path."""
    return Line(_poses(each.pose for each in message.poses).position)


def cells(message: Any) -> CellGrid:
    """A map."""
    world = decode_map(message)
    return CellGrid(world.cells, world.resolution, world.origin)


def picture(message: Any) -> Picture:
    """A heatmap, an image of depth [m], or colours."""
    if message.encoding in DEPTH_UNITS:
        return Picture(np.nan_to_num(decode_depth(message)))
    return Picture((decode_color(message) * 255).round().astype(np.uint8))


def statuses(message: Any) -> list[Item]:
    """What nodes say of themselves."""
    return [Item('', _stamp(message.header), Status(
        each.name, ord(each.level), each.message, each.hardware_id,
        {pair.key: pair.value for pair in each.values})) for each in message.status]


def _one(make: Callable[[Any], Thing], message: Any) -> list[Item]:
    return [Item(message.header.frame_id, _stamp(message.header), make(message))]


TRANSFORMS = 'tf2_msgs/msg/TFMessage'
DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
ONE: dict[str, Callable[[Any], Thing]] = {
    'sensor_msgs/msg/PointCloud2': points,
    'vision_msgs/msg/Detection3DArray': boxes,
    'nav_msgs/msg/Path': path,
    'nav_msgs/msg/OccupancyGrid': cells,
    'nav_msgs/msg/Odometry': lambda message: _poses([message.pose.pose]),
    'geometry_msgs/msg/PoseStamped': lambda message: _poses([message.pose]),
    'geometry_msgs/msg/PoseArray': lambda message: _poses(message.poses),
    'sensor_msgs/msg/Image': picture}
KINDS: dict[str, Callable[[Any], list[Item]]] = {
    **{kind: partial(_one, make) for kind, make in ONE.items()},
    TRANSFORMS: links, DIAGNOSTICS: statuses}


def _poses(found: Iterable[Any]) -> PoseSet:
    rows = [(_vector(each.position), _quaternion(each.orientation)) for each in found]
    return PoseSet(np.array([row[0] for row in rows]).reshape(-1, 3),
                   np.array([row[1] for row in rows]).reshape(-1, 4))


def _vector(value: Any) -> Double:
    return np.array([value.x, value.y, value.z], np.float64)


def _quaternion(value: Any) -> Double:
    return np.array([value.x, value.y, value.z, value.w], np.float64)


def _stamp(header: Any) -> int:
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)
