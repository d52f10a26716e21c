"""Things in the Foxglove app: a server that it connects to, or a file that it opens."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import foxglove
from foxglove import messages
import numpy as np

from eq_eval.viewers.colours import class_rgb
from eq_eval.viewers.things import BoxSet
from eq_eval.viewers.things import CellGrid
from eq_eval.viewers.things import Item
from eq_eval.viewers.things import Line
from eq_eval.viewers.things import Link
from eq_eval.viewers.things import Picture
from eq_eval.viewers.things import PointSet
from eq_eval.viewers.things import PoseSet
from eq_eval.viewers.things import Status
from eq_eval.viewers.viewer import Options

PORT = 8765     # that the app expects
NUMERIC = messages.PackedElementFieldNumericType
TYPES = {'u1': NUMERIC.Uint8, 'u2': NUMERIC.Uint16, 'u4': NUMERIC.Uint32, 'f4': NUMERIC.Float32}
# By its name the app's panels of diagnostics and our layout know it
DIAGNOSTICS = foxglove.Schema(name='diagnostic_msgs/DiagnosticArray', encoding='jsonschema',
                              data=b'{"type": "object"}')
WIDTH, FONT = .05, .6       # of lines and letters [m]


class _Listener(foxglove.websocket.ServerListener):
    """Says what holds again whenever somebody begins to listen."""

    def __init__(self, again: Callable[[str], None]) -> None:
        self._again = again

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Called by the server, in a thread of its own."""
        self._again(channel.topic)


class FoxgloveViewer:
    """Serves to the app by a web socket, or writes a file of MCAP."""

    def __init__(self, options: Options) -> None:
        """Opens the server or the file.

        Args:
            options: Where.
        """
        self._context = foxglove.Context()
        self._channels: dict[tuple[str, str], Any] = {}
        self._lasting: dict[tuple[str, str], tuple[Any, Any, int | None]] = {}
        if options.save is not None:
            self.where = f'written to {options.save}, which the Foxglove app opens'
            self._sink: Any = foxglove.open_mcap(options.save, allow_overwrite=True,
                                                 context=self._context)
            return
        self._sink = foxglove.start_server(
            name='EQ Stack', host=options.host, port=options.port or PORT, context=self._context,
            server_listener=_Listener(self._tell_again))
        self.where = (f'in the Foxglove app: connect to ws://{options.host}:{self._sink.port}, '
                      'then import config/foxglove/eq_stack.json as a layout')

    def show(self, topic: str, item: Item) -> None:
        """Shows what came on a topic."""
        message = message_of(topic, item)
        kind = type(message).__name__
        if (topic, kind) not in self._channels:
            self._channels[topic, kind] = foxglove.Channel(
                topic, schema=DIAGNOSTICS, message_encoding='json', context=self._context,
            ) if isinstance(message, dict) else getattr(foxglove.channels, f'{kind}Channel')(
                topic, context=self._context)
        channel, stamp = self._channels[topic, kind], item.stamp or None
        channel.log(message, log_time=stamp)
        if isinstance(item.thing, CellGrid | Line) or getattr(item.thing, 'static', False):
            self._lasting[topic, getattr(item.thing, 'child', '')] = channel, message, stamp

    def close(self) -> None:
        """Stops the server, or completes the file."""
        stop = getattr(self._sink, 'stop', None) or self._sink.close
        stop()

    def _tell_again(self, topic: str) -> None:
        for (name, _), (channel, message, stamp) in list(self._lasting.items()):
            if name == topic:
                channel.log(message, log_time=stamp)


def message_of(topic: str, item: Item) -> Any:
    """The message of Foxglove's own schemas that shows an item; a dict of what a node says."""
    thing = item.thing
    if isinstance(thing, Status):
        return _status(thing, item.stamp)
    at: dict[str, Any] = {'timestamp': messages.Timestamp(
        sec=item.stamp // 10**9, nsec=item.stamp % 10**9), 'frame_id': item.frame_id}
    if isinstance(thing, PointSet):
        return _points(thing, at)
    if isinstance(thing, PoseSet):
        return messages.PosesInFrame(**at, poses=[
            _pose(*row) for row in zip(thing.position, thing.rotation, strict=True)])
    if isinstance(thing, CellGrid):
        return _grid(thing, at)
    if isinstance(thing, Picture):
        rows, columns = thing.pixels.shape[:2]
        return messages.RawImage(
            **at, width=columns, height=rows, step=thing.pixels.strides[0],
            encoding='rgb8' if thing.pixels.ndim == 3 else '32FC1', data=thing.pixels.tobytes())
    if isinstance(thing, Link):
        return messages.FrameTransforms(transforms=[messages.FrameTransform(
            timestamp=at['timestamp'], parent_frame_id=item.frame_id, child_frame_id=thing.child,
            translation=_vector(thing.translation), rotation=_quaternion(thing.rotation))])
    # An entity takes the place of the one before of the same id
    return messages.SceneUpdate(entities=[messages.SceneEntity(
        **at, id=topic, **(_boxes(thing) if isinstance(thing, BoxSet) else _line(thing)))])


def _status(status: Status, stamp: int) -> dict[str, Any]:
    return {'header': {'frame_id': '', 'stamp': {'sec': stamp // 10**9, 'nsec': stamp % 10**9}},
            'status': [{'level': status.level, 'name': status.name, 'message': status.message,
                        'hardware_id': status.source, 'values': [
                            {'key': key, 'value': text} for key, text in status.values.items()]}]}


def _points(cloud: PointSet, at: dict[str, Any]) -> Any:
    columns: dict[str, Any] = {axis: cloud.xyz[:, index] for index, axis in enumerate('xyz')}
    for name, values in cloud.fields.items():
        code = values.dtype.str[1:]
        columns[name] = values if code in TYPES else values.astype(np.float32)
    if cloud.color is not None:
        columns |= {name: cloud.color[:, index]
                    for index, name in enumerate(('red', 'green', 'blue'))}
        columns['alpha'] = np.full(len(cloud.xyz), 255, np.uint8)
    packed = np.empty(len(cloud.xyz), [(name, f'<{column.dtype.str[1:]}')
                                       for name, column in columns.items()])
    for name, column in columns.items():
        packed[name] = column
    fields: Mapping[str, Any] = packed.dtype.fields or {}
    return messages.PointCloud(
        **at, pose=_pose(np.zeros(3), np.array([0., 0, 0, 1])),
        point_stride=packed.dtype.itemsize, data=packed.tobytes(),
        fields=[messages.PackedElementField(name=name, offset=offset, type=TYPES[kind.str[1:]])
                for name, (kind, offset, *_) in fields.items()])


def _grid(grid: CellGrid, at: dict[str, Any]) -> Any:
    x, y, yaw = grid.origin
    rows, columns = grid.cells.shape
    return messages.Grid(
        **at, pose=_pose(np.array([x, y, 0.]), np.array([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)])),
        column_count=columns, cell_size=messages.Vector2(x=grid.resolution, y=grid.resolution),
        row_stride=4 * columns, cell_stride=4, data=grid.rgba().tobytes(), fields=[
            messages.PackedElementField(name=name, offset=index, type=NUMERIC.Uint8)
            for index, name in enumerate(('red', 'green', 'blue', 'alpha'))])


def _boxes(boxes: BoxSet) -> dict[str, Any]:
    rows = list(zip(boxes.center, boxes.size, boxes.rotation, boxes.names, boxes.texts,
                    strict=True))
    return {'cubes': [messages.CubePrimitive(pose=_pose(center, rotation), size=_vector(size),
                                             color=_color(name, .4))
                      for center, size, rotation, name, _ in rows],
            'texts': [messages.TextPrimitive(
                pose=_pose(center + [0, 0, size[2] / 2 + FONT], rotation), billboard=True,
                font_size=FONT, color=_color(name), text=text)
                for center, size, rotation, name, text in rows]}


def _line(line: Line) -> dict[str, Any]:
    return {'lines': [messages.LinePrimitive(
        type=messages.LinePrimitiveLineType.LineStrip, thickness=WIDTH, color=_color('cyclist'),
        pose=_pose(np.zeros(3), np.array([0., 0, 0, 1])),
        points=[messages.Point3(x=x, y=y, z=z) for x, y, z in line.xyz.tolist()])]}


def _color(name: str, alpha: float = 1.) -> Any:
    red, green, blue = class_rgb(name)
    return messages.Color(r=red / 255, g=green / 255, b=blue / 255, a=alpha)


def _pose(position: Any, rotation: Any) -> Any:
    return messages.Pose(position=_vector(position), orientation=_quaternion(rotation))


def _vector(value: Any) -> Any:
    x, y, z = map(float, value)
    return messages.Vector3(x=x, y=y, z=z)


def _quaternion(value: Any) -> Any:
    x, y, z, w = map(float, value)
    return messages.Quaternion(x=x, y=y, z=z, w=w)
