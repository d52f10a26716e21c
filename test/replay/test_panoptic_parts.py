"""What surrounds a panoptic replay: answers of two parts, labels beside a bag, recorded points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import struct
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')

from random_recordings import random_scans
from random_recordings import write_bag

from eq_core.errors import ConfigError
from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.cli.replay import segmenting
from eq_eval.cli.replay import short
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.labelled_points import LabelledPoints
from eq_eval.replay.labelled_points import read_labelled
from eq_eval.replay.labelled_points import recorded_answers
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import PlayedNode
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.panoptic import panoptic_inputs
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.point_labels import FOLDER
from eq_eval.replay.point_labels import with_point_labels
from eq_eval.replay.point_labels import write_point_labels
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun
from eq_eval.replay.scan_source import knows_poses
from eq_eval.replay.scan_source import pictured
from eq_eval.replay.source import open_source
from eq_ros.balance import Balance
from eq_ros.panoptic import encode_panoptic
from eq_ros.recorder import RecordedMessage
from eq_ros.replay_client import OBJECTS_TYPE
from eq_ros.replay_client import POINTS_TYPE

TOPIC = '/panoptic_segmenter/output/pointcloud'
CAR, ROAD = (1, 10), (9, 40)  # train id and raw id


def labelled(count: int, stamp: int = 5) -> tuple[Points, np.ndarray, np.ndarray]:
    """Points whose first half is car 3 and whose second half is road."""
    points = Points.from_xyz(np.random.default_rng(0).uniform(-9, 9, (count, 3)), None, 'lidar',
                             stamp)
    car = np.arange(count) < count // 2
    return points, np.where(car, CAR[1], ROAD[1]), np.where(car, 3, 0)


def write_answers(path: Path, *sizes: int) -> Path:
    """A bag of outputs with one answer per size, with stamps 0, 1, ..."""
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    types = get_typestore(Stores.ROS2_KILTED)
    cloud, field, header, time = (types.types[name] for name in (
        POINTS_TYPE, 'sensor_msgs/msg/PointField', 'std_msgs/msg/Header',
        'builtin_interfaces/msg/Time'))
    with OutputBag(path) as bag:
        for stamp, size in enumerate(sizes):
            points, semantic, instance = labelled(size, stamp)
            packed = encode_panoptic(points, semantic, instance, np.ones(size, np.float32))
            message = cloud(
                header=header(time(0, stamp), 'lidar'), height=packed.height, width=packed.width,
                fields=[field(item.name, item.offset, item.datatype, item.count)
                        for item in packed.fields], is_bigendian=False,
                point_step=packed.point_step, row_step=packed.row_step,
                data=np.frombuffer(packed.data, np.uint8), is_dense=True)
            bag.write(TOPIC, POINTS_TYPE, stamp, bytes(types.serialize_cdr(message, POINTS_TYPE)))
    return path


def outcomes(*answered: bool) -> list[ScanOutcome]:
    return [ScanOutcome(index, index, 8, 'published' if good else 'dropped:busy')
            for index, good in enumerate(answered)]


def recording(*scans: LabeledScan) -> Recording:
    return Recording('drive', 'semantic_kitti', len(scans), lambda lost: iter(scans))


def points_message(stamp: int) -> RecordedMessage:
    header = bytes([0, 1, 0, 0]) + struct.pack('<iI', 0, stamp)
    return RecordedMessage(TOPIC, POINTS_TYPE, header + bytes(1000), 7)


def objects_message(stamp: int) -> RecordedMessage:
    from rclpy.serialization import serialize_message
    vision_msgs = pytest.importorskip('vision_msgs.msg')
    message = vision_msgs.Detection3DArray()
    message.header.stamp.nanosec = stamp
    return RecordedMessage('/objects', OBJECTS_TYPE, bytes(serialize_message(message)), 9)


@pytest.mark.parametrize('points_first', [True, False])
def test_an_answer_is_one_when_all_its_parts_are_there(points_first: bool) -> None:
    heard: list[RecordedMessage] = []
    answers = Answers(heard.append)
    answers.parts = (OBJECTS_TYPE, POINTS_TYPE)
    parts = [points_message(5), objects_message(5)]
    first, second = parts if points_first else parts[::-1]
    answers.receive(first)
    assert answers.count(5) == 0 and answers.take(5) is None
    answers.receive(second)
    assert answers.count(5) == 1 and answers.count(6) == 0
    taken = answers.take(5)
    assert taken is not None and set(taken) == {OBJECTS_TYPE, POINTS_TYPE}
    assert answers.take(5) is None
    # What is written is whole; what is remembered is small.
    assert [message.data for message in heard] == [first.data, second.data]
    assert taken[POINTS_TYPE].data == b'' and taken[OBJECTS_TYPE].data == parts[1].data


def test_of_a_long_run_only_that_an_answer_came_is_remembered() -> None:
    heard: list[RecordedMessage] = []
    answers = Answers(heard.append, keeps_content=False)
    message = objects_message(5)
    answers.receive(message)
    assert heard == [message]
    playback = Playback(SimpleNamespace(player=SimpleNamespace(play=lambda cloud, stamp: None)),
                        answers, lambda: None)
    playback._send(Played(0, 5, 8, b''))
    outcome, = playback.outcomes(('car',), Balance(received=1, published=1))
    assert (outcome.status, outcome.boxes) == ('published', None)
    assert outcome.round_trip_ms is not None


def test_recorded_points_are_read_as_they_were_written(tmp_path: Path) -> None:
    bag = write_answers(tmp_path / 'outputs', 8, 6)
    first, none, second = recorded_answers(bag, TOPIC, [
        replace(outcome, stamp=stamp) for outcome, stamp in zip(
            outcomes(True, False, True), (0, 9, 1), strict=True)])
    assert none is None
    assert first is not None and second is not None
    assert first.semantic.tolist() == [CAR[0]] * 4 + [ROAD[0]] * 4
    assert first.instance.tolist() == [3] * 4 + [0] * 4
    assert np.array_equal(first.points.xyz, labelled(8)[0].xyz)
    assert len(second.points) == len(second.semantic) == 6


def test_answers_that_are_missing_in_the_bag_are_an_error(tmp_path: Path) -> None:
    bag = write_answers(tmp_path / 'outputs', 8)
    with pytest.raises(EqError, match='scan 1'):
        list(recorded_answers(bag, TOPIC, outcomes(True, True)))
    with pytest.raises(EqError, match='scan 0'):
        list(recorded_answers(bag, TOPIC, [replace(outcomes(True)[0], stamp=77)]))


def test_points_without_classes_are_refused() -> None:
    from eq_ros.pointcloud2 import encode
    with pytest.raises(InputError, match='semantic'):
        read_labelled(encode(labelled(4)[0]))
    empty = read_labelled(encode_panoptic(
        labelled(0)[0], *(np.zeros(0, int),) * 2, np.zeros(0, np.float32)))
    assert isinstance(empty, LabelledPoints) and len(empty.points) == 0


def test_every_labelled_scan_is_scored_and_what_does_not_fit_counts_as_not_found(
        tmp_path: Path) -> None:
    scans = []
    for index in range(4):
        points, semantic, instance = labelled(400, index)
        scans.append(LabeledScan(points, np.eye(4), semantic=semantic.astype(np.uint16),
                                 instance=instance.astype(np.uint32), index=index))
    scans[3] = replace(scans[3], semantic=None, instance=None)

    def figures(name: str, *answers: int | None) -> dict[str, object]:
        folder = tmp_path / name
        sizes = [size for size in answers if size is not None]
        write_answers(folder / 'outputs', *sizes)
        stamps = iter(range(len(sizes)))
        told = [replace(outcome, stamp=outcome.stamp if size is None else next(stamps))
                for outcome, size in zip(outcomes(*(size is not None for size in answers)),
                                         answers, strict=True)]
        run = ReplayRun(told, scans, 4, len(sizes), 0, {}, {}, {}, 4, [], {}, True,
                        has_point_labels=True)
        result: dict[str, object] = {}
        shown = panoptic_inputs(recording(*scans), run, ReplayOptions(node=SEGMENTER), folder,
                                result, {})
        assert ('another number' in shown.scores_text) is (399 in answers)
        return result

    whole = figures('whole', 400, 400, 400, 400)
    assert whole['LSTQ'] == whole['mIoU'] == whole['PQ'] == 1
    assert whole['scores']['num_scans'] == 3
    silent = figures('silent', 400, None, 400, 400)
    assert silent['mIoU'] == pytest.approx(2 / 3)
    unequal = figures('unequal', 400, 399, 400, 400)
    assert {key: unequal[key] for key in ('LSTQ', 'PQ', 'mIoU')} == {
        key: silent[key] for key in ('LSTQ', 'PQ', 'mIoU')}


def test_labels_lie_beside_a_bag(tmp_path: Path) -> None:
    write_bag(tmp_path / 'bag')
    assert all(scan.semantic is None for scan in
               open_source(tmp_path / 'bag', tmp_path).recording.scans())
    for scan in random_scans(('lidar',) * 12, 5000)[1:]:
        raw = (np.arange(len(scan.points)) % 2 * 30 + 10).astype(np.uint16)
        write_point_labels(replace(scan, semantic=raw, instance=raw.astype(np.uint32) + 5),
                           tmp_path / 'bag' / FOLDER)
    first, *others = open_source(tmp_path / 'bag', tmp_path).recording.scans()
    assert first.semantic is None
    for scan in others:
        assert scan.semantic is not None and scan.instance is not None
        assert scan.semantic[:3].tolist() == [10, 40, 10]
        assert np.array_equal(scan.instance, scan.semantic + 5)


def test_the_street_of_the_demo_is_labelled_and_simulated_once(tmp_path: Path) -> None:
    pytest.importorskip('open3d', reason='the simulation needs open3d-cpu')
    from eq_eval.cli.demo import simulated_street
    told: list[int] = []
    path = simulated_street(tmp_path, 2, lambda done, total, text: told.append(done))
    scans = list(open_source(path, tmp_path).recording.scans())
    assert told == [1, 2] and len(scans) == 2
    assert knows_poses(open_source(path, tmp_path).recording)
    for scan in scans:
        assert scan.boxes is not None and scan.semantic is not None
        assert len(np.unique(scan.semantic)) > 3
    assert simulated_street(tmp_path, 2, lambda done, total, text: told.append(done)) == path
    assert told == [1, 2] and [item.name for item in tmp_path.iterdir()] == [path.name]


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one, two = random_scans(('lidar', 'lidar'))
    write_point_labels(replace(two, index=0, semantic=np.zeros(2001, np.uint16),
                               instance=np.zeros(2001, np.uint32)), tmp_path / FOLDER)
    with pytest.raises(InputError, match='2001'):
        list(with_point_labels(recording(one), tmp_path).scans())


def test_identity_alone_is_no_pose() -> None:
    still, moved = random_scans(('lidar', 'lidar'))
    assert not knows_poses(recording(still, moved))
    pose = np.eye(4)
    pose[0, 3] = .1
    assert knows_poses(recording(still, replace(moved, pose=pose)))
    assert not knows_poses(recording())


def test_pictures_are_spread_from_the_first_to_the_last_scan() -> None:
    assert pictured(30, 6) == {0, 6, 12, 17, 23, 29}
    assert pictured(2, 6) == {0, 1}


def test_the_segmenter_is_played_when_it_is_asked_for(tmp_path: Path) -> None:
    options = ReplayOptions(limit=3)
    assert segmenting(options, wanted=False, model=None) is None
    chosen = segmenting(options, wanted=False, model=tmp_path)
    assert (chosen.node, chosen.model, chosen.limit) == (SEGMENTER, tmp_path, 3)
    assert PlayedNode('no_such_node', '', '').shipped_model() is None
    if SEGMENTER.shipped_model() is None:
        with pytest.raises(ConfigError):
            segmenting(options, wanted=True, model=None)


def test_only_a_node_that_is_told_poses_asks_for_them() -> None:
    assert 'odometry_source:=topic' in ReplayOptions(node=SEGMENTER).node_arguments(True)
    assert not any('odometry' in word for word in ReplayOptions(node=DETECTOR).node_arguments())


def test_a_terminal_shows_the_figures_of_both() -> None:
    rows = short({'published': 3, 'mAP': None, 'scores': {}, 'panoptic': {
        'published': 2, 'LSTQ': .5, 'scores': {}}})
    assert rows == {'published': 3, 'panoptic published': 2, 'panoptic LSTQ': .5}
