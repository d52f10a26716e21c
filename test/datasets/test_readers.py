"""Standard forms on disk: what was written comes back, in the sensor's frame."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from eq_core.errors import InputError
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.lzf import decompress
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.pcd import load_pcd
from eq_eval.datasets.velodyne_packets import decode_packets
from eq_eval.datasets.velodyne_packets import PACKET_BYTES


def test_kitti_object(kitti_folder: Path) -> None:
    recording = open_recording(kitti_folder)
    scans = list(recording.scans())
    assert (recording.kind, len(recording), len(scans)) == ('kitti_object', 3, 3)
    table = np.fromfile(kitti_folder / 'velodyne/000001.bin', '<f4').reshape(-1, 4)
    np.testing.assert_array_equal(scans[1].points.xyz, table[:, :3])
    np.testing.assert_array_equal(scans[1].points.intensity, table[:, 3])
    boxes = scans[0].boxes
    np.testing.assert_allclose(boxes.center, [[20, 5, -.7]], atol=1e-6)
    np.testing.assert_allclose(boxes.size, [[4.2, 1.8, 1.6]])
    np.testing.assert_allclose(boxes.yaw, [np.pi / 2], atol=1e-6)
    np.testing.assert_allclose(scans[0].field_of_view, np.arctan([-600 / 700, 600 / 700]))
    assert scans[0].image.dont_care.tolist() == [[1, 2, 3, 4]]


def test_training_folder_is_found(kitti_folder: Path) -> None:
    (kitti_folder / 'training').mkdir()
    for name in ('velodyne', 'label_2', 'calib'):
        (kitti_folder / name).rename(kitti_folder / 'training' / name)
    recording = open_recording(kitti_folder)
    assert recording.has_boxes and len(recording) == 3


def test_semantic_kitti(sequence_folder: Path) -> None:
    recording = open_recording(sequence_folder)
    scans = list(recording.scans())
    assert recording.kind == 'semantic_kitti' and len(scans) == 3
    np.testing.assert_array_equal(scans[0].semantic, np.arange(50) % 3 * 10)
    np.testing.assert_array_equal(scans[0].instance, np.arange(50) % 5)
    # Forward in the camera's poses is forward in the sensor's.
    np.testing.assert_allclose(scans[2].pose[:3, 3], [4, 0, 0], atol=1e-9)
    np.testing.assert_allclose(scans[2].pose[:3, :3], np.eye(3), atol=1e-9)
    assert [scan.points.stamp for scan in scans] == [0, 100_000_000, 200_000_000]
    (sequence_folder / 'times.txt').write_text('0.5\n0.7\n1.0e+00\n')
    assert [scan.points.stamp for scan in open_recording(sequence_folder).scans()] == [
        500_000_000, 700_000_000, 1_000_000_000]


@pytest.mark.parametrize('form', ['mcap', 'sqlite3', 'ros1', 'mcap_crc'])
def test_bags(write_bag: Callable[..., Path], form: str) -> None:
    path = write_bag(form)
    recording = open_recording(path)
    scans = list(recording.scans())
    assert len(scans) == len(recording) == 5 and not recording.lost
    assert recording.topic == '/points'
    assert recording.kind == ('rosbag1' if form == 'ros1' else 'rosbag2')
    assert [scan.points.stamp for scan in scans] == [
        1_700_000_000_000_000_000 + index * 100_000_000 for index in range(5)]
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(
        scans[3].points.xyz, rng.uniform(-20, 20, (40, 3)).astype(np.float32))
    assert scans[3].points.frame_id == 'lidar'
    assert scans[3].boxes is None and not recording.has_boxes
    assert len(list(recording.scans())) == 5  # a second pass


def test_raw_messages_and_topics(write_bag: Callable[..., Path]) -> None:
    path = write_bag('mcap')
    topics = {message.topic: message.type_name for message in read_messages(path)}
    assert topics == {'/points': 'sensor_msgs/msg/PointCloud2', '/text': 'std_msgs/msg/String'}
    assert len(list(read_messages(path, ['/text']))) == 5
    with pytest.raises(InputError, match=r'no topic /nothing, found /points \(sensor_msgs'):
        open_recording(path, topic='/nothing')
    with pytest.raises(InputError, match='/text is std_msgs/msg/String, expected'):
        open_recording(path, topic='/text')


def test_truth_beside_a_bag(write_bag: Callable[..., Path]) -> None:
    recording = open_recording(write_bag('mcap', truth=True))
    scans = list(recording.scans())
    assert recording.has_boxes and recording.has_velocity
    assert scans[2].boxes.center.tolist() == [[5, 2, 0]]
    assert scans[2].class_names[scans[2].boxes.label[0]] == 'tram'
    assert scans[2].num_points.tolist() == [7]
    assert scans[2].boxes.track_id.tolist() == [2]


@pytest.mark.parametrize('encoding', ['ascii', 'binary'])
def test_pcd(tmp_path: Path, encoding: str) -> None:
    xyz = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    xyz[4, 1] = np.nan
    level = np.arange(20, dtype=np.uint8)
    table = np.zeros(20, [('x', '<f4'), ('_', '<f4', 2), ('y', '<f4'), ('z', '<f4'),
                          ('intensity', 'u1')])
    table['x'], table['y'], table['z'], table['intensity'] = *xyz.T, level
    header = ('# .PCD v0.7\nVERSION 0.7\nFIELDS x _ y z intensity\nSIZE 4 4 4 4 1\n'
              'TYPE F F F F U\nCOUNT 1 2 1 1 1\nWIDTH 20\nHEIGHT 1\nPOINTS 20\n'
              f'DATA {encoding}\n').encode()
    body = table.tobytes() if encoding == 'binary' else '\n'.join(
        f'{x} 0 0 {y} {z} {i}' for (x, y, z), i in zip(xyz, level)).encode()
    (tmp_path / '10.pcd').write_bytes(header + body)
    (tmp_path / '9.pcd').write_bytes(header + body)
    points = load_pcd(tmp_path / '9.pcd')
    kept = np.arange(20) != 4
    np.testing.assert_array_equal(points.xyz, xyz[kept])
    np.testing.assert_allclose(points.intensity, level[kept] / 255, atol=1e-7)
    assert len(open_recording(tmp_path)) == 2


def test_compressed_pcd_equals_open3d(tmp_path: Path) -> None:
    open3d = pytest.importorskip('open3d', reason='Open3D missing')
    xyz = np.random.default_rng(1).normal(size=(500, 3)).round(1).astype(np.float32)
    cloud = open3d.t.geometry.PointCloud(xyz)
    open3d.t.io.write_point_cloud(str(tmp_path / 'a.pcd'), cloud, compressed=True)
    assert b'binary_compressed' in (tmp_path / 'a.pcd').read_bytes()[:400]
    np.testing.assert_array_equal(load_pcd(tmp_path / 'a.pcd').xyz, xyz)


def test_lzf_by_hand() -> None:
    # three literals, then 6 bytes from 3 back, which overlap what is being written
    assert decompress(bytes([2, 97, 98, 99, 4 << 5, 2]), 9) == b'abcabcabc'
    # a long copy: 7 in the control byte, length 7 + 1 + 2 in all
    assert decompress(bytes([0, 120, 7 << 5, 1, 0]), 11) == b'x' * 11


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_lzf_never_does_worse_than_refuse(data: bytes) -> None:
    try:
        assert len(decompress(data, 30)) == 30
    except InputError:
        pass


def packet(azimuth: float, product: int = 0x22, distance: int = 5000, time: int = 0) -> bytes:
    blocks = b''.join(
        b'\xff\xee' + round((azimuth + .4 * block) % 360 * 100).to_bytes(2, 'little')
        + (distance.to_bytes(2, 'little') + b'\x80') * 32 for block in range(12))
    return blocks + time.to_bytes(4, 'little') + bytes([0x37, product])


def test_velodyne_axes_range_and_time() -> None:
    points = decode_packets([packet(88.), packet(92.8, time=1327)])
    assert len(points) == 2 * 12 * 32
    np.testing.assert_allclose(np.linalg.norm(points.xyz, axis=1), 10, atol=1e-4)
    # Azimuth turns clockwise from x: 90 degrees is to the right.
    assert (points.xyz[:, 1] < -9).all()
    elevation = np.degrees(np.arcsin(points.xyz[:, 2] / 10))
    np.testing.assert_allclose(np.unique(elevation.round(3)), np.arange(-15, 16, 2), atol=1e-2)
    assert points.time_offset.max() == pytest.approx(.001327 * 2, rel=.02)
    assert points.intensity[0] == pytest.approx(128 / 255)
    azimuth = np.degrees(np.arctan2(-points.xyz[:, 1], points.xyz[:, 0]))
    assert (np.diff(azimuth[::16]) > 0).all()  # the sensor turns on while it fires


def test_velodyne_no_return_and_bad_packets() -> None:
    assert len(decode_packets([packet(0, distance=0)])) == 0
    assert len(decode_packets([])) == 0
    with pytest.raises(InputError, match=f'packets of \\[10\\] bytes, expected {PACKET_BYTES}'):
        decode_packets([b'0123456789'])
    with pytest.raises(InputError, match='product'):
        decode_packets([packet(0, product=0x63)])
    with pytest.raises(InputError, match='flag'):
        decode_packets([b'\0' + packet(0)[1:]])
