"""The live segmenter: every point labelled, ids that hold, time and odometry that misbehave."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from fake_panoptic_segmenter import RAISE
from graph import ACTIVATE
from graph import cloud
from graph import DEACTIVATE
from graph import Graph
from panoptic_graph import BICYCLE
from panoptic_graph import CAR
from panoptic_graph import Labelled
from panoptic_graph import PanopticGraph
from rosgraph_msgs.msg import Clock

from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_ros import messages

pytestmark = pytest.mark.skipif(messages.vision_msgs is None, reason='needs vision_msgs')
needs_tf = pytest.mark.skipif(messages.TFMessage is None, reason='needs tf2_msgs')
FIELDS = ['x', 'y', 'z', 'intensity', 'semantic', 'instance', 'probability']


@pytest.fixture
def segmenter(graph: Graph) -> PanopticGraph:
    return PanopticGraph(graph)


def ids(answers: list[Labelled]) -> list[int]:
    """The object of the points of each answer."""
    return [instance for answer in answers for instance in answer.instance]


def modes(answers: list[Labelled]) -> list[int]:
    """Whether each answer was made with a pose."""
    return [semantic for answer in answers for semantic in answer.semantic]


def test_every_cloud_is_answered_with_labels_and_confirmed_objects_or_counted(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start()
    graph.wait(lambda: graph.labels, 'label_info')
    assert {item.class_id: item.class_name for item in graph.labels[0].class_map} == dict(
        zip(RAW_OF_TRAIN.tolist(), CLASS_NAMES, strict=True))
    answers = segmenter.send(1., 1.1, 1.2, 1.3, frame_id='roof')
    assert ids(answers) == [1] * 4 and modes(answers) == [CAR] * 4
    for message in segmenter.points:
        assert [field.name for field in message.fields] == FIELDS
        assert message.header.frame_id == 'roof' and message.width == 20
    graph.wait(lambda: len(graph.objects) == 4, 'objects')
    found = [[detection.id for detection in item.detections] for item in graph.objects]
    assert found[0] == [] and found[-1] == ['1']  # one look does not confirm an object
    assert graph.objects[-1].detections[0].results[0].pose.covariance[0] > 0
    assert [item.header for item in graph.objects] == [item.header for item in segmenter.points]
    bad = copy.deepcopy(cloud(stamp=14 * 10**8))
    bad.row_step += 1
    graph.send_each([bad, cloud(RAISE, stamp=15 * 10**8)])
    empty = segmenter.send(1.6, count=0, frame_id='roof')
    assert empty == [Labelled(1.6, set(), set(), 0.)]
    assert ids(segmenter.send(1.7, frame_id='roof')) == [1]
    values = graph.settled()
    assert (values['published'], values['dropped.bad_layout'], values['dropped.internal']) == (
        '6', '1', '1')
    assert graph.balance() == 0 and values['mode'] == 'single scan'
    assert {f'latency_{stage}_p50_ms' for stage in (
        'decode', 'odometry', 'preprocess', 'inference', 'postprocess', 'tracking', 'encode')
        } <= set(values)


def test_late_clouds_are_dropped_and_jumps_begin_anew_without_used_ids(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start()
    assert ids(segmenter.send(10., 10.1, 10.1, 10., 9.8, 10.2)) == [1, 1, 1]
    assert graph.wait_report('out_of_order').level == b'\x01'
    assert graph.count('dropped.out_of_order') == 3
    assert ids(segmenter.send(5., 5.1)) == [2, 2]       # a bag that begins again
    assert 'stamps jump back' in graph.log()
    assert ids(segmenter.send(5., 5.2)) == [2]
    assert ids(segmenter.send(100., 100.1)) == [3, 3]   # a bag that goes on elsewhere
    assert ids(segmenter.send(5.)) == [4]
    assert graph.change_state(DEACTIVATE) and graph.change_state(ACTIVATE)
    graph.wait_active()
    assert ids(segmenter.send(5., 5.1)) == [5, 5]       # off and on again
    graph.settled()
    assert graph.count('published') == 11 and graph.balance() == 0


def test_clock_that_jumps_back_forgets_objects_even_if_stamps_do_not_show_it(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start('-p', 'use_sim_time:=true')
    graph.wait(lambda: graph.clock.get_subscription_count() > 0, 'clock')
    now = Clock()
    now.clock.sec = 1000
    graph.wait(lambda: graph.clock.publish(now) or '+1000.000 s' in graph.log(), 'start')
    assert ids(segmenter.send(1., 1.1)) == [1, 1]
    now.clock.sec = 990
    graph.wait(lambda: graph.clock.publish(now) or '-10.000 s' in graph.log(), 'jump')
    assert ids(segmenter.send(1.1, 1.2)) == [2, 2]
    graph.settled()
    assert graph.count('published') == 4 and graph.balance() == 0


def test_odometry_that_is_missing_or_jumps_costs_the_tracks_and_comes_back(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start('-p', 'odometry_source:=topic', '-p', 'max_speed:=20.0')
    missing = segmenter.send(1., 1.1, frame_id='base')
    assert modes(missing) == [CAR] * 2 and ids(missing) == [1] * 2
    assert graph.wait_report('single-scan mode: no pose is known yet').level == b'\x01'
    segmenter.odometry((1.15, 11.5), (1.25, 12.5), (1.35, 13.5))
    known = segmenter.send(1.2, 1.3, frame_id='base')
    assert modes(known) == [BICYCLE] * 2 and ids(known) == [2] * 2
    assert [answer.probability for answer in known] == pytest.approx([.12, .13])
    graph.wait(lambda: graph.reports[-1].message == 'active', 'recovery')
    assert graph.values['mode'] == 'sequence'
    segmenter.odometry((1.38, 13.8), (1.45, 80.), (1.5, 80.), (1.6, 80.5), (1.7, 81.))
    jump = segmenter.send(1.4, 1.5, 1.6, 1.65, frame_id='base')
    assert modes(jump) == [CAR, BICYCLE, BICYCLE, BICYCLE] and ids(jump) == [3, 4, 4, 4]
    assert jump[-1].probability == pytest.approx(.8075)
    assert graph.wait_report('single-scan mode: odometry jumps').level == b'\x01'
    late = segmenter.send(1.9, frame_id='base')
    assert modes(late) == [CAR] and ids(late) == [5]
    segmenter.odometry((1.95, 82.), (2.05, 82.), frame='', expected=1.7)
    graph.wait_report('odometry ignored')
    graph.settled()
    assert graph.count('published') == 9 and graph.balance() == 0


@needs_tf
def test_mount_of_the_sensor_comes_from_the_transforms_or_there_is_no_pose(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start('-p', 'odometry_source:=topic')
    segmenter.odometry((1., 10.), (1.1, 10.), (1.2, 10.), (1.3, 10.))
    assert modes(segmenter.send(1.05)) == [CAR]
    graph.wait_report("single-scan mode: no transform from 'lidar' to 'base'")
    segmenter.static('base', 'lidar', 2.)
    answers = segmenter.until(BICYCLE, start=1.06, step=1e-4)
    assert answers.probability == pytest.approx(.12)
    assert graph.settled()['mode'] == 'sequence' and graph.balance() == 0


@needs_tf
def test_transforms_can_be_the_odometry_and_a_loop_begins_anew(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start('-p', 'odometry_source:=tf', '-p', 'odom_frame:=world')
    assert modes(segmenter.send(50.)) == [CAR]
    graph.wait_report("single-scan mode: no transform from 'lidar' to 'world'")
    segmenter.static('base', 'lidar', 2.)
    segmenter.tf('world', 'base', (48., 20.), (50., 20.), (50.5, 21.))
    segmenter.known_until(50.5)
    known = segmenter.send(50.25, 50.5)
    assert modes(known) == [BICYCLE] * 2 and ids(known) == [2] * 2
    assert [answer.probability for answer in known] == pytest.approx([.225, .23])
    assert modes(segmenter.send(49.)) == [CAR]  # what was known there was of another time
    segmenter.tf('world', 'base', (49., 70.), (49.5, 71.))
    segmenter.known_until(49.5)
    known = segmenter.send(49.25, 49.5)
    assert modes(known) == [BICYCLE] * 2 and ids(known) == [4] * 2
    assert [answer.probability for answer in known] == pytest.approx([.725, .73])
    assert graph.settled()['published'] == '6' and graph.balance() == 0


def test_markers_show_the_ways_of_objects_in_the_frame_of_the_odometry(
        segmenter: PanopticGraph) -> None:
    graph = segmenter.graph
    segmenter.start('-p', 'odometry_source:=topic')
    segmenter.send(1., 1.1, 1.2, 1.3, frame_id='base')
    graph.wait(lambda: len(graph.markers) == 4, 'markers')
    assert 'trails' not in {marker.ns for item in graph.markers for marker in item.markers}
    segmenter.odometry((2., 10.), (2.5, 11.))
    segmenter.send(2., 2.1, 2.2, 2.3, 2.4, 2.5, frame_id='base')
    graph.wait(lambda: len(graph.markers) == 10, 'markers')
    assert {'boxes', 'labels', 'trails'} <= {marker.ns for marker in graph.markers[-1].markers}
    trail = next(marker for marker in graph.markers[-1].markers if marker.ns == 'trails')
    assert trail.header.frame_id == 'odom' and trail.header.stamp == (
        graph.markers[-1].markers[0].header.stamp)
    ends = [point.x for point in trail.points]
    assert len(ends) >= 4 and ends == sorted(ends) and ends[-1] - ends[0] < 1.  # as the body goes


@pytest.mark.parametrize(('argument', 'named'), [
    ('odometry_source:=gps', "'odometry_source' must be one of none, topic, tf, got 'gps'"),
    ('sweeps:=0', "parameter 'sweeps' must be within [1, 10], got 0")])
def test_settings_that_make_no_sense_are_refused_by_name(
        graph: Graph, argument: str, named: str) -> None:
    process = graph.start('-p', argument, script='fake_panoptic_segmenter.py',
                          name='/panoptic_segmenter')
    graph.wait(lambda: 'configure failed' in graph.log(), 'one line')
    assert named in graph.log()
    assert graph.state() == 'unconfigured' and process.poll() is None
