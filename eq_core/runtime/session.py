"""A loaded model, which checks what goes in and what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.runtime.integrity import one_line
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.manifest import TensorSpec

Arrays = dict[str, NDArray[Any]]
REMEMBERED_RUNS = 1000  # over which the latency percentiles are taken


class Session:
    """Runs one model on one backend. Not to be shared between threads.

    Attributes:
        manifest: What the model says of its inputs and outputs.
        backend: Name of the backend that runs it.
        precision: Key into the manifest's tolerances.
        notes: What a user should know, e.g. which backends were passed over and why.
    """

    def __init__(self, manifest: Manifest, backend: str,
                 execute: Callable[[Arrays], Sequence[NDArray[Any]]],
                 precision: str = 'fp32', details: Mapping[str, Any] | None = None,
                 on_close: Callable[[], object] = lambda: None) -> None:
        """Wraps a backend's function.

        Args:
            manifest: What the model says of itself.
            backend: Name of the backend.
            execute: From inputs by name to outputs in the order of the manifest.
            precision: Key into the manifest's tolerances.
            details: What the backend adds to `stats`, e.g. the version of its library.
            on_close: Frees what the backend holds; called once.
        """
        self.manifest = manifest
        self.backend = backend
        self.precision = precision
        self.notes: list[str] = []
        self._execute: Callable[[Arrays], Sequence[NDArray[Any]]] | None = execute
        self._on_close = on_close
        self._details = dict(details or {})
        self._latency: deque[float] = deque(maxlen=REMEMBERED_RUNS)
        self._runs = 0
        self._failures = 0

    def __enter__(self) -> Session:
        """Returns the session itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the session."""
        self.close()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Runs the model once.

        Args:
            inputs: Exactly the manifest's inputs, with its dtypes and shapes.

        Returns:
            The manifest's outputs, all finite.

        Raises:
            InputError: An input is missing, unknown, or of another dtype or shape.
            BackendError: The backend failed, or the session is closed.
            OutputError: An output is missing, not finite, or of another dtype or shape.
        """
        start = time.perf_counter()
        self._runs += 1
        try:
            outputs = self._run(inputs)
        except EqError:
            self._failures += 1
            raise
        self._latency.append(1e3 * (time.perf_counter() - start))
        return outputs

    def warmup(self, runs: int = 2) -> None:
        """Runs the model on zeros, so that the first real answer is not late.

        Raises:
            BackendError: The backend failed, or the session is closed.
        """
        zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.manifest.inputs}
        for _ in range(runs):
            self._call(zeros)

    def stats(self) -> dict[str, Any]:
        """Figures for diagnostics; latencies [ms] over the last 1000 successful runs."""
        latency = np.array(self._latency) if self._latency else np.zeros(1)
        return {**self._details, 'backend': self.backend, 'precision': self.precision,
                'runs': self._runs, 'failures': self._failures,
                'latency_p50_ms': float(np.percentile(latency, 50)),
                'latency_p99_ms': float(np.percentile(latency, 99))}

    def record(self, **details: Any) -> None:
        """Adds figures to what `stats` tells."""
        self._details.update(details)

    def close(self) -> None:
        """Lets go of the model; running it afterwards is an error, closing it again is not."""
        if self._execute is not None:
            self._execute = None
            self._on_close()

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        specs = self.manifest.inputs
        if set(inputs) != {spec.name for spec in specs}:
            raise InputError(f'inputs must be {[spec.name for spec in specs]}, '
                             f'got {sorted(inputs)}')
        feeds: Arrays = {}
        for spec in specs:
            problem = _misfit(spec, inputs[spec.name])
            if problem:
                raise InputError(f'input {problem}')
            feeds[spec.name] = np.ascontiguousarray(inputs[spec.name])
        return self._checked(self._call(feeds))

    def _call(self, feeds: Arrays) -> Sequence[NDArray[Any]]:
        if self._execute is None:
            raise BackendError(f'{self.backend}: the session is closed')
        try:
            return self._execute(feeds)
        except EqError:
            raise
        except Exception as error:  # every library has its own; none may reach a callback
            raise BackendError(f'{self.backend} failed: {one_line(error)}') from error

    def _checked(self, values: Sequence[NDArray[Any]]) -> Arrays:
        specs = self.manifest.outputs
        if len(values) != len(specs):
            raise OutputError(f'the model must give {len(specs)} outputs, got {len(values)}')
        for spec, value in zip(specs, values, strict=True):
            problem = _misfit(spec, value)
            if problem:
                raise OutputError(f'output {problem}')
            if value.dtype.kind == 'f' and not np.isfinite(value).all():
                raise OutputError(f'output {spec.name} must be finite, got '
                                  f'{int((~np.isfinite(value)).sum())} NaN or infinite numbers')
        return {spec.name: value for spec, value in zip(specs, values, strict=True)}


def _misfit(spec: TensorSpec, value: object) -> str:
    if not isinstance(value, np.ndarray):
        return f'{spec.name} must be an array, got {type(value).__name__}'
    if str(value.dtype) != spec.dtype or value.shape != spec.shape:
        return (f'{spec.name} must be {spec.dtype} {spec.shape}, '
                f'got {value.dtype} {value.shape}')
    return ''
