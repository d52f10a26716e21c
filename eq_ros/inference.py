"""The base of nodes that open a model: how it is opened, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
import time
from typing import Any
from typing import Generic
from typing import TypeVar

from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn

from eq_core.runtime.backend import BUILD_POLICIES
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_ros.health import Level
from eq_ros.lifecycle_node import ManagedNode
from eq_ros.lifecycle_node import NodeParameters
from eq_ros.parameters import parameter

GPU_BACKENDS = ('tensorrt', 'tensorrt_rtx', 'onnxruntime_cuda')
TELL_PERIOD = 1.  # between two reports of how far a build has come [s]


@dataclass(frozen=True)
class InferenceParameters(NodeParameters):
    """Parameters of every node that opens a model."""

    backends: tuple[str, ...] = parameter(
        DEFAULT_BACKENDS, 'Inference backends in order of preference')
    threads: int = parameter(1, 'Threads of the inference', minimum=1, maximum=256)
    precision: str = parameter('fp32', 'Of the graph: fp32, or fp16 or int8 if the model has it')
    build_policy: str = parameter(
        'if_missing', 'Whether engines of TensorRT are built', choices=BUILD_POLICIES)
    allow_fallback: bool = parameter(
        True, 'Whether another backend than the first may be used')
    build_only: bool = parameter(
        False, 'Whether the process builds what is missing and ends, read once at the start')


P = TypeVar('P', bound=InferenceParameters)


class InferenceNode(ManagedNode[P], Generic[P]):
    """Opens sessions as its parameters want it, and tells of builds, engines and fallbacks."""

    def __init__(self, name: str, kind: type[P], **options: Any) -> None:
        """Declares parameters.

        Args:
            name: Name of the node.
            kind: Dataclass of its parameters.
            options: Passed on to rclpy.
        """
        super().__init__(name, kind, **options)
        self.engine_facts: dict[str, str] = {}
        self._told = -TELL_PERIOD
        self._reopened = False      # after failures in a row, once, on the same backend
        self._passed_over = 0       # backends that failed even so
        self._recovering = False

    @property
    def parameters(self) -> P:
        """The parameters as they are now, without backends that failed while they ran."""
        given = super().parameters
        return replace(given, backends=given.backends[self._passed_over:]) if (
            self._passed_over) else given

    def session_options(self, parameters: InferenceParameters) -> SessionOptions:
        """What may be done to open a session; a build reports to this node."""
        return SessionOptions(parameters.build_policy, parameters.allow_fallback, self._on_build)

    def tell_sessions(self, sessions: Iterable[Any], notes: Iterable[str] | None = None) -> None:
        """Says once which backends run the model, from which engines, and what is to be known.

        Args:
            sessions: Inference sessions; what has no `stats` is passed over.
            notes: What a user should know; that of the sessions if None.
        """
        sessions = list(sessions)
        if notes is None:
            notes = [note for session in sessions for note in getattr(session, 'notes', ())]
        for number, note in enumerate(notes):
            self.get_logger().warning(note)
            self.health.set(f'backend_{number}', Level.WARN, note)
        stats = [session.stats() for session in sessions if hasattr(session, 'stats')]
        self.engine_facts = {}
        for name in ('backend', 'engine', 'engine_key', 'build_seconds'):
            if any(name in each for each in stats):
                self.engine_facts[name] = _joined(stats, name)

    def autostart(self) -> int | None:
        """Configures and activates the node if its parameters say so, or builds and ends."""
        if not self.get_parameter('build_only').value:
            return super().autostart()
        if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return 1
        facts = ', '.join(f'{name} {value}' for name, value in self.engine_facts.items())
        said = f'the model can be opened ({facts})' if facts else 'there is no model to open'
        self.get_logger().info(f'build_only: {said}, the node ends')
        return 0

    def recover(self, why: str) -> None:
        """Deals with failures in a row, from any thread.

        A model on a GPU is opened anew, if that does not help with the next backend; then, as for
        every other model at once, the node is deactivated.
        """
        if self.executor is not None:
            self.executor.create_task(partial(self._recover, why))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configures; afterwards nothing is being built any more."""
        if not self._recovering:
            self._reopened, self._passed_over = False, 0
        done = super().on_configure(state)
        self.health.clear('build')
        return done

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forgets what was said of the model."""
        self.engine_facts = {}
        return super().on_cleanup(state)

    def _recover(self, why: str) -> None:
        """Opens the model another time, if there is another way to."""
        if self._state != 'active':
            return
        parameters = self.parameters
        used = [name for name in GPU_BACKENDS if name in self.engine_facts.get('backend', '')
                .split(', ') and name in parameters.backends]
        passed_over = self._passed_over
        if used and self._reopened:
            passed_over += parameters.backends.index(used[0]) + 1
        rest = parameters.backends[passed_over - self._passed_over:]
        if not used or not rest or (self._reopened and not parameters.allow_fallback):
            self.give_up(why)
            return
        text = f'after repeated failures of {used[0]} the model is opened anew: {why}'
        self.get_logger().warning(text)
        self._passed_over, self._reopened, self._recovering = passed_over, True, True
        try:
            # Each step tells of its own failure; the first that fails leaves the node there.
            if all(step() == TransitionCallbackReturn.SUCCESS for step in (
                    self.trigger_deactivate, self.trigger_cleanup, self.trigger_configure,
                    self.trigger_activate)):
                self.health.set('recovered', Level.WARN, text)
        finally:
            self._recovering = False

    def _on_build(self, text: str, part: float) -> None:
        """Says how far a build has come; called in whatever thread the library builds in."""
        now = time.monotonic()
        if part < 1. and now - self._told < TELL_PERIOD:
            return
        self._told = now
        line = f'building the engine of {text}: {part:.0%}'
        self.health.set('build', Level.OK, line)
        self.get_logger().info(line)
        self.report()


def _joined(stats: Iterable[Mapping[str, Any]], name: str) -> str:
    """What the sessions say under a name, each different answer once."""
    said = [each[name] for each in stats if name in each]
    return ', '.join(dict.fromkeys(f'{value:.1f}' if isinstance(value, float) else str(value)
                                   for value in said))
