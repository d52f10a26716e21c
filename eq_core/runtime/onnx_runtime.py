"""ONNX Runtime: on the CPU the embedded default, on NVIDIA GPUs where its package is for them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import time
from typing import Any

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
from eq_core.runtime.session import Session

FATAL = 4  # log level; errors come back as exceptions, so the library need not print them too
_DTYPES = {'tensor(float)': 'float32', 'tensor(double)': 'float64',
           'tensor(int32)': 'int32', 'tensor(int64)': 'int64'}


# Backend -> provider and its options. Sums of TF32 are too coarse for the symmetry in fp32.
PROVIDERS: Mapping[str, tuple[str, dict[str, str]]] = {
    'onnxruntime': ('CPUExecutionProvider', {}),
    'onnxruntime_cuda': ('CUDAExecutionProvider', {'use_tf32': '0'})}


class OnnxRuntimeBackend:
    """Runs the graph of the wanted precision with one provider, and with no other."""

    def __init__(self, name: str = 'onnxruntime') -> None:
        """Chooses the provider; nothing is imported before it is needed.

        Args:
            name: One of `PROVIDERS`.
        """
        self.name = name
        self.provider, self._options = PROVIDERS[name]

    def available(self) -> tuple[bool, str]:
        """Whether onnxruntime can be imported, and was built for this provider."""
        try:
            import onnxruntime
        except ImportError as error:
            return False, f'onnxruntime cannot be imported: {one_line(error)}'
        known = onnxruntime.get_available_providers()
        if self.provider not in known:
            return False, f'onnxruntime has no {self.provider}, only {", ".join(known)}'
        return True, ''

    def supports(self, bundle: Bundle) -> list[str]:
        """Refuses operator sets that are newer than what was tried."""
        return opset_problems(bundle)

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Reads the graph; ONNX Runtime optimises it quickly enough while loading.

        Raises:
            BackendError: The bundle has no graph of this precision.
            BundleError: The graph was altered since the bundle was loaded.
        """
        name, graph = read_graph(bundle, spec.precision)
        return Artifact(bundle, spec, graph, {'model': name})

    def load(self, artifact: Artifact) -> Session:
        """Starts a session from bytes, so that no file is read that was not checked.

        Raises:
            BackendError: The graph is malformed, its tensors are not the manifest's, or the
                provider cannot start.
        """
        import onnxruntime
        manifest = artifact.bundle.manifest
        start = time.perf_counter()
        try:
            session = onnxruntime.InferenceSession(
                artifact.payload, session_options(artifact.spec.threads),
                providers=[(self.provider, self._options)])
        except Exception as error:  # the library raises several classes of its own
            raise BackendError(f'{artifact.bundle.path}: onnxruntime cannot load '
                               f'{artifact.details["model"]}: {one_line(error)}') from error
        # A provider that cannot start leaves its place to the CPU, and says so in a log alone.
        if session.get_providers()[0] != self.provider:
            raise BackendError(f'{self.provider} could not be started, only '
                               f'{", ".join(session.get_providers())}')
        check_tensors('inputs', manifest.inputs, map(_described, session.get_inputs()))
        check_tensors('outputs', manifest.outputs, map(_described, session.get_outputs()))
        names = [spec.name for spec in manifest.outputs]

        def execute(inputs: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
            outputs: Sequence[NDArray[Any]] = session.run(names, inputs)
            return outputs
        return Session(manifest, self.name, execute, artifact.spec.precision, {
            **artifact.details, 'threads': artifact.spec.threads,
            'library': f'onnxruntime {onnxruntime.__version__}',
            'load_ms': 1e3 * (time.perf_counter() - start)})


def session_options(threads: int) -> Any:
    """Settings of every session: so many threads, none of which spins."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL
    # Spinning threads take cores from the other nodes of a robot and gain nothing.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


def _described(item: Any) -> Described:
    return item.name, _DTYPES.get(item.type, item.type), tuple(item.shape)
