"""The node `path_follower`: path and odometry in, velocities out. All maths is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.errors import TransformError
from eq_navigation.pure_pursuit import Command
from eq_navigation.pure_pursuit import PathFollower
from eq_navigation.pure_pursuit import PursuitConfig
from eq_ros import qos
from eq_ros.accounting import Ticket
from eq_ros.guard import Guard
from eq_ros.guard import one_line
from eq_ros.health import Level
from eq_ros.lifecycle_node import ManagedNode
from eq_ros.lifecycle_node import NodeParameters
from eq_ros.maps import planar
from eq_ros.maps import planar_pose
from eq_ros.maps import pose_matrix
from eq_ros.messages import Odometry
from eq_ros.messages import Path
from eq_ros.messages import Twist
from eq_ros.parameters import parameter
from eq_ros.process import run
from eq_ros.transforms import Transforms

WATCH = .05     # between two looks at how long odometry has been silent [s]


@dataclass(frozen=True)
class Parameters(NodeParameters):
    """Parameters of the node; `config/path_follower.param.yaml` shows them all."""

    speed: float = parameter(.5, 'Speed where nothing slows it down [m/s]', minimum=.01,
                             maximum=10.)
    lookahead: float = parameter(
        .8, 'Way along the path to the place that is steered for [m]', minimum=.05, maximum=20.)
    max_turn_rate: float = parameter(1., 'Largest turn rate [rad/s]', minimum=.01, maximum=10.)
    deceleration: float = parameter(
        .3, 'With which it comes to rest at the goal [m/s^2]', minimum=.01, maximum=10.)
    turn_first: float = parameter(
        1., 'A place farther aside is turned to on the spot first [rad]', minimum=.1, maximum=3.)
    goal_tolerance: float = parameter(
        .2, 'It has arrived when nearer to the last place [m]', minimum=.01, maximum=10.)
    max_deviation: float = parameter(
        2., 'Farther from the path the robot stops [m]', minimum=.05, maximum=100.)
    odometry_timeout: float = parameter(
        .5, 'Time without odometry after which the robot stops [s]', minimum=.05, maximum=60.,
        live=True)
    path_timeout: float = parameter(
        0., 'Paths that came longer ago are not followed, 0 to follow all [s]', minimum=0.,
        maximum=3600., live=True)


class PathFollowerNode(ManagedNode[Parameters]):
    """Follows the newest path; stops where it ends, and when it does not know where it is."""

    def __init__(self, **options: Any) -> None:
        """Declares the parameters.

        Args:
            options: Passed on to rclpy.
        """
        super().__init__('path_follower', Parameters, **options)
        self._transforms = Transforms()
        self._guard = Guard(self.log, self._fail, on_drop=self.health.dropped)
        self._config = PursuitConfig()
        self._follower: PathFollower | None = None
        self._frame = ''            # of the path
        self._path_since = self._odometry_since = 0.
        self._moving = False        # whether the last command was not to stand still
        self._output: Any = None
        self._inputs: list[Any] = []
        self._watch: Any = None

    def configure(self, parameters: Parameters) -> None:
        """Creates the publisher."""
        self._config = PursuitConfig(
            parameters.speed, parameters.lookahead, parameters.max_turn_rate,
            parameters.deceleration, parameters.turn_first, parameters.goal_tolerance,
            parameters.max_deviation)
        self._output = self.create_lifecycle_publisher(
            Twist, '~/output/cmd_vel', qos.result(), qos_overriding_options=qos.overridable())

    def activate(self) -> None:
        """Takes paths and odometry from now on."""
        self._guard.reset()
        self._transforms.start(self)
        # Not latched, though the planner's are: an old path is not driven after a new start.
        self._inputs = [self.create_subscription(
            kind, topic, callback, profile, qos_overriding_options=qos.overridable())
            for kind, topic, callback, profile in (
                (Path, '~/input/path', self._on_path, qos.result(1)),
                (Odometry, '~/input/odometry', self._on_odometry, qos.sensor(1)))]
        self._watch = self.steady_timer(WATCH, self._watch_odometry)

    def deactivate(self) -> None:
        """Stops the robot and takes nothing any more."""
        self._leave_path()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._watch is not None:
            self.destroy_timer(self._watch)
            self._watch = None
        self._transforms.stop()

    def cleanup(self) -> None:
        """Closes the publisher."""
        if self._output is not None:
            self.destroy_lifecycle_publisher(self._output)
            self._output = None

    def time_jumped(self) -> None:
        """Leaves the path and forgets where things moved."""
        self._leave_path()
        self._transforms.clear()

    def topics(self) -> list[str]:
        """Topics of the inputs and the output."""
        return [end.topic_name for end in (*self._inputs, self._output) if end is not None]

    def describe(self) -> Mapping[str, str]:
        """The path, and how much of it is left."""
        follower = self._follower
        return {'path': 'none' if follower is None else
                f"{follower.remaining:.2f} m left in '{self._frame}'"}

    def _on_path(self, message: Path) -> None:
        """Takes a path; one that cannot be read ends the one before, as does one of no places."""
        try:
            if not message.header.frame_id:
                raise InputError('the path has no frame_id', 'frame')
            self._follower = PathFollower(_places(message), self._config)
            self._frame, self._path_since = message.header.frame_id, time.monotonic()
            self.health.clear('path')
        except InputError as error:
            self._leave_path()
            if message.poses:
                text = f'the robot stands, the path is refused: {one_line(error)}'
                self.health.set('path', Level.ERROR, text)
                self.log.error('path', text)

    def _on_odometry(self, message: Odometry) -> None:
        """Answers one message behind the guard; whatever goes wrong, the robot stands."""
        self.input_seen()
        self._odometry_since = time.monotonic()
        ticket = self.accounting.receive()
        if self._follower is None:
            ticket.drop('no_path')      # nothing is wrong: others may drive now
            return
        self._guard.run(ticket, lambda: self._answer(ticket, message))

    def _answer(self, ticket: Ticket, message: Odometry) -> None:
        """Commands what the path wants at the place of the robot."""
        try:
            command = self._command(message)
            if not (math.isfinite(command.speed) and math.isfinite(command.turn_rate)):
                raise OutputError(f'a command is not finite: {command}')
        except Exception:
            self._send(Command())
            raise
        self._send(command)
        ticket.publish()
        if command.arrived:
            self.get_logger().info('arrived')
            self._follower = None

    def _command(self, message: Odometry) -> Command:
        """What the path wants.

        Raises:
            InputError: It is too old, or nobody knows where the robot is on it.
        """
        follower, limit = self._follower, self.parameters.path_timeout
        if follower is None:
            raise InputError('there is no path any more', 'no_path')
        age = time.monotonic() - self._path_since
        if limit and age > limit:
            raise InputError(f'the path came {age:.1f} s ago, expected at most {limit:g} s',
                             'stale_path')
        if not message.header.frame_id:
            raise InputError('the odometry has no frame_id', 'frame')
        pose = pose_matrix(message.pose.pose, 'the odometry')
        if message.header.frame_id != self._frame:
            pose = self._lookup(message.header.frame_id) @ pose
        return follower.command(planar(pose, 'the odometry'))

    def _lookup(self, source: str) -> NDArray[np.float64]:
        """(4, 4) newest pose of the odometry's frame in that of the path."""
        stamp = self._transforms.newest(self._frame, source)
        try:
            return self._transforms.lookup(self._frame, source, stamp or 0)
        except TransformError as error:
            raise InputError(one_line(error), 'tf_error') from error

    def _watch_odometry(self) -> None:
        """Stops a robot that does not know any more where it is."""
        silent = time.monotonic() - self._odometry_since
        if self._moving and silent > self.parameters.odometry_timeout:
            self._send(Command())
            text = f'the robot stands, no odometry for {silent:.2f} s'
            self.health.error('odometry', text)
            self.log.error('odometry', text)

    def _leave_path(self) -> None:
        """Stops the robot if it was moving along a path."""
        self._follower = None
        if self._moving:
            self._send(Command())

    def _send(self, command: Command) -> None:
        """Publishes a command."""
        message = Twist()
        message.linear.x, message.angular.z = command.speed, command.turn_rate
        self._output.publish(message)
        self._moving = bool(command.speed or command.turn_rate)

    def _fail(self, why: str) -> None:
        """Stops before the node deactivates itself."""
        self._leave_path()
        self.give_up(why)


def _places(message: Path) -> NDArray[np.float64]:
    """(L, 2) places of a path.

    Raises:
        InputError: A pose is none, or it is tilted.
    """
    return np.array([planar_pose(each.pose, 'a pose of the path')[:2]
                     for each in message.poses]).reshape(-1, 2)


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(PathFollowerNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
