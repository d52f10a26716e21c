"""What a loaded model must prove before its answers are used.

First that it gives the stored answer to the stored input, then that it obeys its symmetry: for
every element g of its group that a square grid carries exactly, f(g x) = g f(x). Errors are
relative: the largest absolute difference over the largest magnitude of that output. In int8 a
value may be rounded to the other side when a sum before it differs in its last bit, which moves
some cells by a step and most not at all; so there the root of the mean square of differences is
taken, over that of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.manifest import TensorSpec
from eq_core.runtime.representations import Invariant
from eq_core.runtime.session import Session

Arrays = Mapping[str, NDArray[Any]]
GridElement = tuple[int, bool]  # quarter turns, and whether the world is mirrored before
QUARTER_TURNS: tuple[GridElement, ...] = ((1, False), (2, False), (3, False))


@dataclass(frozen=True)
class AcceptanceReport:
    """What was measured.

    Attributes:
        golden_error: Largest relative error against the stored outputs.
        equivariance_error: Largest relative error of the symmetry; None if the group has no
            element that the grid carries exactly, as the trivial group has none.
        golden_by_output: The first, for each output.
        equivariance_by_output: The second, for each output.
        problems: Why the model is refused, one line each; empty if it is accepted.
    """

    golden_error: float
    equivariance_error: float | None
    golden_by_output: Mapping[str, float]
    equivariance_by_output: Mapping[str, float]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the model is accepted."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        return {'ok': self.ok, **asdict(self), 'problems': list(self.problems)}


def examine(session: Session, bundle: Bundle) -> AcceptanceReport:
    """Measures both errors and judges them by the tolerances of the manifest.

    Raises:
        BackendError: The backend failed on the stored input.
        OutputError: It answered with NaN, infinity, or something of the wrong shape.
    """
    manifest = bundle.manifest
    tolerance = manifest.tolerance.get(session.precision)
    if tolerance is None:
        raise BackendError(f'the manifest gives no tolerance for {session.precision}')
    inputs, golden = bundle.golden(session.precision)
    answer = session.run(inputs)
    measure = error_measure(session.precision)
    golden_by_output = {name: measure(answer[name], golden[name]) for name in golden}
    elements = manifest.group.grid_elements()
    equivariance_by_output = _errors(session, inputs, answer, elements) if elements else {}
    golden_error = max(golden_by_output.values())
    equivariance_error = max(equivariance_by_output.values(), default=None)
    problems = [f'golden error {golden_error:.3g} exceeds {tolerance.golden:.3g} '
                f'(output {_worst(golden_by_output)})'] if golden_error > tolerance.golden else []
    if equivariance_error is not None:
        if equivariance_error > tolerance.equivariance:
            problems.append(f'equivariance error {equivariance_error:.3g} exceeds '
                            f'{tolerance.equivariance:.3g} '
                            f'(output {_worst(equivariance_by_output)})')
        if _is_blind(manifest.inputs, inputs, manifest.outputs, golden, elements,
                     tolerance.equivariance):
            problems.append('the golden example looks the same when it is turned, so it cannot '
                            'show the symmetry')
    return AcceptanceReport(golden_error, equivariance_error, golden_by_output,
                            equivariance_by_output, tuple(problems))


def accept(session: Session, bundle: Bundle) -> AcceptanceReport:
    """Examines a session and refuses it if it fails.

    Raises:
        BackendError: The model is not accepted, or the backend failed.
        OutputError: The model answered with NaN, infinity, or something of the wrong shape.
    """
    report = examine(session, bundle)
    if not report.ok:
        raise BackendError(f'{bundle.path}: not accepted: {"; ".join(report.problems)}')
    session.record(golden_error=report.golden_error, equivariance_error=report.equivariance_error)
    return report


def equivariance_errors(session: Session, inputs: Arrays,
                        elements: Sequence[GridElement] = QUARTER_TURNS) -> dict[str, float]:
    """Largest relative error of f(g x) = g f(x) for each output, over group elements g.

    Args:
        session: The model f.
        inputs: The example x.
        elements: The elements g; they need not be in the group that the model claims, so that a
            plain network can be measured as well.
    """
    return _errors(session, inputs, session.run(inputs), elements)


def _errors(session: Session, inputs: Arrays, answer: Arrays, elements: Sequence[GridElement]
            ) -> dict[str, float]:
    manifest, measure = session.manifest, error_measure(session.precision)
    errors = dict.fromkeys(answer, 0.)
    for element in elements:
        turned = session.run(rotate_all(manifest.inputs, inputs, element))
        expected = rotate_all(manifest.outputs, answer, element)
        for name in errors:
            errors[name] = max(errors[name], measure(turned[name], expected[name]))
    return errors


def rotate_all(specs: Sequence[TensorSpec], arrays: Arrays,
               element: GridElement) -> dict[str, NDArray[Any]]:
    """Acts with a group element on every tensor by its own law."""
    return {spec.name: spec.representation.rotate(arrays[spec.name], *element) for spec in specs}


def relative_error(value: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest absolute difference over the largest magnitude of `expected` (over 1 if all 0)."""
    scale = float(np.abs(expected).max(initial=0.)) or 1.
    difference = np.subtract(value, expected, dtype=np.float64)
    return float(np.abs(difference).max(initial=0.)) / scale


def relative_rms(value: NDArray[Any], expected: NDArray[Any]) -> float:
    """Root of the mean square difference over that of `expected` (over 1 if all 0)."""
    scale = float(np.linalg.norm(np.asarray(expected, np.float64)))
    size = scale or float(np.sqrt(np.size(expected)))
    return float(np.linalg.norm(np.subtract(value, expected, dtype=np.float64))) / size


def error_measure(precision: str) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """How answers of a graph of this precision are compared."""
    return relative_rms if precision == 'int8' else relative_error


def _is_blind(inputs: Sequence[TensorSpec], example: Arrays, outputs: Sequence[TensorSpec],
              golden: Arrays, elements: Sequence[GridElement], tolerance: float) -> bool:
    def moved(specs: Sequence[TensorSpec], arrays: Arrays, element: GridElement) -> float:
        turned = rotate_all(specs, arrays, element)
        return max(relative_error(turned[name], arrays[name]) for name in turned)
    # An answer that is a number and no field should not move; then moved inputs say enough.
    still = all(isinstance(spec.representation, Invariant) for spec in outputs)
    return any(moved(inputs, example, element) == 0.
               or (not still and moved(outputs, golden, element) <= tolerance)
               for element in elements)


def _worst(errors: Mapping[str, float]) -> str:
    return max(errors, key=lambda name: errors[name])
