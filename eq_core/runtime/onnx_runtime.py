"""ONNX Runtime on the CPU: the embedded default."""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any

from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.backend import Artifact
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.integrity import one_line
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.manifest import TensorSpec
from eq_core.runtime.session import Session

GRAPHS = {'fp32': 'model.onnx', 'fp16': 'model.fp16.onnx', 'int8': 'model.int8.onnx'}
NEWEST_OPSET = 20  # what DESIGN promises that every backend runs
FATAL = 4  # log level; errors come back as exceptions, so the library need not print them too
_TYPES = {'float32': 'tensor(float)', 'float64': 'tensor(double)',
          'int32': 'tensor(int32)', 'int64': 'tensor(int64)'}


class OnnxRuntimeBackend:
    """Runs ``model.onnx`` with the CPU provider."""

    name = 'onnxruntime'

    def available(self) -> tuple[bool, str]:
        """Whether onnxruntime can be imported."""
        try:
            import onnxruntime  # noqa: F401
        except ImportError as error:
            return False, f'onnxruntime cannot be imported: {one_line(error)}'
        return True, ''

    def supports(self, bundle: Bundle) -> list[str]:
        """Refuses operator sets that are newer than what was tried."""
        opset = bundle.manifest.opset
        return [f'opset {opset} is newer than {NEWEST_OPSET}'] if opset > NEWEST_OPSET else []

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Reads the graph; ONNX Runtime optimises it quickly enough while loading.

        Raises:
            BackendError: The bundle has no graph of this precision.
            BundleError: The graph was altered since the bundle was loaded.
        """
        name = GRAPHS[spec.precision]
        if name not in bundle.manifest.sha256:
            raise BackendError(f'{bundle.path}: expected {name} for {spec.precision}, '
                               f'found {sorted(bundle.manifest.sha256)}')
        return Artifact(bundle, spec, bundle.read(name), {'model': name})

    def load(self, artifact: Artifact) -> Session:
        """Starts a session from bytes, so that no file is read that was not checked.

        Raises:
            BackendError: The graph is malformed, or its tensors are not the manifest's.
        """
        import onnxruntime
        manifest = artifact.bundle.manifest
        start = time.perf_counter()
        try:
            session = onnxruntime.InferenceSession(
                artifact.payload, session_options(artifact.spec.threads),
                providers=['CPUExecutionProvider'])
        except Exception as error:  # the library raises several classes of its own
            raise BackendError(f'{artifact.bundle.path}: onnxruntime cannot load '
                               f'{artifact.details["model"]}: {one_line(error)}') from error
        _check_graph(session, manifest)
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


def _check_graph(session: Any, manifest: Manifest) -> None:
    for role, specs, found in (('inputs', manifest.inputs, session.get_inputs()),
                               ('outputs', manifest.outputs, session.get_outputs())):
        expected = {_describe(spec) for spec in specs}
        actual = {(item.name, item.type, tuple(item.shape)) for item in found}
        if expected != actual:
            raise BackendError(f'{role} of the graph must be {sorted(expected, key=str)}, '
                               f'got {sorted(actual, key=str)}')


def _describe(spec: TensorSpec) -> tuple[str, str, tuple[int, ...]]:
    return spec.name, _TYPES[spec.dtype], spec.shape
