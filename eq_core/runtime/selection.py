"""From a bundle to a running, accepted session."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial

from eq_core.errors import BackendError
from eq_core.errors import ConfigError
from eq_core.errors import OutputError
from eq_core.runtime.acceptance import accept as accept_session
from eq_core.runtime.backend import Backend
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.onnx_runtime import OnnxRuntimeBackend
from eq_core.runtime.openvino import OpenVinoBackend
from eq_core.runtime.session import Session
from eq_core.runtime.tensorrt import TensorRtBackend
from eq_core.runtime.torch_reference import TorchBackend

BACKENDS: Mapping[str, Callable[[], Backend]] = {
    'onnxruntime': OnnxRuntimeBackend,
    'onnxruntime_cuda': partial(OnnxRuntimeBackend, 'onnxruntime_cuda'),
    'openvino': OpenVinoBackend,
    'tensorrt': TensorRtBackend,
    'tensorrt_rtx': partial(TensorRtBackend, 'tensorrt_rtx'),
    'torch': TorchBackend,
}
DEFAULT_BACKENDS = ('openvino', 'onnxruntime')


def open_session(bundle: Bundle, backends: Sequence[str | Backend] = DEFAULT_BACKENDS,
                 threads: int = 1, accept: bool = True, precision: str = 'fp32',
                 options: SessionOptions = DEFAULT_OPTIONS) -> Session:
    """Opens a bundle with the first backend that can run it rightly.

    Args:
        bundle: A loaded bundle.
        backends: Names out of `BACKENDS`, or backends, in the order of preference.
        threads: CPU threads of one run.
        accept: Whether the model must first reproduce its golden example and its symmetry.
        precision: One of `PRECISIONS`.
        options: What may be done: build engines, fall back.

    Returns:
        A session; its `notes` tell which backends were passed over and why.

    Raises:
        ConfigError: A name is unknown, the list is empty, the precision is unknown, or `threads`
            is out of range.
        BackendError: No backend can run the bundle; the text gives the reason of each.
        BundleError: The bundle was altered since it was loaded.
    """
    spec = PrepareSpec(precision, threads, options.build_policy, options.progress)
    candidates = [_candidate(backend) for backend in _checked_list(backends)]
    notes: list[str] = []
    for backend in candidates:
        try:
            session = _open(backend, bundle, spec, accept)
        except (BackendError, OutputError) as error:
            notes.append(f'{backend.name}: {error}')
            if not options.allow_fallback:
                break
        else:
            session.notes.extend(notes)
            return session
    raise BackendError(f'{bundle.path}: no backend can run the model: {"; ".join(notes)}')


def _open(backend: Backend, bundle: Bundle, spec: PrepareSpec, accept: bool) -> Session:
    usable, reason = backend.available()
    if not usable:
        raise BackendError(reason)
    problems = backend.supports(bundle)
    if problems:
        raise BackendError('; '.join(problems))
    session = backend.load(backend.prepare(bundle, spec))
    try:
        session.warmup()
        if accept:
            accept_session(session, bundle)
    except (BackendError, OutputError):
        session.close()
        raise
    return session


def _checked_list(backends: Sequence[str | Backend]) -> Sequence[str | Backend]:
    if isinstance(backends, str) or not backends:
        raise ConfigError(f'backends must be a list out of {sorted(BACKENDS)}, got {backends!r}')
    return backends


def _candidate(backend: str | Backend) -> Backend:
    if not isinstance(backend, str):
        return backend
    if backend not in BACKENDS:
        raise ConfigError(f'backend must be one of {sorted(BACKENDS)}, got {backend!r}')
    return BACKENDS[backend]()
