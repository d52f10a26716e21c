"""OpenVINO on the CPU, x86-64 or aarch64."""

from __future__ import annotations

from collections.abc import Sequence
import importlib
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.backend import Artifact
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.graphs import check_tensors
from eq_core.runtime.graphs import Described
from eq_core.runtime.graphs import opset_problems
from eq_core.runtime.graphs import read_graph
from eq_core.runtime.integrity import one_line
from eq_core.runtime.manifest import GRAPHS
from eq_core.runtime.manifest import TensorSpec
from eq_core.runtime.session import Session

DEVICE = 'CPU'
# Of an ONNX DFT it computes another shape or other values, without a word.
WRONG_OPERATORS = frozenset({'DFT', 'IDFT', 'RDFT', 'IRDFT'})
_TELEMETRY = 'openvino_telemetry'


class OpenVinoBackend:
    """Runs the graph of the wanted precision with the CPU plugin.

    Sums are always made in float32: by itself the plugin takes bfloat16 or float16 where the
    processor has them, which breaks the symmetry of a network by 5e-3. Integer layers of int8
    graphs stay integer. Nothing is written to disk, and nothing is sent: see `import_openvino`.
    """

    name = 'openvino'

    def available(self) -> tuple[bool, str]:
        """Whether openvino can be imported."""
        try:
            import_openvino()
        except ImportError as error:
            return False, f'openvino cannot be imported: {one_line(error)}'
        return True, ''

    def supports(self, bundle: Bundle) -> list[str]:
        """Refuses operator sets that are newer than what was tried; `load` finds the rest."""
        return opset_problems(bundle)

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Reads the graph; compiling takes a fraction of a second and is left to `load`.

        Raises:
            BackendError: The bundle has no graph of this precision.
            BundleError: The graph was altered since the bundle was loaded.
        """
        name, graph = read_graph(bundle, spec.precision)
        return Artifact(bundle, spec, graph, {'model': name})

    def load(self, artifact: Artifact) -> Session:
        """Compiles the checked bytes.

        Raises:
            BackendError: The graph is malformed, OpenVINO computes it wrongly (DFT, Pad that
                wraps, GridSample of volumes), or its tensors are not the manifest's.
        """
        openvino = import_openvino()
        manifest, threads = artifact.bundle.manifest, artifact.spec.threads
        start = time.perf_counter()
        model = self._read(GRAPHS[artifact.spec.precision], artifact.payload)
        check_tensors('inputs', manifest.inputs, _described(manifest.inputs, model.inputs))
        check_tensors('outputs', manifest.outputs, _described(manifest.outputs, model.outputs))
        try:
            request = openvino.Core().compile_model(
                model, DEVICE, compile_settings(threads)).create_infer_request()
        except Exception as error:  # the library raises RuntimeError and classes of its own
            raise BackendError(f'{artifact.bundle.path}: openvino cannot compile '
                               f'{artifact.details["model"]}: {_reason(error)}') from error
        names = [spec.name for spec in manifest.outputs]

        def execute(inputs: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
            request.infer(inputs, share_inputs=True)
            # The request writes every answer into the same memory, so that callers get copies.
            return [np.array(request.get_tensor(name).data) for name in names]
        return Session(manifest, self.name, execute, artifact.spec.precision, {
            **artifact.details, 'threads': threads,
            'library': f'openvino {openvino.__version__.partition("-")[0]}',
            'load_ms': 1e3 * (time.perf_counter() - start)})

    def _read(self, name: str, graph: bytes) -> Any:
        try:
            model = import_openvino().Core().read_model(model=graph)
        except Exception as error:  # the library raises RuntimeError and classes of its own
            raise BackendError(f'openvino cannot read {name}: {_reason(error)}') from error
        wrong = sorted({node.get_type_name() for node in model.get_ops()} & WRONG_OPERATORS)
        if wrong:
            raise BackendError(f'openvino computes {", ".join(wrong)} of {name} wrongly')
        return model


def import_openvino() -> Any:
    """Imports the library without its telemetry.

    By itself ``import openvino`` reports every import to an analytics service and keeps an
    identifier in the home directory. Without the package `openvino_telemetry` it does neither, so
    that is hidden while the library is imported for the first time.

    Raises:
        ImportError: It is not installed, or its libraries do not load.
    """
    hidden = 'openvino' not in sys.modules and _TELEMETRY not in sys.modules
    if hidden:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # makes its import fail
    try:
        return importlib.import_module('openvino')
    finally:
        if hidden:
            del sys.modules[_TELEMETRY]


def compile_settings(threads: int) -> dict[str, Any]:
    """Settings of every session: one request at a time on so many threads, in float32."""
    return {
        'INFERENCE_PRECISION_HINT': 'f32',
        'INFERENCE_NUM_THREADS': threads,
        'NUM_STREAMS': 1,
        'PERFORMANCE_HINT': 'LATENCY',
        # Pinned threads would wait for their core while another node has it.
        'ENABLE_CPU_PINNING': False,
    }


def _described(specs: Sequence[TensorSpec], ports: Sequence[Any]) -> list[Described]:
    """What the library sees; a port may have several names, of which the manifest knows one."""
    wanted = {spec.name for spec in specs}
    return [(min(wanted & port.get_names(), default=port.get_any_name()),
             str(port.get_element_type().to_dtype()),
             tuple(-1 if size.is_dynamic else size.get_length()
                   for size in port.get_partial_shape())) for port in ports]


def _reason(error: Exception) -> str:
    """What went wrong, without where in the library."""
    return one_line(type(error)(str(error).rpartition('detailed log:')[2]))
