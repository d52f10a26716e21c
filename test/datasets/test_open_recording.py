"""Every real recording opens, and its labels fit its points."""

from pathlib import Path
import sys

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.borrowed_labels import with_labels_of
from eq_eval.datasets.class_map import ARGOVERSE2
from eq_eval.datasets.class_map import KITTI
from eq_eval.datasets.class_map import LABEL_NAMES
from eq_eval.datasets.class_map import map_classes
from eq_eval.datasets.class_map import NUSCENES
from eq_eval.datasets.class_map import SUSTECH
from eq_eval.datasets.kitti_360 import box_of_corners
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.pcd import load_pcd
from eq_eval.datasets.track_velocity import with_track_velocities

RECORDINGS = {  # folder -> kind, scans, boxes with at least five points (None: no boxes)
    'kitti_object': ('kitti_object', 9, 32),
    'kitti_tracking_0000': ('kitti_tracking', 70, 310),
    'kitti_360_cars': ('kitti_360', 10, 58),
    'semantickitti_00': ('semantic_kitti', 16, None),
    'nuscenes_frame': ('nuscenes_frame', 1, None),
    'av2': ('argoverse2', 1, None),
    'sustech_points': ('sustech', 3, 68),
    'rellis_frame': ('npz', 1, None),
    'nuscenes_range_semantic': ('npz', 11, None),
    'rosbag/kitti_0000_f110_119': ('rosbag2', 10, None),
    'rosbag/kitti_0000_f110_119/kitti_0000_f110_119.mcap': ('rosbag2', 10, None),
    'rosbag/ouster_os1_128_3scans': ('rosbag2', 3, None),
    'rosbag/nebula_vlp16': ('rosbag2', 4, None),
    'rosbag/nebula_vlp32': ('rosbag2', 5, None),
    'rosbag/nebula_decoded': ('pcd', 3, None),
}


@pytest.mark.parametrize('folder', RECORDINGS)
def test_real_recordings_open(shared_data: Path, folder: str) -> None:
    kind, count, with_points = RECORDINGS[folder]
    recording = open_recording(shared_data / folder)
    assert (recording.kind, len(recording)) == (kind, count)
    boxes = scans = 0
    for scan in recording.scans():
        scans += 1
        assert len(scan.points) > 10_000
        assert np.isfinite(scan.points.xyz).all()
        assert 0 <= scan.points.intensity.min() and scan.points.intensity.max() <= 1
        if scan.boxes is not None:
            assert len(scan.num_points) == len(scan.boxes)
            assert scan.boxes.label.max(initial=0) < len(scan.class_names)
            boxes += int((scan.num_points >= 5).sum())
    assert scans == count and not recording.lost
    if with_points is not None:
        assert boxes == with_points


def test_nuscenes_and_argoverse_count_the_same_points(shared_data: Path) -> None:
    for folder, share in (('nuscenes_frame', .9), ('av2', 1.)):
        scan = next(open_recording(shared_data / folder).scans())
        table = count_points_in_boxes(scan.points.xyz, scan.boxes)
        assert (table == scan.num_points).mean() >= share


def test_velocities_point_where_the_objects_head(shared_data: Path) -> None:
    for folder in ('kitti_tracking_0000', 'av2', 'nuscenes_frame'):
        aligned = []
        for scan in open_recording(shared_data / folder).scans():
            boxes = scan.boxes.select(np.linalg.norm(scan.boxes.velocity, axis=1) > 2)
            heading = np.stack([np.cos(boxes.yaw), np.sin(boxes.yaw)], 1)
            aligned += ((boxes.velocity * heading).sum(1)
                        / np.linalg.norm(boxes.velocity, axis=1)).tolist()
        assert len(aligned) >= 3
        assert np.median(aligned) > .98, folder


def test_kitti_boxes_project_onto_their_image_boxes(shared_data: Path) -> None:
    errors = []
    for scan in open_recording(shared_data / 'kitti_object').scans():
        assert isinstance(scan, KittiScan) and scan.image is not None
        whole = scan.image.truncation == 0
        found = scan.image.calibration.image_boxes(scan.boxes.select(whole))
        errors.append(np.abs(found - scan.image.image_box[whole]).max(1))
        azimuth = np.arctan2(*scan.boxes.center[whole].T[1::-1])
        low, high = scan.field_of_view
        assert ((azimuth > low) & (azimuth < high)).all()
    assert np.median(np.concatenate(errors)) < 5  # [px]


def test_semantic_kitti_labels(shared_data: Path) -> None:
    scans = list(open_recording(shared_data / 'semantickitti_00').scans())
    assert [scan.instance is not None for scan in scans] == [True] * 3 + [False] * 13
    road = [(scan.semantic == 40).mean() for scan in scans]
    assert min(road) > .02
    for scan in scans:  # the road lies below the sensor
        assert scan.points.xyz[scan.semantic == 40, 2].max() < 0
    np.testing.assert_allclose(np.linalg.norm(scans[8].pose[:3, 3]), 5.96, atol=.1)


@pytest.mark.parametrize(('folder', 'tolerance'), [('nebula_vlp16', .001), ('nebula_vlp32', .01)])
def test_velodyne_packets_equal_another_decoder(shared_data: Path, folder: str,
                                                tolerance: float) -> None:
    """Nebula rounds azimuths to 1/100 degree: 4 mm at 24 m."""
    from scipy.spatial import cKDTree
    root = shared_data / 'rosbag' / folder
    reference = load_pcd(next(root.glob('*.pcd')))
    scans = list(open_recording(root).scans())
    assert all(abs(len(scan.points) - len(reference)) < .02 * len(reference) for scan in scans)
    distance = min((cKDTree(scan.points.xyz).query(reference.xyz)[0] for scan in scans),
                   key=np.median)
    assert np.median(distance) < tolerance
    assert np.percentile(distance, 99) < .05
    time = scans[0].points.time_offset
    assert 0 <= time.min() < 1e-5 and .04 < time.max() < .12


def test_bag_of_kitti_borrows_its_labels(shared_data: Path) -> None:
    bag = open_recording(shared_data / 'rosbag' / 'kitti_0000_f110_119')
    labelled = open_recording(shared_data / 'kitti_tracking_0000')
    scans = list(with_labels_of(bag, labelled).scans())
    expected = [scan for scan in labelled.scans() if 110 <= scan.index <= 119]
    assert len(scans) == len(expected) == 10
    for scan, truth in zip(scans, expected, strict=True):
        np.testing.assert_array_equal(scan.boxes.center, truth.boxes.center)
        assert scan.boxes.stamp == scan.points.stamp != truth.points.stamp
        assert scan.field_of_view is not None
    other = open_recording(shared_data / 'kitti_object')
    with pytest.raises(InputError, match='scan 0: no equal scan in kitti_object'):
        list(with_labels_of(bag, other).scans())


def test_ouster_osf_without_its_package_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'ouster.sdk', None)
    (tmp_path / 'drive.osf').touch()
    with pytest.raises(InputError, match='pip install --no-deps ouster-sdk'):
        open_recording(tmp_path / 'drive.osf')


def test_ouster_osf_gives_the_scans_of_the_bag_made_from_it(shared_data: Path) -> None:
    pytest.importorskip('ouster.sdk', reason='needs ouster-sdk')
    folder = shared_data / 'rosbag'
    drive = next(file for file in (folder / 'ouster_osf').glob('OS-1-128*.osf'))
    ours = list(open_recording(drive).scans())
    theirs = list(open_recording(folder / 'ouster_os1_128_3scans').scans())
    assert len(ours) == len(theirs) == 3
    for one, other in zip(ours, theirs, strict=True):
        assert abs(len(one.points) - len(other.points)) < 10
        spread = np.abs(np.sort(one.points.xyz, 0).mean(0) - np.sort(other.points.xyz, 0).mean(0))
        assert spread.max() < .01
    assert len(list(open_recording(folder / 'ouster_osf').scans())) == 13


def test_a_damaged_osf_is_refused_or_left_out(tmp_path: Path) -> None:
    pytest.importorskip('ouster.sdk', reason='needs ouster-sdk')
    (tmp_path / 'drive.osf').write_bytes(b'not a recording at all')
    with pytest.raises(InputError, match='drive.osf'):
        open_recording(tmp_path / 'drive.osf')
    kept = open_recording(tmp_path / 'drive.osf', skip_bad=True)
    assert list(kept.scans()) == [] and len(kept.lost) == 1


def test_unknown_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='does not exist'):
        open_recording(tmp_path / 'nowhere')
    with pytest.raises(InputError, match='no recording'):
        open_recording(tmp_path)
    (tmp_path / 'a.txt').write_text('x')
    with pytest.raises(InputError, match='unknown format'):
        open_recording(tmp_path / 'a.txt')
    for name in ('first', 'second'):
        (tmp_path / name).mkdir()
        (tmp_path / name / '0.pcd').write_text('')
    with pytest.raises(InputError, match='choose one of'):
        open_recording(tmp_path)
    with pytest.raises(InputError, match='no topics'):
        open_recording(tmp_path / 'first', topic='/points')


def test_every_class_has_a_known_place() -> None:
    for table in (KITTI, NUSCENES, ARGOVERSE2, SUSTECH):
        assert set(table.values()) <= {*LABEL_NAMES, None}
    labels, kept = map_classes(['Car', 'Van', 'Cyclist'], KITTI, 'x')
    assert [LABEL_NAMES[label] for label in labels] == ['car', 'ignore', 'cyclist'] and kept.all()
    assert map_classes(['barrier', 'bus'], NUSCENES, 'x')[1].tolist() == [False, True]
    with pytest.raises(InputError, match="labels.txt: unknown classes \\['Boat'\\]"):
        map_classes(['Boat'], KITTI, 'labels.txt')


def test_box_from_corners_in_any_order() -> None:
    rng = np.random.default_rng(2)
    for yaw in (.3, -2., 1.5):
        unit = np.array([[x, y, z] for x in (-2.2, 2.2) for y in (-.9, .9) for z in (-.7, .7)])
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0],
                         [0, 0, 1]])
        corners = rng.permutation(unit) @ turn.T + [3, 4, 5]
        center, size, found = box_of_corners(corners)
        np.testing.assert_allclose(center, [3, 4, 5], atol=1e-9)
        np.testing.assert_allclose(size, [4.4, 1.8, 1.4], atol=1e-9)
        assert abs(np.sin(found - yaw)) < 1e-9


def test_velocity_of_a_straight_track_seen_from_a_turning_sensor() -> None:
    frames, poses = [], []
    for step in range(6):
        angle, place = .2 * step, np.array([2. + .8 * step, 1 - .3 * step, 0])
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        pose[:3, 3] = [.5 * step, 0, 0]
        own = pose[:3, :3].T @ (place - pose[:3, 3])
        frames.append(Boxes3D(center=own[None], size=[[4, 2, 1]], yaw=[0], label=[0],
                              track_id=[7], stamp=step * 100_000_000))
        poses.append(pose)
    for boxes, pose in zip(with_track_velocities(frames, poses), poses, strict=True):
        np.testing.assert_allclose(pose[:2, :2] @ boxes.velocity[0], [8, -3], atol=1e-6)
    lonely = with_track_velocities(frames[:1], poses[:1])[0]
    assert lonely.velocity.tolist() == [[0, 0]]
