"""The graphs of a bundle, one for each precision, as every engine that reads ONNX meets them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from eq_core.errors import BackendError
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.manifest import GRAPHS
from eq_core.runtime.manifest import TensorSpec

NEWEST_OPSET = 20  # what DESIGN promises that every backend runs
Described = tuple[str, str, tuple[int, ...]]  # name, dtype and shape of a tensor


def read_graph(bundle: Bundle, precision: str) -> tuple[str, bytes]:
    """Reads the graph of a precision.

    Args:
        bundle: A loaded bundle.
        precision: One of `PRECISIONS`.

    Returns:
        Name of its file, and its bytes, just checked against the manifest.

    Raises:
        BackendError: The bundle has no graph of this precision.
        BundleError: The graph was altered since the bundle was loaded.
    """
    name = GRAPHS[precision]
    if name not in bundle.manifest.sha256:
        raise BackendError(f'{bundle.path}: expected {name} for {precision}, '
                           f'found {sorted(bundle.manifest.sha256)}')
    return name, bundle.read(name)


def opset_problems(bundle: Bundle) -> list[str]:
    """Refuses operator sets that are newer than what was tried."""
    opset = bundle.manifest.opset
    return [f'opset {opset} is newer than {NEWEST_OPSET}'] if opset > NEWEST_OPSET else []


def check_tensors(role: str, specs: Sequence[TensorSpec], found: Iterable[Described]) -> None:
    """Compares what an engine sees in a graph with the manifest, whatever the order.

    Args:
        role: ``'inputs'`` or ``'outputs'``, for the text.
        specs: The manifest's.
        found: The engine's, with the dtypes of numpy.

    Raises:
        BackendError: They differ.
    """
    expected = {(spec.name, spec.dtype, spec.shape) for spec in specs}
    actual = set(found)
    if expected != actual:
        raise BackendError(f'{role} of the graph must be {sorted(expected, key=str)}, '
                           f'got {sorted(actual, key=str)}')
