"""Things in the Rerun viewer: a window, a page served to a browser, or a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import numpy as np
import rerun as rr

from eq_eval.viewers.colours import class_rgb
from eq_eval.viewers.colours import point_colours
from eq_eval.viewers.frames import Frames
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

VIEW = 'tf#/'       # what Rerun calls the frame that views look from
RED_GREEN_BLUE = ((230, 70, 70), (80, 190, 90), (80, 120, 240))
LENGTH, WIDTH = .3, .05     # of the axes of a pose, and of lines [m]
POINT = 1.5     # radius on the screen [pixels]
PORT, PAGE = 9876, 9090
LEVELS = ('INFO', 'WARN', 'ERROR', 'ERROR')      # the last is of what is stale


class RerunViewer:
    """Opens a window where there is a screen, else serves to browsers; or writes a file."""

    def __init__(self, options: Options) -> None:
        """Opens it.

        Args:
            options: Where.
        """
        self._recording = rr.RecordingStream('eq_stack')
        self._frames = Frames()
        self._roots: dict[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None
        port = options.port or PORT
        if options.save is not None:
            self._recording.save(options.save)
            self.where = f'written to {options.save}, which `rerun {options.save}` opens'
        elif options.host == '127.0.0.1' and os.environ.get('DISPLAY'):
            self._recording.spawn(port=port)
            self.where = 'in the window of Rerun'
        else:   # by its command, as its functions listen at all addresses
            address = f'rerun+http://{options.host}:{port}/proxy'
            self._server = subprocess.Popen(
                [sys.executable, '-m', 'rerun', '--serve-web', '--bind', options.host, '--port',
                 str(port), '--web-viewer-port', str(PAGE)], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, start_new_session=True)
            self._recording.connect_grpc(address)
            self.where = (f'in a browser at http://{options.host}:{PAGE}/?url={quote(address)}, '
                          f'or by `rerun {address}`')

    def show(self, topic: str, item: Item) -> None:
        """Shows what came on a topic."""
        thing, log = item.thing, self._recording.log
        if item.stamp:
            self._recording.set_time('stamp', timestamp=np.datetime64(item.stamp, 'ns'))
        if isinstance(thing, Status):
            source = f'{topic}/{thing.source.strip("/") or thing.name}'
            for name, value in thing.numbers().items():
                log(f'{source}/{name}', rr.Scalars(value))
            log(f'{source}/status', rr.TextLog(thing.message, level=LEVELS[thing.level]))
            return
        if isinstance(thing, Link):
            self._frames.add(item.frame_id, thing.child)
            log(f'{topic}/{thing.child}', rr.Transform3D(
                translation=thing.translation, quaternion=thing.rotation,
                parent_frame=item.frame_id, child_frame=thing.child), static=thing.static)
            return
        if isinstance(thing, Picture):
            log(topic, rr.DepthImage(thing.pixels) if thing.pixels.ndim == 2
                else rr.Image(thing.pixels))
            return
        self._hang(item.frame_id)
        log(topic, rr.CoordinateFrame(item.frame_id), *archetypes(thing))

    def close(self) -> None:
        """Sends what is left."""
        self._recording.flush()
        self._recording.disconnect()
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGTERM)     # the command starts another process
            self._server.wait()

    def _hang(self, frame: str) -> None:
        """Lets views see a frame: its root is where they look from."""
        root = self._frames.root(frame)
        if self._roots.get(frame) != root:
            self._roots[frame] = root
            self._recording.log(f'frames/{frame}', rr.Transform3D(
                parent_frame=VIEW, child_frame=root), static=True)


def archetypes(thing: Any) -> list[Any]:
    """What Rerun calls things that are somewhere in space."""
    if isinstance(thing, PointSet):
        return [rr.Points3D(thing.xyz, colors=point_colours(thing),
                            radii=rr.Radius.ui_points(POINT))]
    if isinstance(thing, BoxSet):
        return [rr.Boxes3D(centers=thing.center, sizes=thing.size, quaternions=thing.rotation,
                           labels=thing.texts, colors=[class_rgb(name) for name in thing.names])]
    if isinstance(thing, Line):
        return [rr.LineStrips3D([thing.xyz], radii=WIDTH, colors=[class_rgb('cyclist')])]
    if isinstance(thing, CellGrid):
        return [_grid(thing)]
    if isinstance(thing, PoseSet):
        return [_axes(thing)]
    raise TypeError(f'nothing shows {type(thing).__name__}')


def _grid(grid: CellGrid) -> Any:
    x, y, yaw = grid.origin
    rows, columns = grid.cells.shape
    # Pictures begin at the upper left, maps at the lower
    return rr.GridMap(
        data=np.flipud(grid.rgba()).tobytes(), cell_size=grid.resolution,
        format=rr.components.ImageFormat(width=columns, height=rows, color_model='RGBA',
                                         channel_datatype='U8'),
        translation=(x, y, 0.), quaternion=(0., 0., np.sin(yaw / 2), np.cos(yaw / 2)))


def _axes(poses: PoseSet) -> Any:
    """An arrow along each axis of each pose."""
    x, y, z, w = poses.rotation.T
    turns = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])   # (3, 3, N)
    return rr.Arrows3D(
        origins=np.repeat(poses.position, 3, 0), colors=RED_GREEN_BLUE * len(poses.position),
        vectors=LENGTH * turns.transpose(2, 1, 0).reshape(-1, 3), radii=LENGTH / 30)
