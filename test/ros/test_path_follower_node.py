"""The live follower drives a simulated robot, and stops it whenever it must."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
from graph import DEACTIVATE
from graph import Graph

from eq_ros import messages
from eq_ros import qos
from eq_ros.messages import Twist
from eq_ros.paths import path_message

NAME = '/path_follower'
STEP = .1       # of the simulated robot [s]
SECOND = 10**9
LINE = np.column_stack([np.linspace(0, 3, 16), np.zeros((16, 2))])


class Robot:
    """The other end of the node: a robot that does what it is told."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.pose, self.commands = graph, (0., .2, 0.), []
        node = graph.node
        node.create_subscription(Twist, f'{NAME}/output/cmd_vel', self.commands.append,
                                 qos.result(100))
        self.path = node.create_publisher(messages.Path, f'{NAME}/input/path', qos.latched())
        self.odometry = node.create_publisher(messages.Odometry, f'{NAME}/input/odometry',
                                              qos.result())

    def start(self, *arguments: str) -> None:
        graph = self.graph
        graph.start('-p', 'odometry_timeout:=60.0', *arguments,
                    script='eq_navigation.nodes.path_follower', name=NAME)
        graph.wait(lambda: graph.values.get('state') == 'active', 'active')
        for publisher in (self.path, self.odometry):
            graph.wait(lambda publisher=publisher: publisher.get_subscription_count() > 0, 'heard')
        graph.wait(lambda: graph.node.count_publishers(f'{NAME}/output/cmd_vel') > 0, 'commands')
        graph.state()

    def follow(self, places: np.ndarray, frame_id: str = 'odom') -> None:
        self.path.publish(path_message(places, messages.header(frame_id, SECOND)))
        self.graph.wait(lambda: (self.graph.values.get('path') != 'none') == bool(
            len(places) and np.isfinite(places).all()), 'path')

    def tell(self, **changes: Any) -> Twist | None:
        """Says where the robot is; the command, or None if there is none."""
        x, y, yaw = changes.get('pose', self.pose)
        message = messages.Odometry(header=messages.header(changes.get('frame_id', 'odom'),
                                                           SECOND), child_frame_id='base_link')
        message.pose.pose.position.x, message.pose.pose.position.y = x, y
        message.pose.pose.orientation.z = math.sin(yaw / 2)
        message.pose.pose.orientation.w = math.cos(yaw / 2)
        graph, before, seen = self.graph, self.graph.count('received'), len(self.commands)
        published = graph.count('published')
        self.odometry.publish(message)
        graph.wait(lambda: graph.count('received') > before, 'received')
        if graph.count('published') > published or changes.get('stops'):
            graph.wait(lambda: len(self.commands) > seen, 'command')
        return self.commands[-1] if len(self.commands) > seen else None

    def drive(self) -> None:
        """Drives until there are no commands any more."""
        for _ in range(200):
            command = self.tell()
            if command is None:
                return
            x, y, yaw = self.pose
            way = command.linear.x * STEP
            self.pose = (x + way * math.cos(yaw), y + way * math.sin(yaw),
                         yaw + command.angular.z * STEP)
        raise AssertionError(f'never arrived: {self.pose}')


@pytest.fixture
def robot(graph: Graph) -> Robot:
    return Robot(graph)


def stands(command: Twist | None) -> bool:
    return command is not None and not (command.linear.x or command.angular.z)


def test_a_path_is_driven_to_its_end_and_then_others_may_drive(robot: Robot) -> None:
    graph = robot.graph
    robot.start('-p', 'speed:=1.0')
    assert robot.tell() is None and graph.count('dropped.no_path') == 1
    robot.follow(LINE)
    robot.drive()
    assert np.hypot(robot.pose[0] - 3., robot.pose[1]) < .2
    assert stands(robot.commands[-1]) and all(
        math.isfinite(each.linear.x + each.angular.z) for each in robot.commands)
    graph.settled()
    assert graph.values['path'] == 'none' and graph.balance() == 0
    assert graph.reports[-1].message == 'active'        # to have no path is no fault


def test_the_robot_stands_whenever_it_cannot_be_told_where_it_is(robot: Robot) -> None:
    graph = robot.graph
    robot.start('-p', 'max_deviation:=1.0')
    robot.follow(LINE)
    for reason, changes in (
            ('bad_pose', {'pose': (math.nan, 0., 0.)}), ('frame', {'frame_id': ''}),
            ('tf_error', {'frame_id': 'elsewhere'}), ('off_path', {'pose': (1., 1.5, 0.)})):
        assert not stands(robot.tell())
        assert stands(robot.tell(stops=True, **changes)), reason
        graph.wait(lambda reason=reason: graph.count(f'dropped.{reason}') == 1, reason)
    assert not stands(robot.tell())
    seen = len(robot.commands)
    robot.follow(LINE[:0])                              # the path is taken back
    graph.wait(lambda: len(robot.commands) > seen, 'stop')
    assert stands(robot.commands[-1]) and robot.tell() is None
    robot.follow(LINE)
    assert not stands(robot.tell())
    seen = len(robot.commands)
    robot.follow(LINE * np.nan)                         # a path that is none
    graph.wait(lambda: len(robot.commands) > seen, 'stop')
    assert stands(robot.commands[-1])
    graph.wait_report('the path is refused')
    graph.settled()
    assert graph.balance() == 0


def test_silence_an_old_path_and_an_end_of_the_node_stop_the_robot(robot: Robot) -> None:
    graph = robot.graph
    robot.start()
    robot.follow(LINE)
    assert not stands(robot.tell())
    seen = len(robot.commands)
    assert graph.set_parameter('odometry_timeout', .05).successful      # nothing comes any more
    graph.wait(lambda: len(robot.commands) > seen, 'stop')
    assert stands(robot.commands[-1])
    graph.wait_report('no odometry')
    assert graph.set_parameter('odometry_timeout', 60.).successful
    assert not stands(robot.tell())
    assert graph.set_parameter('path_timeout', .01).successful
    assert stands(robot.tell(stops=True))
    graph.wait(lambda: graph.count('dropped.stale_path') == 1, 'stale')
    assert graph.set_parameter('path_timeout', 0.).successful
    assert not stands(robot.tell())
    seen = len(robot.commands)
    assert graph.change_state(DEACTIVATE)
    graph.wait(lambda: len(robot.commands) > seen, 'stop')
    assert stands(robot.commands[-1])
