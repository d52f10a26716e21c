"""What an inference backend is."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Protocol

from eq_core.errors import ConfigError
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.manifest import PRECISIONS
from eq_core.runtime.session import Session

BUILD_POLICIES = ('never', 'if_missing', 'always')
Progress = Callable[[str, float], None]  # what is being built, and how much of it is done, 0 to 1


@dataclass(frozen=True)
class SessionOptions:
    """What may be done to open a session.

    Attributes:
        build_policy: Whether engines are built: ``'never'`` (a robot at work), ``'if_missing'``
            or ``'always'``. Backends that build none do not care.
        allow_fallback: Whether the second backend of a list is used if the first cannot be.
        progress: Told how far a build has come, from whatever thread.
    """

    build_policy: str = 'if_missing'
    allow_fallback: bool = True
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Checks the policy.

        Raises:
            ConfigError: It is unknown.
        """
        if self.build_policy not in BUILD_POLICIES:
            raise ConfigError(f'build_policy must be one of {BUILD_POLICIES}, '
                              f'got {self.build_policy!r}')


DEFAULT_OPTIONS = SessionOptions()


@dataclass(frozen=True)
class PrepareSpec:
    """How a model shall run.

    Attributes:
        precision: One of `PRECISIONS`.
        threads: CPU threads of one run; 1 unless the robot has cores to spare.
        build_policy: Whether engines are built, one of `BUILD_POLICIES`.
        progress: Told how far a build has come.
    """

    precision: str = 'fp32'
    threads: int = 1
    build_policy: str = 'if_missing'
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Checks all.

        Raises:
            ConfigError: A value is out of range.
        """
        if self.precision not in PRECISIONS:
            raise ConfigError(f'precision must be one of {PRECISIONS}, got {self.precision!r}')
        threads = self.threads
        if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= 256:
            raise ConfigError(f'threads must be an integer in [1, 256], got {threads!r}')
        SessionOptions(self.build_policy)


@dataclass(frozen=True)
class Artifact:
    """What `prepare` made of a bundle and `load` can start quickly.

    Attributes:
        bundle: The bundle.
        spec: How it shall run.
        payload: The backend's own bytes, e.g. the graph or a built engine.
        details: What `Session.stats` shall tell about the preparation.
        notes: What a user should know of it.
    """

    bundle: Bundle
    spec: PrepareSpec
    payload: bytes = b''
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Backend(Protocol):
    """One inference library. Importing it is left until it is asked for."""

    name: str

    def available(self) -> tuple[bool, str]:
        """Whether the library can be used on this machine, and if not, why."""

    def supports(self, bundle: Bundle) -> list[str]:
        """What about `bundle` this backend cannot run; empty if nothing."""

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Does all that is slow: offline or while a node configures, never in a callback.

        Raises:
            BackendError: The bundle cannot be prepared.
            BundleError: The bundle was altered since it was loaded.
        """

    def load(self, artifact: Artifact) -> Session:
        """Starts a prepared model.

        Raises:
            BackendError: The library refuses the model, or its tensors are not the manifest's.
        """
