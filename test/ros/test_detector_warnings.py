"""What the live node says of its surroundings: senders, listeners, clocks, backends."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from graph import cloud
from graph import Graph
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from eq_ros import messages

TOPIC = '/lidar_detector/input/pointcloud'


def headers(graph: Graph) -> list[str]:
    """Frames of the answers in order."""
    return [item.header.frame_id for item in graph.objects]


def test_more_than_ten_empty_clouds_in_a_row_are_a_warning_once(graph: Graph) -> None:
    graph.start('-p', 'input_timeout:=0.0')
    graph.wait_active()
    graph.send_each([cloud(count=0) for _ in range(10)])
    graph.settled()
    assert graph.reports[-1].level == b'\x00'
    assert 'empty clouds' not in graph.log()
    graph.send_each([cloud(count=0) for _ in range(3)])
    assert graph.wait_report('11 empty clouds in a row').level == b'\x01'
    assert graph.wait_report('13 empty clouds in a row').level == b'\x01'
    assert graph.log().count('empty clouds in a row') == 1
    graph.send_each([cloud(), cloud(count=0)])
    graph.wait(lambda: graph.reports[-1].message == 'active', 'forgotten')
    assert graph.count('published') == 15 and graph.balance() == 0


@pytest.mark.skipif(messages.vision_msgs is None, reason='needs vision_msgs')
def test_changed_frame_is_a_warning_and_answered_in_its_own_frame(graph: Graph) -> None:
    graph.start()
    graph.wait_active()
    graph.send_each([cloud(frame_id='roof'), cloud(frame_id='roof')])
    assert 'frame changed' not in graph.log()
    graph.send_each([cloud(frame_id='bumper'), cloud(frame_id='bumper')])
    text = "input frame changed from 'roof' to 'bumper'"
    assert graph.wait_report(text).level == b'\x01'
    assert graph.log().count(text) == 1
    graph.wait(lambda: len(graph.objects) == 4, 'answers')
    assert headers(graph) == ['roof', 'roof', 'bumper', 'bumper']


def test_clock_that_never_comes_or_stops_is_told_and_clouds_are_answered(graph: Graph) -> None:
    graph.start('-p', 'use_sim_time:=true', '-p', 'input_timeout:=0.3')
    graph.wait_active()
    assert graph.wait_report('no time has come on /clock').level >= b'\x01'
    graph.send_each([cloud()])
    now = Clock()

    def tick() -> None:
        now.clock.nanosec += 10**6
        graph.clock.publish(now)
    graph.wait(lambda: tick() or '/clock' not in graph.reports[-1].message, 'the clock runs')
    assert graph.wait_report('simulated time stands still at').level >= b'\x01'
    graph.send_each([cloud()])
    assert graph.count('published') == 2 and graph.balance() == 0


def test_time_that_jumps_ahead_is_told_and_the_next_cloud_is_answered(graph: Graph) -> None:
    graph.start('-p', 'use_sim_time:=true')
    graph.wait_active()
    now = Clock()
    for seconds, text in ((1000, '+1000.000 s'), (5000, '+4000.000 s')):
        now.clock.sec = seconds
        graph.wait(lambda text=text: graph.clock.publish(now) or f'time jumped by {text}' in (
            graph.log()), text)
        graph.send_each([cloud(stamp=seconds * 10**9)])
    assert graph.count('published') == 2 and graph.balance() == 0


@pytest.mark.skipif(messages.vision_msgs is None, reason='needs vision_msgs')
def test_lazy_node_drops_clouds_while_nobody_listens(graph: Graph) -> None:
    graph.start('-p', 'lazy:=true', '-p', 'input_timeout:=0.0')
    graph.wait_active()
    graph.send_each([cloud()])
    graph.wait(lambda: len(graph.objects) == 1, 'answer')
    graph.leave_outputs()
    graph.wait(lambda: graph.send_each([cloud()]) or graph.count('dropped.no_subscriber') == 3,
               'nobody listens')
    assert graph.reports[-1].level == b'\x00' and graph.balance() == 0
    graph.set_parameter('lazy', False)
    before = graph.count('published')
    graph.send_each([cloud()])
    assert graph.count('published') == before + 1 and graph.balance() == 0


def test_other_ends_that_do_not_fit_are_named_with_the_policy(graph: Graph) -> None:
    graph.start('-p', f'qos_overrides.{TOPIC}.subscription.reliability:=reliable')
    said = graph.wait_report(f'{TOPIC}: nothing passes to or from test: Best effort publisher')
    assert said.level == b'\x02' and TOPIC in graph.log()
    markers = '/lidar_detector/debug/markers'
    latched = graph.node.create_subscription(
        messages.MarkerArray, markers, lambda message: None, QoSProfile(
            depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    said = graph.wait_report(f'{markers}: nothing passes to or from test: Volatile publisher')
    assert said.level == b'\x02'
    graph.node.destroy_subscription(latched)
    graph.node.destroy_publisher(graph.input)
    graph.input = graph.node.create_publisher(messages.PointCloud2, TOPIC, QoSProfile(
        depth=5, reliability=ReliabilityPolicy.RELIABLE))
    graph.wait(lambda: 'nothing passes' not in graph.reports[-1].message, 'they fit now')
    graph.wait_active()
    graph.send_each([cloud()])
    assert graph.count('published') == 1


def test_backend_that_is_not_installed_is_passed_over_with_a_warning(graph: Graph) -> None:
    graph.start('-p', 'backends:=[torch, onnxruntime]', script='without_torch.py')
    graph.wait_active()
    assert graph.wait_report('torch: torch is not installed').level >= b'\x01'
    assert graph.values['backend'] == 'onnxruntime' and 'torch is not installed' in graph.log()


def test_node_without_any_usable_backend_fails_to_configure(graph: Graph) -> None:
    process = graph.start('-p', 'backends:=[torch]', script='without_torch.py')
    graph.wait(lambda: 'configure failed' in graph.log(), 'one line')
    assert 'torch is not installed' in graph.log() and 'Traceback' not in graph.log()
    assert graph.state() == 'unconfigured' and process.poll() is None
