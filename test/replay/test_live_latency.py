"""`eq bench detector` measures the node as it runs on a robot, and what of it is the network."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
import numpy as np
import pytest

from eq_core.geometry.points import Points
from eq_eval import latency
from eq_eval.cli import bench
from eq_eval.cli.main import load_command
from eq_eval.replay.raw_clouds import header_stamp
from eq_eval.replay.raw_clouds import with_stamp
from eq_ros import pointcloud2


def test_the_part_of_the_network_is_that_of_the_median_run() -> None:
    rows = [{'decode': 1., 'inference': value, 'total': 99.} for value in (1., 3., 9.)]
    assert latency.network_share(rows, ('decode', 'inference')) == .75


@pytest.mark.usefixtures('node_path')
def test_the_command_starts_the_real_node_and_accounts_for_every_cloud(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, 'QUICK', (2, 60., 1))
    monkeypatch.setattr(bench, 'LIVE_SCANS', (15, 15))
    monkeypatch.setattr(latency, '_scan', lambda world, points, seed: (
        latency.ring_cloud(points, seed), world))
    done = CliRunner().invoke(load_command('bench'), [
        'detector', '--quick', '--json', '--threads', '1', '--points', '3000'])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    assert 0 < result['network_share'] < 1
    assert (result['backend'], result['threads']) == ('onnxruntime', 1)
    node = result['node']
    assert node['sent'] == 15 and node['heard'] == node['published'] > 5
    assert node['received'] == node['published'] + sum(node['dropped'].values())
    assert 0 < node['p50_ms'] <= node['p99_ms']
    assert node['start_s'] > 0 and node['rss_mb'] > 10
    assert node['torch'] is False
    assert set(latency.DETECTOR_STAGES) <= set(node['stages'])


def test_without_ros_the_live_part_is_left_out_and_said_so(
        monkeypatch: pytest.MonkeyPatch) -> None:
    from eq_eval.replay import environment
    monkeypatch.setattr(environment, 'find_spec', lambda name: None)
    result = {'notes': []}
    ros = latency.Ros(lambda cloud: cloud, None, ())
    assert bench._live(Path('models/lidar_detector'), 'fp32', ros, result, 10, 0, True) is None
    assert len(result['notes']) == 1 and 'no ROS 2' in result['notes'][0]


@pytest.mark.parametrize('stamp', [0, 1_000_000_007, 2**31 * 1_000_000_000 - 1])
def test_a_serialised_cloud_takes_another_stamp_and_nothing_else(stamp: int) -> None:
    pytest.importorskip('rclpy')
    from eq_ros import messages
    from eq_ros.recorder import message_class
    from eq_ros.recorder import RecordedMessage
    from eq_ros.recorder import serialized
    message = messages.pointcloud2(pointcloud2.encode(
        Points.from_xyz(np.ones((3, 3), np.float32), None, 'lidar', 5)))
    data = with_stamp(serialized(message), stamp)
    assert header_stamp(data) == stamp
    read = RecordedMessage('/x', 'sensor_msgs/msg/PointCloud2', data, 0).decode()
    assert isinstance(read, message_class('sensor_msgs/msg/PointCloud2'))
    assert read.header.stamp.sec * 10**9 + read.header.stamp.nanosec == stamp
    read.header.stamp = message.header.stamp
    assert read == message
