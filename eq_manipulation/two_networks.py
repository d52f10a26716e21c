"""What every policy of two networks shares: one looks at the scene, one at what is picked."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import SessionOptions
from eq_core.runtime.backend import DEFAULT_OPTIONS

PARTS = ('scene', 'crop')       # folders of a policy's bundles

Float = NDArray[np.float32]


class Runs(Protocol):
    """What a policy needs of an inference session."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """From inputs to outputs, by name."""


class TwoNetworks:
    """The sessions of a policy.

    Attributes:
        sessions: Of the scene and of the crop.
    """

    def __init__(self, scene: Runs, crop: Runs) -> None:
        """Joins two loaded networks."""
        self.sessions = scene, crop

    def close(self) -> None:
        """Lets go of both networks."""
        for session in self.sessions:
            close = getattr(session, 'close', None)
            if close is not None:
                close()

    @property
    def notes(self) -> list[str]:
        """What a user should know of the backends."""
        return [note for session in self.sessions for note in getattr(session, 'notes', ())]


def open_parts(folder: str | Path, tasks: tuple[str, str], kind: str, backends: Sequence[str],
               threads: int, precision: str = 'fp32', options: SessionOptions = DEFAULT_OPTIONS
               ) -> tuple[dict[str, Any], Runs, Runs]:
    """Opens the two bundles of a policy.

    Args:
        folder: Folder of both.
        tasks: What they must be for.
        kind: What the policy is called for people.
        backends: Names of inference backends, best first.
        threads: Threads of the inference.
        precision: Of the graphs.
        options: What may be done to open a session: build engines, fall back.

    Returns:
        Their configuration, and their sessions.

    Raises:
        BundleError: A bundle is incomplete or altered.
        ConfigError: They are not the two parts of one policy of this kind.
        BackendError: No backend runs them.
    """
    bundles = [Bundle.load(Path(folder) / part) for part in PARTS]
    found = [bundle.manifest.task for bundle in bundles]
    first, second = (dict(bundle.manifest.config) for bundle in bundles)
    if first != second or found != list(tasks):
        raise ConfigError(f'{folder} does not hold the two parts of one {kind} policy, '
                          f'its tasks are {found}')
    scene, crop = (open_session(bundle, backends, threads, precision=precision, options=options)
                   for bundle in bundles)
    return first, scene, crop


def softmax(score: Float) -> Float:
    """Probabilities of all entries together."""
    weight = np.exp(score - score.max())
    return np.asarray(weight / weight.sum(dtype=np.float64), np.float32)
