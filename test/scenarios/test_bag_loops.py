"""A bag that is played in a loop: time jumps back, and every loop is as good as the first."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vision_msgs')

from eq_eval.datasets.open import open_recording
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.write_rosbag import write_rosbag
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import PlayedNode
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.scan_source import ScanSource
from eq_eval.simulation import simulate_sequence

LOOPS, SCANS = 3, 12
PATIENCE = 60.      # [s]; nothing is measured with it


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A short drive through the simulated street."""
    path = tmp_path_factory.mktemp('bags') / 'drive'
    write_rosbag(simulate_sequence('street', 'hdl64e', 4, SCANS, 'test'), path)
    return open_recording(path)


def loops(bag: Recording, options: ReplayOptions, with_poses: bool,
          is_answered: Callable[[Played, int], bool]) -> Iterator[Played]:
    """The scans of the bag again and again, each time with the stamps of the first.

    Args:
        bag: What is played.
        options: How it is played.
        with_poses: Whether the node is told where the sensor was.
        is_answered: Waits until a scan has been answered so many times.
    """
    for loop in range(LOOPS):
        for scan in ScanSource(bag, options, lambda scan: None, with_poses).scans():
            yield replace(scan, index=loop * SCANS + scan.index)
            assert is_answered(scan, loop + 1)


@pytest.mark.parametrize(('node', 'with_poses'), [(DETECTOR, False), (SEGMENTER, True)])
def test_every_loop_of_a_bag_finds_as_much_and_no_track_comes_again(
        node: PlayedNode, with_poses: bool, bag: Recording, domain_id: int, tmp_path: Path
        ) -> None:
    from eq_ros.replay_client import ReplayClient

    options = ReplayOptions(node=node)
    variables = graph_environment(domain_id, tmp_path / 'ros')
    answers = Answers(lambda message: None)
    with applied(variables), NodeProcess(
            node.module, options.node_arguments(with_poses), tmp_path / 'node.log', variables
            ) as process, ReplayClient(
            node.name, answers.receive, domain_id, node.labels_points, with_poses) as client:
        answers.parts = client.answer_types
        client.wait_until_active(options.start_timeout, process.check)
        playback = Playback(client, answers, process.check, PATIENCE)

        def is_answered(scan: Played, times: int) -> bool:
            return client.wait(lambda: answers.count(scan.stamp) == times, PATIENCE)
        stamps = [scan.stamp for scan in playback.lock_step(
            loops(bag, options, with_poses, is_answered))]
        balance = playback.settle()
        outcomes = playback.outcomes(options.class_names, balance)
    assert stamps == stamps[:SCANS] * LOOPS and np.diff(stamps).min() < -1e9
    assert balance.received == balance.published == LOOPS * SCANS and not balance.dropped
    found = [[outcome.boxes for outcome in outcomes[first:first + SCANS]]
             for first in range(0, LOOPS * SCANS, SCANS)]
    counts = [sum(map(len, boxes)) for boxes in found]
    assert counts[0] > SCANS
    assert counts == pytest.approx([counts[0]] * LOOPS, rel=.01)
    if node == SEGMENTER:
        ids = [set(np.concatenate([each.track_id for each in boxes])) for boxes in found]
        assert sum(map(len, ids)) == len(set.union(*ids)), 'an id of one loop is one of another'
