"""What the simulation writes is what the readers read, in all three formats."""

from pathlib import Path

import numpy as np
import pytest

from eq_eval.datasets.open import open_recording

pytest.importorskip('open3d', reason='Open3D missing')


@pytest.fixture(scope='module')
def scans():
    from eq_eval.simulation import simulate_sequence
    return list(simulate_sequence('street', 'vlp16', 3, 2, 'test', stride=3))


def test_rosbag(tmp_path: Path, scans) -> None:
    pytest.importorskip('rosbags', reason='rosbags missing')
    from eq_eval.datasets.write_rosbag import write_rosbag
    write_rosbag(scans, tmp_path / 'bag')
    for path in (tmp_path / 'bag', next((tmp_path / 'bag').glob('*.mcap'))):
        recording = open_recording(path)
        assert recording.has_boxes and len(recording) == 2
        for scan, again in zip(scans, recording.scans(), strict=True):
            np.testing.assert_array_equal(again.points.xyz, scan.points.xyz)
            np.testing.assert_allclose(again.points.intensity, scan.points.intensity, atol=1e-6)
            np.testing.assert_allclose(again.pose, scan.pose, atol=1e-8)
            for name in ('center', 'size', 'yaw', 'velocity', 'label', 'track_id'):
                np.testing.assert_allclose(getattr(again.boxes, name), getattr(scan.boxes, name),
                                           atol=1e-5)
            np.testing.assert_array_equal(again.num_points, scan.num_points)
            assert again.class_names == scan.class_names


def test_semantic_kitti(tmp_path: Path, scans) -> None:
    from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
    write_semantic_kitti(scans, tmp_path / '00')
    recording = open_recording(tmp_path / '00')
    assert recording.kind == 'semantic_kitti'
    again = list(recording.scans())
    for scan, read in zip(scans, again, strict=True):
        np.testing.assert_array_equal(read.points.xyz, scan.points.xyz)
        np.testing.assert_array_equal(read.semantic, scan.semantic)
        np.testing.assert_array_equal(read.instance, scan.instance)
        assert read.points.stamp == scan.points.stamp
    moved = np.linalg.inv(scans[0].pose) @ scans[1].pose
    np.testing.assert_allclose(np.linalg.inv(again[0].pose) @ again[1].pose, moved, atol=1e-6)


def test_kitti_object(tmp_path: Path, scans) -> None:
    from eq_eval.datasets.write_kitti import write_kitti
    write_kitti(scans, tmp_path / 'kitti')
    recording = open_recording(tmp_path / 'kitti')
    assert recording.kind == 'kitti_object' and recording.has_boxes
    found = 0
    for scan, again in zip(scans, recording.scans(), strict=True):
        np.testing.assert_array_equal(again.points.xyz, scan.points.xyz)
        for center, size, yaw, count in zip(again.boxes.center, again.boxes.size, again.boxes.yaw,
                                            again.num_points):
            nearest = int(np.linalg.norm(scan.boxes.center - center, axis=1).argmin())
            np.testing.assert_allclose(center, scan.boxes.center[nearest], atol=1e-3)
            np.testing.assert_allclose(size, scan.boxes.size[nearest], atol=1e-3)
            assert np.cos(yaw - scan.boxes.yaw[nearest]) > .999
            # Range noise puts part of a surface just outside its box.
            assert count >= .6 * scan.num_points[nearest] or scan.num_points[nearest] < 50
            found += 1
    assert found >= 2
