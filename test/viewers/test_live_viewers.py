"""The viewers take everything; what they write or serve holds every topic. Each needs its SDK."""

from __future__ import annotations

import base64
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import socket
import struct
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from shown_messages import ALL
from shown_messages import cloud
from shown_messages import STAMP

from eq_eval.viewers.from_messages import items_of
from eq_eval.viewers.viewer import open_viewer
from eq_eval.viewers.viewer import Options
from eq_eval.viewers.viewer import Viewer

PATIENCE = 60.      # [s]
SCHEMAS = {     # of Foxglove, by type of the message
    'sensor_msgs/msg/PointCloud2': 'foxglove.PointCloud',
    'nav_msgs/msg/OccupancyGrid': 'foxglove.Grid',
    'vision_msgs/msg/Detection3DArray': 'foxglove.SceneUpdate',
    'diagnostic_msgs/msg/DiagnosticArray': 'diagnostic_msgs/DiagnosticArray',
    'sensor_msgs/msg/Image': 'foxglove.RawImage', 'nav_msgs/msg/Path': 'foxglove.SceneUpdate',
    'nav_msgs/msg/Odometry': 'foxglove.PosesInFrame',
    'geometry_msgs/msg/PoseStamped': 'foxglove.PosesInFrame',
    'geometry_msgs/msg/PoseArray': 'foxglove.PosesInFrame',
    'tf2_msgs/msg/TFMessage': 'foxglove.FrameTransforms'}


def topic(kind: str) -> str:
    """A name for what is of a type."""
    return f'/{kind.rpartition("/")[2].lower()}'


def show_all(viewer: Viewer) -> None:
    """Shows one of each kind."""
    for kind, message in ALL.items():
        for item in items_of(kind, message):
            viewer.show(topic(kind), item)


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def until(condition: Callable[[], bool]) -> None:
    """Waits; a loaded machine may be slow."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(.1)


@contextmanager
def closing(viewer: Viewer) -> Iterator[Viewer]:
    """Closes a viewer at the end."""
    try:
        yield viewer
    finally:
        viewer.close()


def test_foxglove_writes_every_topic_with_its_schema_and_time(tmp_path: Path) -> None:
    pytest.importorskip('foxglove', reason='needs foxglove-sdk')
    from mcap.reader import make_reader
    with closing(open_viewer('foxglove', Options(save=tmp_path / 'shown.mcap'))) as viewer:
        show_all(viewer)
    with (tmp_path / 'shown.mcap').open('rb') as file:
        found = {channel.topic: (schema.name if schema else '', message)
                 for schema, channel, message in make_reader(file).iter_messages()}
    assert {message.log_time for _, message in found.values()} == {STAMP}
    for kind, schema in SCHEMAS.items():
        assert found[topic(kind)][0] == schema
    points, = items_of('sensor_msgs/msg/PointCloud2', cloud())
    packed = np.zeros(1, '<f4, <f4, <f4, <f4, <u2, <u4')
    packed[0] = (4, 5, 6, .5, 40, 0)
    assert packed.tobytes() in found[topic('sensor_msgs/msg/PointCloud2')][1].data
    assert len(points.thing.xyz) == 3
    told, = json.loads(found[topic('diagnostic_msgs/msg/DiagnosticArray')][1].data)['status']
    assert told['name'] == 'lidar_detector: pipeline'
    assert {'key': 'latency_p50_ms', 'value': '12.5'} in told['values']


def frames(connection: socket.socket) -> Iterator[bytes]:
    """What a web socket says; RFC 6455, unmasked and whole."""
    stream = connection.makefile('rb')
    while stream.readline().strip():
        pass    # the answer to the handshake
    while head := stream.read(2):
        size = head[1] & 127
        if size > 125:
            size = struct.unpack('>H' if size == 126 else '>Q',
                                 stream.read(2 if size == 126 else 8))[0]
        yield stream.read(size)


def say(connection: socket.socket, what: dict[str, Any]) -> None:
    """Says something short, masked with zeros as clients have to."""
    text = json.dumps(what).encode()
    assert len(text) < 126
    connection.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)


def test_foxglove_serves_what_it_shows_to_whoever_connects() -> None:
    pytest.importorskip('foxglove', reason='needs foxglove-sdk')
    port = free_port()
    kind = 'nav_msgs/msg/OccupancyGrid'
    grid = items_of(kind, ALL[kind])[0].thing.rgba().tobytes()
    with closing(open_viewer('foxglove', Options(port=port))) as viewer:
        assert f'ws://127.0.0.1:{port}' in viewer.where
        show_all(viewer)
        with socket.create_connection(('127.0.0.1', port), timeout=30) as connection:
            key = base64.b64encode(os.urandom(16)).decode()
            connection.sendall((
                f'GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n'
                f'Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n'
                'Sec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n').encode())
            told: dict[str, str] = {}
            for payload in frames(connection):
                for each in (json.loads(payload).get('channels', ()) if payload[:1] == b'{'
                             else ()):
                    told[each['topic']] = each['schemaName']
                    if each['schemaName'] == 'foxglove.Grid':   # the map came before we did
                        say(connection, {'op': 'subscribe', 'subscriptions': [
                            {'id': 1, 'channelId': each['id']}]})
                if payload[:1] == b'\x01' and grid in payload:  # data of a message
                    break
    assert told == {topic(kind): SCHEMAS[kind] for kind in ALL}


def test_rerun_writes_every_topic(tmp_path: Path) -> None:
    pytest.importorskip('rerun', reason='needs rerun-sdk')
    path = tmp_path / 'shown.rrd'
    with closing(open_viewer('rerun', Options(save=path))) as viewer:
        show_all(viewer)
    told = subprocess.run([sys.executable, '-m', 'rerun', 'rrd', 'print', str(path)],
                          capture_output=True, text=True, timeout=120, check=True).stdout
    for kind in ALL:
        assert topic(kind) in told, kind
    assert '/diagnosticarray/lidar_detector/latency_p50_ms' in told


def test_rerun_listens_where_it_is_told_and_no_longer_than_it_is_open(
        monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('rerun', reason='needs rerun-sdk')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('eq_eval.viewers.rerun_viewer.PAGE', free_port())
    port = free_port()
    with closing(open_viewer('rerun', Options(port=port))) as viewer:
        assert f'127.0.0.1:{port}' in viewer.where
        show_all(viewer)
        until(lambda: listens(port))
    until(lambda: not listens(port))


def test_rerun_turns_axes_with_their_poses() -> None:
    pytest.importorskip('rerun', reason='needs rerun-sdk')
    from eq_eval.viewers.rerun_viewer import archetypes
    from eq_eval.viewers.rerun_viewer import LENGTH
    from eq_eval.viewers.things import PoseSet
    half = np.sqrt(.5)
    arrows, = archetypes(PoseSet(np.array([[1., 2, 3]]), np.array([[0, 0, half, half]])))
    vectors = np.array(arrows.vectors.as_arrow_array().to_pylist())
    np.testing.assert_allclose(vectors, LENGTH * np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
                               atol=1e-6)
