"""A recording through a live graph with a stand-in node: everything is accounted for."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import pytest

from eq_core.errors import EqError

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import PlayedNode
from eq_eval.replay.runner import replay
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.summary import summarize

pytestmark = pytest.mark.usefixtures('node_path')
ECHO = replace(DETECTOR, module='echo_detector')


def test_every_scan_is_answered_or_dropped_for_a_reason(tmp_path: Path, recording_of) -> None:
    options = ReplayOptions(node=ECHO)
    frames = ('lidar', 'bad', 'lidar', 'lidar', 'bad', 'lidar')
    run = replay(recording_of(*frames), tmp_path, options)
    result = summarize(run, options)
    assert result['accounted'] is True
    assert result['scans_in_bag'] == result['received'] == 6
    assert (result['published'], result['dropped'], result['in_flight']) == (4, {'frame': 2}, 0)
    assert [outcome.status for outcome in run.outcomes] == [
        'dropped:frame' if frame == 'bad' else 'published' for frame in frames]


def test_the_balance_holds_by_the_clock_however_slow_the_machine(
        tmp_path: Path, recording_of) -> None:
    options = ReplayOptions(node=ECHO, rate=4.)
    run = replay(recording_of(*['lidar', 'bad'] * 6), tmp_path, options)
    result = summarize(run, options)
    assert result['accounted'] is True
    assert result['scans_in_bag'] == 12 == result['received'] + result['lost_in_transport']
    assert result['received'] == result['published'] + sum(result['dropped'].values())
    assert sum(outcome.status == 'published' for outcome in run.outcomes) == result['published']


def test_answers_belong_to_their_scans_and_are_recorded(tmp_path: Path, recording_of) -> None:
    from rosbags.highlevel import AnyReader
    options = ReplayOptions(node=ECHO)
    run = replay(recording_of('lidar', 'lidar', 'lidar'), tmp_path, options)
    # The stand-in says the number of points as x of its box, so a mix-up would show.
    assert [float(outcome.boxes.center[0, 0]) for outcome in run.outcomes] == [2000, 2001, 2002]
    assert [outcome.num_points for outcome in run.outcomes] == [2000, 2001, 2002]
    lines = [json.loads(line) for line in (tmp_path / 'detections.jsonl').open()]
    assert [line['objects'][0]['center'][0] for line in lines] == [2000, 2001, 2002]
    assert [line['stamp'] for line in lines] == [outcome.stamp for outcome in run.outcomes]
    with AnyReader([tmp_path / 'outputs']) as reader:
        topics = {item.topic: item for item in reader.connections}
        objects = topics['/lidar_detector/output/objects']
        recorded = [reader.deserialize(data, item.msgtype)
                    for item, _, data in reader.messages(connections=[objects])]
    assert len(recorded) == run.recorded[objects.topic] == 3
    assert [message.detections[0].bbox.center.position.x for message in recorded] == [
        2000, 2001, 2002]
    assert '/diagnostics' in topics


def test_a_node_that_dies_ends_the_replay_with_its_last_words(
        tmp_path: Path, recording_of) -> None:
    with pytest.raises(EqError, match=r'(?s)exit code 3.*the sky falls') as caught:
        replay(recording_of('lidar', 'dies', 'lidar'), tmp_path,
               ReplayOptions(node=ECHO))
    assert 'last words' in str(caught.value)


def test_a_node_that_cannot_start_is_told_from_a_slow_one(tmp_path: Path, recording_of) -> None:
    with pytest.raises(EqError, match='No module named'):
        replay(recording_of('lidar'), tmp_path,
               ReplayOptions(node=PlayedNode('nobody', 'no_such_node', 'nobody')))


def test_the_environment_is_left_as_it_was(tmp_path: Path, recording_of) -> None:
    import os
    before = dict(os.environ)
    replay(recording_of('lidar'), tmp_path, ReplayOptions(node=ECHO))
    assert dict(os.environ) == before
