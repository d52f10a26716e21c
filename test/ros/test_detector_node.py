"""The live node: every cloud is answered or counted, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable
import copy
from pathlib import Path
import signal
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from fake_lidar_detector import BACKEND
from fake_lidar_detector import GATE
from fake_lidar_detector import GATED
from fake_lidar_detector import IMPOSSIBLE
from fake_lidar_detector import NAN_BOX
from fake_lidar_detector import RAISE
from fake_lidar_detector import SLOW
from graph import ACTIVATE
from graph import CLEANUP
from graph import cloud
from graph import CONFIGURE
from graph import DEACTIVATE
from graph import Graph
from graph import WITHOUT_VISION
from rclpy.qos import ReliabilityPolicy

from eq_ros import messages

if TYPE_CHECKING:
    from rosgraph_msgs.msg import Clock

needs_vision = pytest.mark.skipif(messages.vision_msgs is None, reason='needs vision_msgs')


def stamps(answers: list) -> list[int]:
    """Stamps of detections in order [ns]."""
    return [item.header.stamp.sec * 10**9 + item.header.stamp.nanosec for item in answers]


@needs_vision
def test_clean_empty_and_malformed_clouds_are_all_accounted_for(graph: Graph) -> None:
    graph.start()
    graph.wait_active()
    graph.wait(lambda: graph.labels, 'label_info')
    assert [item.class_name for item in graph.labels[0].class_map] == [
        'car', 'truck', 'pedestrian', 'cyclist']
    clean, empty = cloud(stamp=11 * 10**9 + 7, frame_id='front'), cloud(count=0, stamp=12 * 10**9)
    bad_layout = copy.deepcopy(clean)
    bad_layout.row_step += 1
    missing = copy.deepcopy(clean)
    missing.fields = missing.fields[1:]
    bad_field = copy.deepcopy(clean)
    bad_field.fields[0].datatype = 77
    homeless = cloud(frame_id='')
    graph.send_each([clean, bad_layout, missing, bad_field, homeless, empty])
    values = graph.settled()
    assert graph.balance() == 0
    assert values['received'] == '6' and values['published'] == '2'
    assert {key: value for key, value in values.items() if key.startswith('dropped.')} == {
        'dropped.bad_layout': '1', 'dropped.missing_field': '1', 'dropped.bad_field': '1',
        'dropped.frame': '1'}
    graph.wait(lambda: len(graph.objects) == 2 and len(graph.markers) == 2, 'answers')
    assert [item.header for item in graph.objects] == [clean.header, empty.header]
    assert [len(item.detections) for item in graph.objects] == [1, 0]
    assert graph.markers[0].markers[0].header == clean.header
    assert {f'latency_{stage}_p50_ms' for stage in (
        'decode', 'preprocess', 'inference', 'postprocess', 'encode')} <= set(values)
    assert float(values['latency_p50_ms']) <= float(values['latency_p99_ms'])


@needs_vision
def test_stamps_may_repeat_and_go_back_and_stale_ones_are_dropped_if_asked(graph: Graph) -> None:
    graph.start('-p', 'max_age:=0.0')
    graph.wait_active()
    order = [5 * 10**9, 5 * 10**9, 3 * 10**9, 0, 9 * 10**18]
    graph.send_each([cloud(stamp=stamp % (2**31 * 10**9)) for stamp in order])
    graph.wait(lambda: len(graph.objects) == 5, 'answers')
    assert stamps(graph.objects)[:4] == order[:4]
    assert graph.set_parameter('max_age', 1.0).successful
    now = graph.node.get_clock().now().nanoseconds
    graph.send_each([cloud(stamp=0), cloud(stamp=now - 10**12), cloud(stamp=now + 10**12)])
    assert graph.count('dropped.stale') == 3 and graph.count('published') == 5
    graph.set_parameter('max_age', 3000.0)
    graph.send_each([cloud(stamp=graph.node.get_clock().now().nanoseconds)])
    assert graph.count('published') == 6 and graph.balance() == 0


@needs_vision
def test_model_that_answers_nonsense_is_never_published(graph: Graph) -> None:
    graph.start()
    graph.wait_active()
    graph.send_each([cloud(NAN_BOX), cloud(BACKEND), cloud(RAISE), cloud(IMPOSSIBLE), cloud()])
    values = graph.settled()
    assert (values['dropped.bad_output'], values['dropped.backend'],
            values['dropped.internal']) == ('1', '1', '1')
    assert values['published'] == '2' and graph.balance() == 0
    graph.wait(lambda: len(graph.objects) == 2, 'answers')
    assert [len(item.detections) for item in graph.objects] == [0, 1]


@pytest.mark.parametrize(('fault', 'reason', 'text'), [
    (RAISE, 'internal', 'ValueError: told to raise'), (BACKEND, 'backend', 'told to fail')])
def test_ten_failures_in_a_row_deactivate_the_node_and_it_can_come_back(
        graph: Graph, fault: int, reason: str, text: str) -> None:
    process = graph.start()
    graph.wait_active()
    graph.send_each([cloud(fault) for _ in range(9)])
    graph.input.publish(cloud(fault))
    graph.wait(lambda: graph.values.get('state') == 'inactive', 'deactivation')
    assert graph.state() == 'inactive' and process.poll() is None
    graph.wait(lambda: graph.reports[-1].level == b'\x02', 'error level')
    assert text in graph.reports[-1].message
    assert graph.count(f'dropped.{reason}') == 10 and graph.balance() == 0
    assert not graph.objects and not graph.markers
    assert 'Traceback' not in graph.log()
    assert graph.change_state(ACTIVATE)
    graph.wait_active()
    graph.send_each([cloud()])
    assert graph.count('published') == 1


def test_cloud_that_is_overtaken_is_dropped_as_busy(graph: Graph, tmp_path: Path) -> None:
    graph.environment[GATE] = str(tmp_path / 'gate')
    graph.start()
    graph.wait_active()
    for number in range(5):
        graph.input.publish(cloud(GATED, stamp=number))
    graph.wait(lambda: graph.count('received') == 5, 'received')
    (tmp_path / 'gate').touch()
    values = graph.settled()
    assert int(values['dropped.busy']) + int(values['published']) == int(values['received']) == 5
    # One is at work and the newest waits; had the work not begun, all but the newest are dropped.
    assert int(values['dropped.busy']) >= 3 and graph.balance() == 0


@pytest.mark.parametrize(('number', 'order'), [(signal.SIGINT, 1.), (signal.SIGTERM, SLOW)])
def test_signal_ends_the_process_cleanly_even_in_the_middle_of_work(
        graph: Graph, number: signal.Signals, order: float) -> None:
    process = graph.start()
    graph.wait_active()
    graph.input.publish(cloud(order))
    graph.wait(lambda: True if order != SLOW else graph.count('received'), 'at work')
    assert graph.stop(process, number) in (0, 130)
    assert 'Traceback' not in graph.log() and 'terminate called' not in graph.log()


def test_faults_of_transitions_leave_the_state_before_and_the_process_alive(graph: Graph) -> None:
    process = graph.start('-p', 'autostart:=false')
    assert graph.state() == 'unconfigured'
    assert graph.set_parameter('model_path', 'broken').successful
    assert not graph.change_state(CONFIGURE) and graph.state() == 'unconfigured'
    lines = [line for line in graph.log().splitlines() if 'ERROR' in line]
    assert len(lines) == 1 and 'configure failed: told to refuse' in lines[0]
    assert not graph.change_state(ACTIVATE) and graph.state() == 'unconfigured'
    graph.set_parameter('model_path', 'good')
    for _ in range(5):
        assert graph.change_state(CONFIGURE) and graph.state() == 'inactive'
        assert not graph.change_state(CONFIGURE)
        assert graph.change_state(ACTIVATE) and graph.state() == 'active'
        assert not graph.change_state(ACTIVATE)
        assert graph.change_state(DEACTIVATE) and graph.change_state(CLEANUP)
    assert graph.state() == 'unconfigured' and process.poll() is None


@pytest.mark.parametrize(('argument', 'named'), [
    ('thread:=2', "unknown parameter 'thread'"),
    ('threads:=0', "parameter 'threads' must be within [1, 256], got 0"),
    ('max_age:=3', "parameter 'max_age' must be double, got integer 3"),
])
def test_bad_parameters_are_refused_at_configure_by_name(
        graph: Graph, argument: str, named: str) -> None:
    process = graph.start('-p', argument)
    graph.wait(lambda: 'configure failed' in graph.log(), 'one line')
    lines = [line for line in graph.log().splitlines() if 'ERROR' in line]
    assert len(lines) == 1 and named in lines[0]
    assert graph.state() == 'unconfigured' and process.poll() is None


def test_parameters_are_refused_with_a_reason_while_running(graph: Graph) -> None:
    graph.start('-p', 'threads:=0')
    graph.wait(lambda: 'configure failed' in graph.log(), 'one line')
    refused = graph.set_parameter('score_threshold', 1.5)
    assert not refused.successful and 'score_threshold' in refused.reason
    refused = graph.set_parameter('score_threshold', 'high')
    assert not refused.successful
    assert graph.set_parameter('threads', 2).successful  # heals what was wrong at the start
    assert graph.change_state(CONFIGURE) and graph.change_state(ACTIVATE)
    refused = graph.set_parameter('threads', 3)
    assert not refused.successful and 'only while the node is unconfigured' in refused.reason
    assert graph.set_parameter('max_points', 10).successful
    graph.wait_active()
    graph.send_each([cloud(count=100)])
    assert graph.wait_report('thinned to 10').level == b'\x01'
    assert graph.count('published') == 1


def set_clock(graph: Graph, seconds: float) -> Callable[[], None]:
    """Publishes simulated time."""
    from rosgraph_msgs.msg import Clock as ClockMessage
    message: Clock = ClockMessage()
    message.clock.sec = int(seconds)
    return lambda: graph.clock.publish(message)


@needs_vision
def test_time_that_jumps_back_is_told_and_the_next_cloud_is_answered(graph: Graph) -> None:
    graph.start('-p', 'use_sim_time:=true')
    graph.wait_active()
    graph.wait(lambda: graph.clock.get_subscription_count() > 0, 'clock')
    tick = set_clock(graph, 1000)
    graph.wait(lambda: tick() or 'time jumped by +1000.000 s' in graph.log(), 'start')
    graph.send_each([cloud(stamp=1000 * 10**9)])
    back = set_clock(graph, 990)
    graph.wait(lambda: back() or 'time jumped by -10.000 s' in graph.log(), 'jump')
    graph.send_each([cloud(stamp=990 * 10**9)])
    graph.wait(lambda: len(graph.objects) == 2, 'answers')
    assert stamps(graph.objects) == [1000 * 10**9, 990 * 10**9]


def test_silent_sensor_is_reported_and_forgiven(graph: Graph) -> None:
    graph.start('-p', 'input_timeout:=0.5')
    graph.wait_active()
    assert graph.wait_report('no input for').level == b'\x02'
    graph.set_parameter('input_timeout', 100.0)
    graph.send_each([cloud()])
    graph.wait(lambda: graph.reports[-1].message == 'active', 'recovery')


TOPIC = '/lidar_detector/input/pointcloud'


def test_quality_of_service_can_be_overridden_by_parameters(graph: Graph) -> None:
    graph.start('-p', f'qos_overrides.{TOPIC}.subscription.reliability:=reliable',
                '-p', f'qos_overrides.{TOPIC}.subscription.depth:=2')
    graph.wait(lambda: graph.values.get('state') == 'active', 'active')
    graph.wait(lambda: graph.node.get_subscriptions_info_by_topic(TOPIC), 'subscribed')
    profile = graph.node.get_subscriptions_info_by_topic(TOPIC)[0].qos_profile
    assert profile.reliability == ReliabilityPolicy.RELIABLE


def test_override_that_makes_no_sense_leaves_the_node_inactive(graph: Graph) -> None:
    graph.start('-p', f'qos_overrides.{TOPIC}.subscription.reliability:=perhaps')
    graph.wait(lambda: 'activate failed' in graph.log(), 'one line')
    assert graph.state() == 'inactive' and 'perhaps' in graph.log()


def test_markers_go_out_where_vision_msgs_is_missing(graph: Graph) -> None:
    graph.environment[WITHOUT_VISION] = '1'
    graph.start()
    graph.wait_active()
    graph.send_each([cloud()])
    graph.wait(lambda: graph.markers, 'markers')
    assert graph.node.count_publishers('/lidar_detector/output/objects') == 0
    assert graph.count('published') == 1 and graph.reports[-1].level == b'\x01'
    assert 'vision_msgs is not installed' in graph.reports[-1].message


def test_two_nodes_with_other_names_do_not_disturb_each_other(graph: Graph) -> None:
    graph.start('-r', '__node:=rear', '-r', '__ns:=/robot', name='/robot/rear')
    graph.wait_active()
    rear = graph.input
    graph.start('-r', '__node:=front', name='/front')
    graph.wait(lambda: any(report.name == 'front: pipeline' for report in graph.reports), 'front')
    graph.wait(lambda: graph.input.get_subscription_count() > 0, 'subscribed')
    rear.publish(cloud())
    graph.wait(lambda: any(
        report.name == 'rear: pipeline' and report.values[2].value == '1'
        for report in graph.reports), 'rear answered')
    front = [report for report in graph.reports if report.name == 'front: pipeline'][-1]
    assert {item.key: item.value for item in front.values}['received'] == '0'
