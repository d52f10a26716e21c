"""The base of our life-cycle nodes: parameters, transitions, health, jumps of time.

A node built on it implements `configure`, `activate`, `deactivate` and `cleanup`, which may raise:
a transition that fails is one ERROR line and the state before, and the process stays alive.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import time
import traceback
from typing import Any
from typing import Generic
from typing import TypeVar

from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.clock import JumpThreshold
from rclpy.clock import TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn

from eq_ros import qos
from eq_ros.accounting import Accounting
from eq_ros.diagnostics import diagnostic_array
from eq_ros.guard import one_line
from eq_ros.guard import ThrottledLog
from eq_ros.health import Health
from eq_ros.health import Level
from eq_ros.messages import DiagnosticArray
from eq_ros.parameters import check_choices
from eq_ros.parameters import parameter
from eq_ros.parameters import ParameterBridge

JUMP_FORWARD = Duration(seconds=5)
JUMP_BACKWARD = Duration(nanoseconds=-1)


@dataclass(frozen=True)
class NodeParameters:
    """Parameters that every node has."""

    autostart: bool = parameter(True, 'Whether the node configures and activates itself')
    input_timeout: float = parameter(
        2., 'Time without input after which the node reports an error, 0 for never [s]',
        minimum=0., maximum=3600., live=True)
    diagnostics_period: float = parameter(
        1., 'Time between two diagnostics, read once at the start [s]', minimum=0.05, maximum=10.)

    def __post_init__(self) -> None:
        """Checks what a range cannot.

        Raises:
            ConfigError: Values are not what they must be, or do not go together.
        """
        check_choices(self)


P = TypeVar('P', bound=NodeParameters)


class ManagedNode(LifecycleNode, Generic[P]):
    """A life-cycle node that accounts for its inputs and survives its faults."""

    def __init__(self, name: str, kind: type[P], **options: Any) -> None:
        """Declares parameters and starts to report; nothing else happens before `configure`.

        Args:
            name: Name of the node.
            kind: Dataclass of its parameters.
            options: Passed on to rclpy.
        """
        super().__init__(name, **options)
        self.accounting = Accounting()
        self.health = Health()
        self.log = ThrottledLog(self.get_logger())
        self._bridge: ParameterBridge[P] = ParameterBridge(self, kind)
        self._state = 'unconfigured'
        self._last_input = time.monotonic()
        self._last_tick = (0, time.monotonic())  # simulated time [ns], and when it came [s]
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.result())
        self._report_timer = self.steady_timer(
            float(self.get_parameter('diagnostics_period').value), self.report)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=JUMP_FORWARD, min_backward=JUMP_BACKWARD),
            post_callback=self._on_jump)

    def configure(self, parameters: P) -> None:
        """Loads what is slow to load and creates publishers."""

    def activate(self) -> None:
        """Starts to take inputs."""

    def deactivate(self) -> None:
        """Stops to take inputs; returns when none is being worked on."""

    def cleanup(self) -> None:
        """Frees what `configure` made; must bear a `configure` that stopped half-way."""

    def time_jumped(self) -> None:
        """Forgets what was remembered over time."""

    def topics(self) -> Sequence[str]:
        """Full names of the topics whose other ends are checked for their quality of service."""
        return ()

    def describe(self) -> Mapping[str, str]:
        """More keys and texts for the diagnostics."""
        return {}

    @property
    def parameters(self) -> P:
        """The parameters as they are now.

        Raises:
            ConfigError: One of them is not what it must be.
        """
        return self._bridge.read()

    def steady_timer(self, period: float, callback: Callable[[], None]) -> Any:
        """Calls back every `period` [s], even while simulated time stands still."""
        return self.create_timer(period, callback,
                                 clock=Clock(clock_type=ClockType.STEADY_TIME))

    def input_seen(self) -> None:
        """Tells the watchdog that an input has come."""
        self._last_input = time.monotonic()

    def autostart(self) -> int | None:
        """Configures and activates the node if its parameters say so.

        Returns:
            An exit code if the process shall end, None if it shall go on.
        """
        if (self.get_parameter('autostart').value
                and self.trigger_configure() == TransitionCallbackReturn.SUCCESS):
            self.trigger_activate()
        return None

    def give_up(self, why: str) -> None:
        """Deactivates the node from any thread, after failures that will not end."""
        def leave() -> None:
            if self._state == 'active':
                self.get_logger().error(f'deactivated after repeated failures: {why}')
                self.trigger_deactivate()
                self.health.set('gave_up', Level.ERROR, f'deactivated: {why}')
                self.report()
        if self.executor is not None:
            self.executor.create_task(leave)

    def close(self) -> bool:
        """Shuts the node down before it is destroyed; False if work at hand did not end."""
        if self._state != 'finalized':
            self.trigger_shutdown()
        return self._state == 'finalized'

    def report(self) -> None:
        """Publishes the diagnostics."""
        if self._state == 'active':
            self._watch_input()
            self._watch_clock()
            self._watch_quality_of_service()
        report = self.health.report(self._state, self.accounting.snapshot(), self.describe())
        self._diagnostics.publish(diagnostic_array(
            f'{self.get_name()}: pipeline', report, self.get_clock().now().nanoseconds,
            self.get_fully_qualified_name()))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reads the parameters and configures; on a fault cleans up and stays unconfigured."""
        def step() -> None:
            self.health.clear()
            self.configure(self.parameters)
            self._bridge.locked = True
        return self._transition('configure', step, 'inactive', self.cleanup)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enables the publishers, then the inputs."""
        def step() -> None:
            super(ManagedNode, self).on_activate(state)
            self.input_seen()
            self._last_tick = (-1, time.monotonic())
            self.activate()

        def undo() -> None:
            self.deactivate()
            super(ManagedNode, self).on_deactivate(state)
        self.health.clear('gave_up')
        return self._transition('activate', step, 'active', undo)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Disables the inputs, then the publishers."""
        def step() -> None:
            self.deactivate()
            super(ManagedNode, self).on_deactivate(state)
        return self._transition('deactivate', step, 'inactive')

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees what was configured."""
        def step() -> None:
            self.cleanup()
            self._bridge.locked = False
        return self._transition('cleanup', step, 'unconfigured')

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Goes down from any state."""
        def step() -> None:
            if self._state == 'active':
                self.deactivate()
            self.cleanup()
        return self._transition('shutdown', step, 'finalized')

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Comes back to unconfigured, from where everything can be tried again."""
        return self.on_cleanup(state)

    def _transition(self, name: str, step: Callable[[], None], reached: str,
                    undo: Callable[[], None] = lambda: None) -> TransitionCallbackReturn:
        """Runs a step; rclpy itself swallows what it raises."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a transition must not end the process
            text = f'{name} failed: {one_line(error)}'
            self.get_logger().error(text)
            self.get_logger().debug(''.join(traceback.format_exception(error)))
            self._undo(undo)
            self.health.set('transition', Level.ERROR, text)
            self.report()
            return TransitionCallbackReturn.FAILURE
        self.health.clear('transition')
        self._state = reached
        self.report()
        return TransitionCallbackReturn.SUCCESS

    def _undo(self, undo: Callable[[], None]) -> None:
        """Takes a failed step back as far as that goes."""
        try:
            undo()
        except Exception as error:  # noqa: BLE001 - there is nothing better to do than go on
            self.get_logger().debug(f'while undoing: {one_line(error)}')

    def _watch_input(self) -> None:
        """Says so when the sensor is silent, and when it is back."""
        limit = self.get_parameter('input_timeout').value
        silent = time.monotonic() - self._last_input
        if limit and silent > limit:
            self.health.set('no_input', Level.ERROR, f'no input for {silent:.0f} s')
            self.log.error('no_input', f'no input for {silent:.0f} s')
        else:
            self.health.clear('no_input')

    def _watch_clock(self) -> None:
        """Says so when simulated time stands still: waits and ages mean nothing then."""
        limit = self.get_parameter('input_timeout').value
        now, steady = self.get_clock().now().nanoseconds, time.monotonic()
        then, seen = self._last_tick
        if not self.get_parameter('use_sim_time').value or now != then:
            self._last_tick = (now, steady)
            self.health.clear('clock')
        elif limit and steady - seen > limit:
            text = (f'simulated time stands still at {now * 1e-9:.3f} s' if now else
                    'use_sim_time is set, but no time has come on /clock')
            self.health.set('clock', Level.WARN, text)
            self.log.warning('clock', text)

    def _watch_quality_of_service(self) -> None:
        """Says so as long as another node offers or wants what does not go with ours."""
        texts = [text for topic in self.topics() for text in qos.incompatibilities(self, topic)]
        if texts:
            self.health.set('qos', Level.ERROR, '; '.join(texts))
            self.log.error('qos', '; '.join(texts))
        else:
            self.health.clear('qos')

    def _on_jump(self, jump: TimeJump) -> None:
        """Forgets what time made meaningless; the counts of inputs stay."""
        seconds = jump.delta.nanoseconds * 1e-9
        self.get_logger().warning(f'time jumped by {seconds:+.3f} s, temporal state is cleared')
        self.health.warn('time_jump', f'time jumped by {seconds:+.3f} s')
        self.accounting.reset_latency()
        self.log.reset()
        try:
            self.time_jumped()
        except Exception as error:  # noqa: BLE001 - rclpy would skip the other callbacks
            self.get_logger().error(f'after the jump of time: {one_line(error)}')
