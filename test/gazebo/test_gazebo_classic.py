"""What runs the street in Gazebo 11: its files, its messages, and what its LiDAR should see."""

from __future__ import annotations

from pathlib import Path
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import BackendError
from eq_core.errors import InputError
from eq_eval.gazebo.classic import convert
from eq_eval.gazebo.lidar import cast_scan
from eq_eval.gazebo.lidar import compare
from eq_eval.gazebo.lidar import directions
from eq_eval.gazebo.robot import mount
from eq_eval.gazebo.robot import points_of
from eq_eval.gazebo.shapes import matrix
from eq_eval.gazebo.shapes import read_shapes
from eq_eval.gazebo.shapes import Shape
from eq_eval.gazebo.transport import Gazebo
from eq_eval.gazebo.transport import packet
from eq_eval.gazebo.transport import read_frame
from eq_eval.gazebo.transport import unpack
from eq_eval.gazebo.wire import fields
from eq_eval.gazebo.wire import message
from eq_eval.gazebo.wire import read_poses
from eq_eval.gazebo.wire import read_scan
from eq_eval.gazebo.wire import Scan

AZIMUTH, ELEVATION = (-3., 3.), (-.4, .1)
SCAN = Scan(0, np.zeros((12, 40)), AZIMUTH, ELEVATION)
HIGH = matrix('0 0 2 0 0 0')


def scan_message(ranges: np.ndarray) -> bytes:
    """A LaserScanStamped as Gazebo sends it."""
    rows, columns = ranges.shape
    parts = message(_1='eq_robot::base_link', _3=AZIMUTH[0], _4=AZIMUTH[1], _5=.1, _6=1., _7=120.,
                    _8=columns, _9=ELEVATION[0], _10=ELEVATION[1], _11=.1, _12=rows)
    parts += b''.join(message(_13=float(value)) for value in ranges.ravel())
    parts += b''.join(message(_14=0.) for _ in ranges.ravel())
    return message(_1=message(_1=3, _2=5), _2=parts)


def test_files_for_gazebo_11_keep_the_shapes_and_lose_what_it_does_not_know(
        repository: Path, tmp_path: Path) -> None:
    convert(repository / 'gazebo', tmp_path, 512)
    here, there = (read_shapes(folder / 'worlds/street.sdf', folder / 'models')
                   for folder in (repository / 'gazebo', tmp_path))
    assert len(here) == len(there) > 50
    for a, b in zip(here, there, strict=True):
        assert (a.model, a.kind) == (b.model, b.kind)
        np.testing.assert_array_equal(a.pose, b.pose)
        assert b.static == (b.model != 'eq_robot')
    text = ''.join(path.read_text() for path in tmp_path.rglob('*.sdf'))
    assert 'gz-sim' not in text and 'gz_frame_id' not in text and 'version="1.9"' not in text
    sensors = list(ElementTree.parse(tmp_path / 'models/eq_robot/model.sdf').iter('sensor'))
    assert [sensor.get('type') for sensor in sensors] == ['ray']
    scan = sensors[0].find('ray/scan/horizontal')
    assert scan is not None and scan.findtext('samples') == '512'
    step = np.ptp([float(scan.findtext(f'{end}_angle', '')) for end in ('min', 'max')]) / 511
    assert step == pytest.approx(2 * np.pi / 512, rel=1e-6)
    np.testing.assert_array_equal(mount(tmp_path / 'models'), matrix('-0.2 0 1.73 0 0 0'))


def test_scans_and_poses_are_read_as_they_were_sent() -> None:
    ranges = np.random.default_rng(0).uniform(1, 100, (5, 7))
    ranges[1, 2] = np.inf
    scan = read_scan(scan_message(ranges))
    np.testing.assert_array_equal(scan.ranges, ranges)
    assert (scan.stamp, scan.azimuth, scan.elevation) == (3_000_000_005, AZIMUTH, ELEVATION)
    points = points_of(scan)
    assert len(points) == 34 and points.stamp == scan.stamp
    np.testing.assert_allclose(np.linalg.norm(points.xyz, axis=1), ranges[np.isfinite(ranges)],
                               rtol=1e-6)
    pose = message(_1='eq_robot', _2=7, _3=message(_1=1., _2=-2., _3=3.),
                   _4=message(_2=0., _3=0., _4=.6, _5=.8))
    stamp, poses = read_poses(message(_1=message(_1=1, _2=0), _2=pose))
    position, turn = poses['eq_robot']
    assert stamp == 10**9 and position.tolist() == [1., -2., 3.]
    assert Rotation.from_quat(turn).as_euler('xyz')[2] == pytest.approx(2 * np.arctan2(.6, .8))


def test_scans_that_are_cut_off_anywhere_are_refused() -> None:
    data = scan_message(np.ones((3, 4)))
    for size in range(0, len(data) - 1, 7):
        with pytest.raises(InputError):
            read_scan(data[:size])


def test_rays_meet_shapes_where_they_are() -> None:
    turn = Rotation.from_euler('z', .3).as_matrix()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, (6., 2., 1.)
    box = Shape('box', 'link', 'box', np.array([1., 2., 3.]), pose, True)
    seen = cast_scan(SCAN, [box], HIGH, 120.)
    down = directions(SCAN)[..., 2]
    ground = np.where(down < -2. / 120., -2. / np.minimum(down, -1e-9), np.inf)
    hit = seen < ground - 1e-3
    assert hit.any() and not hit.all()
    np.testing.assert_allclose(seen[~hit], ground[~hit], rtol=1e-5)
    places = directions(SCAN)[hit] * seen[hit][:, None] + (0., 0., 2.)
    local = (places - pose[:3, 3]) @ turn
    np.testing.assert_allclose(np.max(np.abs(local) / box.size, axis=1), .5, atol=1e-5)


@pytest.mark.parametrize('kind, size', [('cylinder', (1., 1., 4.)), ('sphere', (2., 2., 2.))])
def test_round_shapes_are_round(kind: str, size: tuple[float, float, float]) -> None:
    pose = matrix('5 0 2 0 0 0')
    seen = cast_scan(SCAN, [Shape('it', 'link', kind, np.array(size), pose, True)], HIGH, 120.)
    places = directions(SCAN) * np.minimum(seen, 200.)[..., None]
    aside = places - (5., 0., 0.)
    if kind == 'cylinder':
        aside[..., 2] = 0.
    radius = np.linalg.norm(aside, axis=-1)
    near = radius < size[0] / 2 + .01
    assert near.sum() > 3
    np.testing.assert_allclose(radius[near], size[0] / 2, atol=2e-3)


def test_comparison_tells_noise_from_a_shift() -> None:
    rng = np.random.default_rng(0)
    ours = rng.uniform(2, 50, (64, 100))
    ours[:10] = np.inf
    found = compare(ours + rng.normal(0, .015, ours.shape), ours, .015)
    assert found.same == 1. and found.within > .999 and found.deviation == pytest.approx(
        .015, rel=.05)
    moved = compare(ours + .1 + rng.normal(0, .015, ours.shape), ours, .015)
    assert moved.within < .05
    blind = ours.copy()
    blind[20:30] = np.inf
    assert compare(blind, ours, .015).same < .9
    with pytest.raises(InputError):
        compare(ours + 10., ours, .015)


def test_topics_are_heard_and_offered_over_tcp() -> None:
    """A small master that knows one publisher, which is itself."""
    server = socket.create_server(('127.0.0.1', 0))
    port = server.getsockname()[1]
    talk: list[tuple[str, bytes]] = []

    def converse(stream: socket.socket) -> None:
        try:
            while True:
                kind, data = unpack(read_frame(stream))
                talk.append((kind, data))
                if kind == 'sub':
                    stream.sendall(b'00000005hello')
        except OSError:
            return

    def serve() -> None:
        for number in range(2):
            stream, _ = server.accept()
            if not number:
                known = message(_1='/scan', _2='kind', _3='127.0.0.1', _4=port)
                stream.sendall(packet('version_init', b'') + packet('publishers_init', message(
                    _1=known)))
            threading.Thread(target=converse, args=(stream,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    gazebo, heard = Gazebo(port), []
    gazebo.subscribe('/scan', 'kind', heard.append)
    send = gazebo.advertise('/drive', 'kind')
    end = time.monotonic() + 60
    while not (heard and len(talk) >= 3) and time.monotonic() < end:
        time.sleep(.01)
    assert heard == [b'hello']
    assert sorted(kind for kind, _ in talk) == ['advertise', 'sub', 'subscribe']
    assert send(b'go') == 0         # nobody listens yet
    ours = next(data for kind, data in talk if kind == 'advertise')
    listener = socket.create_connection(('127.0.0.1', dict(fields(ours))[4]))
    listener.sendall(packet('sub', message(_1='/drive', _2='127.0.0.1', _3=port, _4='kind')))
    while not send(b'go') and time.monotonic() < end:
        time.sleep(.01)
    assert read_frame(listener) == b'go'
    gazebo.close()
    server.close()


def test_a_master_that_is_not_there_is_told() -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BackendError, match='no master'):
        Gazebo(port)
