"""What is written is what is read again."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('open3d', reason='the simulation needs open3d-cpu')

from typer.testing import CliRunner

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_eval.cli.main import load_command
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_kitti import write_kitti
from eq_eval.datasets.write_rosbag import START
from eq_eval.datasets.write_rosbag import write_rosbag
from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
from eq_eval.simulation import simulate_sequence


@pytest.fixture(scope='module')
def scans() -> list[LabeledScan]:
    return list(simulate_sequence('street', 'hdl64e', 7, 3, 'test', columns=512))


def test_bags_bring_points_poses_and_truth_back(scans, tmp_path):
    assert write_rosbag(iter(scans), tmp_path / 'bag') == 3
    read = list(open_recording(tmp_path / 'bag').scans())
    assert len(read) == 3
    for one, other in zip(scans, read, strict=True):
        np.testing.assert_array_equal(one.points.xyz, other.points.xyz)
        np.testing.assert_allclose(one.points.intensity, other.points.intensity, atol=1e-6)
        assert other.points.stamp == one.points.stamp + START
        assert other.points.frame_id == one.points.frame_id
        np.testing.assert_allclose(one.pose, other.pose, atol=1e-8)
        for name in ('center', 'size', 'yaw', 'label', 'velocity', 'track_id'):
            np.testing.assert_allclose(getattr(one.boxes, name), getattr(other.boxes, name),
                                       atol=1e-5)
        np.testing.assert_array_equal(one.num_points, other.num_points)


def test_bags_hold_the_transform_to_the_sensor(scans, tmp_path):
    from mcap.reader import make_reader
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    write_rosbag(scans, tmp_path / 'bag')
    store = get_typestore(Stores.ROS2_HUMBLE)
    with next((tmp_path / 'bag').glob('*.mcap')).open('rb') as stream:
        found = [store.deserialize_cdr(message.data, 'tf2_msgs/msg/TFMessage').transforms[0]
                 for _, _, message in make_reader(stream).iter_messages(['/tf'])]
    assert len(found) == len(scans)
    for scan, stamped in zip(scans, found, strict=True):
        assert (stamped.header.frame_id, stamped.child_frame_id) == ('odom', 'lidar')
        move, turn = stamped.transform.translation, stamped.transform.rotation
        np.testing.assert_allclose([move.x, move.y, move.z], scan.pose[:3, 3])
        assert turn.w >= 0
        yaw = np.arctan2(scan.pose[1, 0], scan.pose[0, 0])
        assert 2 * np.arctan2(turn.z, turn.w) == pytest.approx(yaw, abs=1e-6)


def test_distorted_points_keep_their_time_in_a_bag(tmp_path):
    scan = next(simulate_sequence('square', 'vlp16', 1, 1, 'test', columns=256,
                                  motion_distortion=True))
    write_rosbag([scan], tmp_path / 'bag')
    read = next(open_recording(tmp_path / 'bag').scans())
    np.testing.assert_allclose(read.points.time_offset, scan.points.time_offset, atol=1e-6)


def test_kitti_folders_bring_the_visible_boxes_back(scans, tmp_path):
    write_kitti(scans, tmp_path / 'kitti')
    read = list(open_recording(tmp_path / 'kitti').scans())
    assert len(read) == 3
    for one, other in zip(scans, read, strict=True):
        np.testing.assert_array_equal(one.points.xyz, other.points.xyz)
        assert len(other.boxes) > 2
        gap = np.linalg.norm(other.boxes.center[:, None] - one.boxes.center[None], axis=-1)
        match = gap.argmin(1)
        assert gap.min(1).max() < 2e-4
        np.testing.assert_allclose(other.boxes.size, one.boxes.size[match], atol=1e-4)
        turned = other.boxes.yaw - one.boxes.yaw[match]
        np.testing.assert_allclose(np.cos(turned), 1, atol=1e-6)
        assert (one.num_points[match] > 0).all()
        assert [other.class_names[i] for i in other.boxes.label] == [
            one.class_names[i] for i in one.boxes.label[match]]
        # Every object with points well inside the view is there.
        low, high = other.field_of_view
        azimuth = np.arctan2(one.boxes.center[:, 1], one.boxes.center[:, 0])
        inside = (azimuth > low + .05) & (azimuth < high - .05) & (one.num_points > 0)
        far = np.linalg.norm(one.boxes.center, axis=1) > 8
        assert set(np.flatnonzero(inside & far)) <= set(match)


def test_semantic_kitti_folders_bring_labels_and_poses_back(scans, tmp_path):
    write_semantic_kitti(scans, tmp_path / 'sequence')
    read = list(open_recording(tmp_path / 'sequence').scans())
    assert len(read) == 3
    start = np.linalg.inv(scans[0].pose)
    for one, other in zip(scans, read, strict=True):
        np.testing.assert_array_equal(one.points.xyz, other.points.xyz)
        np.testing.assert_array_equal(one.semantic, other.semantic)
        np.testing.assert_array_equal(one.instance, other.instance)
        np.testing.assert_allclose(start @ one.pose, other.pose, atol=1e-6)


def test_nothing_is_overwritten(scans, tmp_path):
    for write in (write_rosbag, write_kitti, write_semantic_kitti):
        target = tmp_path / write.__name__
        target.mkdir()
        (target / 'mine.txt').write_text('keep')
        with pytest.raises(ConfigError, match='overwritten'):
            write(scans, target)
        assert [path.name for path in target.iterdir()] == ['mine.txt']


def test_scans_without_point_labels_are_no_semantic_kitti(scans, tmp_path):
    bare = LabeledScan(scans[0].points, scans[0].pose)
    with pytest.raises(InputError, match='no point labels'):
        write_semantic_kitti([bare], tmp_path / 'sequence')


def test_command_writes_a_recording_and_tells_of_it(tmp_path):
    result = CliRunner().invoke(_application(), [
        '--out', str(tmp_path / 'bag'), '--world', 'hall', '--sensor', 'vlp16', '--scans', '2',
        '--columns', '128', '--json'])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told['scans'] == 2
    recording = open_recording(tmp_path / 'bag')
    assert recording.has_boxes
    assert len(list(recording.scans())) == 2


def test_command_refuses_unknown_formats(tmp_path):
    result = CliRunner().invoke(_application(), ['--out', str(tmp_path / 'x'), '--format', 'las'])
    assert isinstance(result.exception, ConfigError)


def _application():
    import typer

    from eq_eval.cli.simulate import simulate
    assert load_command('simulate').name == 'simulate'
    application = typer.Typer()
    application.command()(simulate)
    return application
