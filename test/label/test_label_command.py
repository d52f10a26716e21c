"""From a recording to proposed labels, corrected labels and their evaluation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
import shutil

import numpy as np
import pytest

pytest.importorskip('open3d', reason='the simulation needs open3d-cpu')
pytest.importorskip('rosbags', reason='bags need rosbags')

from typer.testing import CliRunner

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_eval.cli.main import app
from eq_eval.cli.options import bundle_folder
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.bag_poses import BagPoses
from eq_eval.datasets.detection_messages import register_detections
from eq_eval.datasets.kitti_calibration import KittiCalibration
from eq_eval.datasets.kitti_labels import ImageLabels
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.write_kitti_tracking import write_kitti_tracking
from eq_eval.datasets.write_rosbag import write_rosbag
from eq_eval.labelling.propose import propose
from eq_eval.rotation import turned
from eq_eval.rotation import yaw_pose
from eq_eval.simulation import simulate_sequence

COUNT = 4


@pytest.fixture(scope='module')
def scans() -> list[LabeledScan]:
    return list(simulate_sequence('street', 'hdl64e', 3, COUNT, 'test', columns=768))


@pytest.fixture(scope='module')
def labelled(scans, tmp_path_factory) -> tuple[Path, dict]:
    """A bag without truth, such as a user has, and what the command makes of it."""
    folder = tmp_path_factory.mktemp('label')
    write_rosbag(scans, folder / 'mine')
    (folder / 'mine' / 'ground_truth.jsonl').unlink()
    return folder / 'out', run('label', folder / 'mine', '--out', folder / 'out',
                               '--score-threshold', .3, '--threads', 1, '--json')


def run(command: str, *words) -> dict:
    result = CliRunner().invoke(app, [command, *(str(word) for word in words)],
                                catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_both_formats_bring_the_proposals_back(labelled, scans):
    out, told = labelled
    assert told['scans'] == COUNT and told['tracks'] > 3 and told['odometry']
    kitti, bag = (list(open_recording(out / name).scans()) for name in ('kitti', 'bag'))
    assert len(kitti) == len(bag) == COUNT
    boxes = dict.fromkeys(told['boxes'], 0)
    behind = 0
    for original, one, other in zip(scans, kitti, bag, strict=True):
        for read in (one, other):
            np.testing.assert_array_equal(read.points.xyz, original.points.xyz)
            np.testing.assert_allclose(read.pose, original.pose, atol=1e-6)
            assert read.field_of_view is None
        order, same = (np.argsort(scan.boxes.track_id) for scan in (one, other))
        for name in ('track_id', 'label', 'center', 'size', 'yaw'):
            np.testing.assert_allclose(getattr(one.boxes, name)[order],
                                       getattr(other.boxes, name)[same], atol=2e-4)
        assert len(set(one.boxes.track_id)) == len(one.boxes)
        behind += int((one.boxes.center[:, 0] < 0).sum())
        for label in other.boxes.label:
            boxes[other.class_names[label]] += 1
    assert boxes == told['boxes'] and behind
    assert told['detections'] > 0 and told['lost'] == 0


def test_the_bag_tells_boxes_ids_and_scores_to_ros(labelled):
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    out, told = labelled
    store = get_typestore(Stores.ROS2_HUMBLE)
    register_detections(store)
    messages = [store.deserialize_cdr(message.data, message.type_name)
                for message in read_messages(out / 'bag', ['/label/objects'])]
    truths = [scan.boxes for scan in open_recording(out / 'bag').scans()]
    assert sum(len(message.detections) for message in messages) == sum(told['boxes'].values())
    for message, boxes in zip(messages, truths, strict=True):
        assert [int(one.id) for one in message.detections] == boxes.track_id.tolist()
        for one, center, yaw in zip(message.detections, boxes.center, boxes.yaw, strict=True):
            place, turn = one.bbox.center.position, one.bbox.center.orientation
            np.testing.assert_allclose([place.x, place.y, place.z], center, atol=1e-4)
            assert np.cos(2 * np.arctan2(turn.z, turn.w) - yaw) > 1 - 1e-8
            assert 0 < one.results[0].hypothesis.score < 1


def test_corrected_labels_are_data_of_the_evaluation(labelled, tmp_path):
    out, told = labelled
    shutil.copytree(out / 'kitti', tmp_path / 'corrected')
    file = tmp_path / 'corrected' / 'label_02.txt'
    rows = file.read_text().splitlines()
    scores = [float(row.split()[-1]) for row in rows]
    assert 0 < min(scores) < max(scores) < 1 and {len(row.split()) for row in rows} == {18}
    kept = [' '.join(row.split()[:17]) for row in rows if row.split()[1] != rows[0].split()[1]]
    file.write_text('\n'.join(kept) + '\n')
    evaluated = {}
    for name, path in (('before', out / 'kitti'), ('after', tmp_path / 'corrected')):
        evaluated[name] = run('eval', 'detector', '--data', path, '--quick', '--json',
                              '--threads', 1, '--score-threshold', .3)
    assert evaluated['before']['num_scans'] == COUNT
    # What the model proposed, it finds.
    assert evaluated['before']['AP']['car'] > .7
    after = [len(scan.boxes) for scan in open_recording(tmp_path / 'corrected').scans()]
    assert sum(after) == len(kept) < len(rows) == sum(told['boxes'].values())


def test_separate_scans_become_the_object_benchmark(scans, tmp_path):
    write_kitti_tracking(scans, tmp_path / 'tracking')
    told = run('label', tmp_path / 'tracking', '--out', tmp_path / 'out', '--no-tracks',
               '--classes', 'car', '--format', 'kitti', '--limit', 2, '--threads', 1, '--json')
    assert (told['tracks'], told['scans'], (tmp_path / 'out' / 'bag').exists()) == (0, 2, False)
    assert told['boxes']['car'] and not told['boxes']['pedestrian']
    recording = open_recording(tmp_path / 'out' / 'kitti')
    assert recording.kind == 'kitti_object'
    assert sum(len(scan.boxes) for scan in recording.scans()) == told['boxes']['car']


def test_a_tilted_camera_changes_nothing(scans, tmp_path):
    from scipy.spatial.transform import Rotation
    mount = np.eye(4)
    mount[:3, :3] = Rotation.from_euler('xyz', [.02, -.03, .05]).as_matrix() @ np.array(
        [[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    mount[:3, 3] = .1, -.2, .3
    camera = KittiCalibration(np.array([[700., 0, 600, 40], [0, 700, 180, 1], [0, 0, 1, 0]]),
                              mount)
    nothing = np.zeros(0)
    image = ImageLabels(camera, nothing, nothing, nothing, nothing, nothing)
    scan = scans[0]
    write_kitti_tracking([KittiScan(scan.points, scan.pose, scan.boxes, image=image)],
                         tmp_path / 'kitti')
    read = next(open_recording(tmp_path / 'kitti').scans())
    np.testing.assert_allclose(read.boxes.center, scan.boxes.center, atol=2e-4)
    np.testing.assert_allclose(np.cos(read.boxes.yaw - scan.boxes.yaw), 1., atol=1e-7)
    np.testing.assert_allclose(read.image.calibration.projection, camera.projection)


def test_turning_the_recording_turns_the_proposals(scans):
    from eq_perception.detection.detector import Detector
    detector = Detector.from_bundle(bundle_folder(None), ['onnxruntime'], 1, .3)
    # Of centimetres, many points lie right on an axis or on the border of a cell.
    scans = [dataclasses.replace(scan, points=dataclasses.replace(
        scan.points, xyz=scan.points.xyz.round(2))) for scan in scans]
    assert sum((scan.points.xyz[:, :2] == 0).sum() for scan in scans) > 10
    upright = propose(detector, scans)
    aside = propose(detector, [turned(scan, 90.) for scan in scans])
    assert sum(map(len, upright)) > 10
    for boxes, other in zip(upright, aside, strict=True):
        boxes = boxes.transformed(yaw_pose(90.))
        for name in ('track_id', 'label'):
            np.testing.assert_array_equal(getattr(other, name), getattr(boxes, name))
        for name in ('center', 'size', 'score', 'velocity'):
            np.testing.assert_allclose(getattr(other, name), getattr(boxes, name), atol=1e-4)
        np.testing.assert_allclose(np.cos(other.yaw - boxes.yaw), 1., atol=1e-8)


def test_the_motion_of_the_sensor_is_read_from_transforms(labelled, scans):
    poses = BagPoses(labelled[0] / 'bag')
    bag = list(open_recording(labelled[0] / 'bag').scans())
    stamp, frame = bag[1].points.stamp, bag[1].points.frame_id
    np.testing.assert_allclose(poses.pose('odom', frame, stamp), scans[1].pose, atol=1e-6)
    assert poses.pose('map', frame, stamp) is None
    assert poses.pose('odom', frame, stamp + 10_000_000_000) is None


@pytest.mark.parametrize(('words', 'error', 'named'), [
    (['--format', 'las'], ConfigError, 'las'), (['--classes', 'car,lorry'], ConfigError, 'lorry'),
    (['--classes', ','], ConfigError, 'classes'), (['--fill', '-2'], ConfigError, '-2'),
    (['--score-threshold', '1.5'], ConfigError, '1.5'), (['--topic', '/no'], InputError, '/no'),
])
def test_bad_words_are_named(labelled, tmp_path, words, error, named):
    with pytest.raises(error, match=named):
        run('label', labelled[0] / 'bag', '--out', tmp_path / 'out', *words)
    assert not (tmp_path / 'out').exists()


def test_missing_recordings_and_full_folders_are_named(labelled, tmp_path):
    with pytest.raises(InputError, match='nothing'):
        run('label', tmp_path / 'nothing', '--out', tmp_path / 'out')
    with pytest.raises(ConfigError, match='not overwritten'):
        run('label', labelled[0] / 'bag', '--out', labelled[0])
