"""Adds graphs of lower precision to a bundle, with tolerances that follow from measured errors."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.runtime import Backend
from eq_core.runtime import Bundle
from eq_core.runtime import OnnxRuntimeBackend
from eq_core.runtime import OpenVinoBackend
from eq_core.runtime import PrepareSpec
from eq_core.runtime import Session
from eq_core.runtime import write_bundle
from eq_core.runtime.acceptance import equivariance_errors
from eq_core.runtime.acceptance import error_measure
from eq_core.runtime.acceptance import relative_rms
from eq_core.runtime.backend import Artifact
from eq_core.runtime.manifest import GRAPHS
from eq_core.runtime.manifest import LARGEST_TOLERANCE
from eq_core.runtime.manifest import PRECISIONS
from eq_eval.quantization.calibration import calibration_inputs
from eq_eval.quantization.half import to_half
from eq_eval.quantization.int8 import to_int8

MARGIN = 2.             # tolerance over measured error
LEAST_TOLERANCE = 1e-3  # other processors sum in other orders
DRAWS = 8
LAST_BITS = 2. ** -22   # of float32: what another order of sums changes

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Quantization:
    """How it is done.

    Attributes:
        precisions: Which graphs are made, out of ``'fp16'`` and ``'int8'``.
        scenes: Simulated training scenes for the ranges of int8.
        seed: Number of their draw.
        float_layers: Of the first convolutions, how many stay float32 in int8.
    """

    precisions: Sequence[str] = ('fp16', 'int8')
    scenes: int = 32
    seed: int = 0
    float_layers: int = 0

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
            ConfigError: A precision cannot be made.
        """
        known = set(PRECISIONS) - {'fp32'}
        if not self.precisions or not set(self.precisions) <= known:
            raise ConfigError(f'precision must be one of {sorted(known)}, '
                              f'got {list(self.precisions)}')


def add_precisions(path: Path, how: Quantization) -> dict[str, Any]:
    """Makes graphs, measures them, and writes the bundle with them.

    Args:
        path: Folder of the bundle; graphs of other precisions that it has stay.
        how: Which and how.

    Returns:
        What the manifest says of each under ``training.precisions``.

    Raises:
        ConfigError: int8 is wanted of a model that is not known how to calibrate, or an error is
            so large that no tolerance could tell a right graph from a wrong one.
    """
    bundle = Bundle.load(path)
    fp32, fields, card = bundle.read('model.onnx'), bundle.fields(), card_of(bundle)
    graphs, answers = present(bundle)
    records: dict[str, Any] = dict(fields['training'].get('precisions', {}))
    for precision in how.precisions:
        record: dict[str, Any] = {}
        if precision == 'fp16':
            graph, expected = to_half(fp32), bundle.golden()[1]
        else:
            graph = to_int8(fp32, calibration_inputs(bundle, how.scenes, how.seed),
                            how.float_layers)
            expected = answers[precision] = _run(bundle, graph, precision)
            record = {'calibration': f'{how.scenes} simulated scenes, split train, '
                                     f'seed {how.seed}', 'float_layers': how.float_layers}
        graphs[precision] = graph
        errors = measure(bundle, graph, precision, expected)
        limit = tolerance(max(errors.values()), precision)
        fields['tolerance'] = {**fields['tolerance'],
                               precision: {'golden': limit, 'equivariance': limit}}
        records[precision] = {
            **record, **errors, 'fp32_error': fp32_error(bundle, graph, precision),
            'bytes': len(graph), 'date': date.today().isoformat()}
    fields['training'] = {**fields['training'], 'precisions': records}
    write_bundle(path, fp32, bundle.weights(), *bundle.golden(), fields, card, graphs, answers)
    return records


def measure(bundle: Bundle, graph: bytes, precision: str, expected: Arrays) -> dict[str, float]:
    """Largest errors of a graph on ONNX Runtime and, where it is installed, OpenVINO.

    Returns:
        ``golden_error`` against the expected outputs, ``equivariance_error``, and
        ``rounding_error``, what changes when inputs change in their last bits. An engine that
        was not tried sums in another order, and that may turn up in any of them; so one
        tolerance follows from the largest.
    """
    inputs = bundle.golden()[0]
    compare, elements = error_measure(precision), bundle.manifest.group.grid_elements()
    rng = np.random.default_rng(0)
    golden, turning, rounding = [0.], [0.], [0.]
    for session in _sessions(bundle, graph, precision):
        answer = session.run(inputs)
        golden += [compare(answer[name], expected[name]) for name in answer]
        turning += equivariance_errors(session, inputs, elements).values()
        for _ in range(DRAWS):
            moved = session.run(last_bits(inputs, rng))
            rounding += [compare(moved[name], answer[name]) for name in answer]
        session.close()
    return {'golden_error': max(golden), 'equivariance_error': max(turning),
            'rounding_error': max(rounding)}


def fp32_error(bundle: Bundle, graph: bytes, precision: str) -> dict[str, float]:
    """Root mean square distance of each output from that of fp32, relative to it."""
    answer, fp32 = _run(bundle, graph, precision), bundle.golden()[1]
    return {name: relative_rms(answer[name], fp32[name]) for name in fp32}


def last_bits(inputs: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> Arrays:
    """The inputs with noise as large as the rounding of float32."""
    return {name: (value * (1 + LAST_BITS * rng.uniform(-1, 1, value.shape))).astype(value.dtype)
            if value.dtype.kind == 'f' else value for name, value in inputs.items()}


def tolerance(error: float, what: str) -> float:
    """Twice the error, rounded up to 1, 2 or 5 times a power of ten.

    >>> tolerance(0.021, 'int8')
    0.05

    Raises:
        ConfigError: That is more than any manifest may allow.
    """
    wanted = max(MARGIN * error, LEAST_TOLERANCE)
    power = math.floor(math.log10(wanted))
    steps = (float(f'{digit}e{power}') for digit in (1, 2, 5, 10))
    found = next(step for step in steps if step >= wanted * (1 - 1e-9))
    if found > LARGEST_TOLERANCE:
        raise ConfigError(f'{what} has an error of {error:.3g}, which asks for a tolerance of '
                          f'{found:g}; at most {LARGEST_TOLERANCE} is allowed')
    return found


def _sessions(bundle: Bundle, graph: bytes, precision: str) -> list[Session]:
    backends: list[Backend] = [OnnxRuntimeBackend(), OpenVinoBackend()]
    name = GRAPHS[precision]
    return [backend.load(Artifact(bundle, PrepareSpec(precision), graph, {'model': name}))
            for backend in backends if backend.available()[0]]


def _run(bundle: Bundle, graph: bytes, precision: str) -> Arrays:
    """Answers of ONNX Runtime, the reference for graphs that only engines can run."""
    with _sessions(bundle, graph, precision)[0] as session:
        return session.run(bundle.golden()[0])


def present(bundle: Bundle) -> tuple[dict[str, bytes], dict[str, Arrays]]:
    """Graphs of lower precision that the bundle has, and the answers of their own."""
    listed = bundle.manifest.sha256
    graphs = {precision: bundle.read(name) for precision, name in GRAPHS.items()
              if precision != 'fp32' and name in listed}
    return graphs, {precision: bundle.golden(precision)[1] for precision in graphs
                    if f'golden.{precision}.npz' in listed}


def card_of(bundle: Bundle) -> str:
    """Text of the card, empty if there is none."""
    return bundle.read('card.md').decode() if 'card.md' in bundle.manifest.sha256 else ''
