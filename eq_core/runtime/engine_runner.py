"""One engine on a GPU: its buffers, its stream, and the CUDA graph of one run."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Any
import weakref

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.cuda import Cuda
from eq_core.runtime.engine_builder import make_logger
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.manifest import TensorSpec

Arrays = dict[str, NDArray[Any]]
WARM = 2  # runs after which kernels are there and what is kept of them can be kept


class EngineRunner:
    """Copies in, executes and copies out, always in the same memory.

    Attributes:
        notes: What a user should know.
    """

    def __init__(self, trt: Any, cuda: Cuda, engine: bytes, manifest: Manifest,
                 warm_start: bytes = b'', keep: Callable[[bytes], None] = lambda data: None
                 ) -> None:
        """Loads an engine and takes all the memory it will ever need.

        Args:
            trt: The library.
            cuda: The GPU.
            engine: Bytes that were checked.
            manifest: What the tensors must be.
            warm_start: Kernels that an earlier start compiled (RTX runtime cache), or nothing.
            keep: Given such kernels once the engine is warm.

        Raises:
            BackendError: The library refuses the engine, its tensors are others, or the memory
                is full.
        """
        self._cuda, self._manifest, self._keep = cuda, manifest, keep
        self.notes: list[str] = []
        self._logger, self._errors = make_logger(trt)
        self._runtime = trt.Runtime(self._logger)
        self._runtime.engine_host_code_allowed = False
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise BackendError(self._failed('the library refuses the engine'))
        _check_tensors(trt, self._engine, manifest)
        self._kernels: Any = None
        self._known = b''  # what is kept of them already
        self._config: Any = None
        self._captures_itself = False
        self._context = self._make_context(trt, warm_start)
        if self._context is None:
            raise BackendError(self._failed('no execution context can be made'))
        self._host: Arrays = {}
        self._pairs: dict[str, tuple[int, int, int]] = {}  # device, host, size
        self._graph: Any = None
        self._runs = 0
        # Freed by `close`, or with the runner; at the end of the process by the driver.
        self._held: list[Callable[[], None]] = []
        self._finalizer = weakref.finalize(self, _release, self._held)
        self._finalizer.atexit = False
        try:
            self._allocate()
        except BackendError:
            self.close()
            raise

    def run(self, feeds: Arrays) -> Sequence[NDArray[Any]]:
        """Runs the engine once.

        Raises:
            BackendError: CUDA or the library failed.
        """
        for spec in self._manifest.inputs:
            np.copyto(self._host[spec.name], feeds[spec.name])
        if self._graph is None:
            self._enqueue()
        else:
            self._cuda.launch(self._graph, self._stream)
        self._cuda.synchronize(self._stream)
        self._runs += 1
        if self._runs == WARM:
            self._after_warm_up()
        return [self._host[spec.name].copy() for spec in self._manifest.outputs]

    def close(self) -> None:
        """Gives all memory back."""
        self._finalizer()
        self._context = self._kernels = self._engine = None

    def _make_context(self, trt: Any, warm_start: bytes) -> Any:
        """An execution context; with kernels kept and graphs captured by the library if it can."""
        config = (self._engine.create_runtime_config()
                  if hasattr(self._engine, 'create_runtime_config') else None)
        if config is None or not hasattr(config, 'cuda_graph_strategy'):
            return self._engine.create_execution_context()
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._captures_itself = True
        self._kernels = config.create_runtime_cache()
        if warm_start and not self._kernels.deserialize(warm_start):
            warm_start = b''  # of another driver: they are compiled anew, and kept
        config.set_runtime_cache(self._kernels)
        self._known, self._config = warm_start, config  # kept as long as the context that uses it
        return self._engine.create_execution_context(config)

    def _allocate(self) -> None:
        cuda = self._cuda
        self._stream = cuda.create_stream()
        self._held.append(partial(cuda.destroy_stream, self._stream))
        for spec in (*self._manifest.inputs, *self._manifest.outputs):
            size = int(np.prod(spec.shape, dtype=np.int64)) * np.dtype(spec.dtype).itemsize
            device = cuda.allocate(size)
            self._held.append(partial(cuda.free, device))
            host, view = cuda.allocate_pinned(size)
            self._held.append(partial(cuda.free_pinned, host))
            self._pairs[spec.name] = device, host, size
            self._host[spec.name] = view.view(spec.dtype).reshape(spec.shape)
            if not self._context.set_tensor_address(spec.name, device):
                raise BackendError(self._failed(f'the address of {spec.name} is refused'))

    def _enqueue(self) -> None:
        """Puts one run into the stream."""
        for spec in self._manifest.inputs:
            device, host, size = self._pairs[spec.name]
            self._cuda.upload(device, host, size, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise BackendError(self._failed('the engine failed'))
        for spec in self._manifest.outputs:
            device, host, size = self._pairs[spec.name]
            self._cuda.download(host, device, size, self._stream)

    def _after_warm_up(self) -> None:
        """Keeps compiled kernels, or captures a run as a CUDA graph; both are for speed only."""
        if self._kernels is not None:
            kernels = bytes(self._kernels.serialize() or b'')
            if kernels and kernels != self._known:
                self._keep(kernels)
        if not self._captures_itself:
            try:
                self._graph = self._capture()
            except BackendError as error:
                self.notes.append(f'runs without a CUDA graph: {error}')
            else:
                self._held.append(partial(self._cuda.destroy_graph, self._graph))

    def _capture(self) -> Any:
        self._cuda.begin_capture(self._stream)
        try:
            self._enqueue()
        except BackendError:
            try:
                self._cuda.end_capture(self._stream)  # else the stream would stay unusable
            except BackendError:
                pass
            raise
        return self._cuda.end_capture(self._stream)

    def _failed(self, what: str) -> str:
        return f'{what}: {"; ".join(self._errors) or "the library gives no reason"}'


def _release(held: list[Callable[[], None]]) -> None:
    """Frees, the last first; after an error of the GPU that may fail, and nothing helps."""
    while held:
        try:
            held.pop()()
        except BackendError:
            pass


def _check_tensors(trt: Any, engine: Any, manifest: Manifest) -> None:
    types = {'float32': trt.DataType.FLOAT, 'int32': trt.DataType.INT32,
             'int64': trt.DataType.INT64}

    def of_manifest(spec: TensorSpec, is_input: bool) -> tuple[Any, ...]:
        return spec.name, is_input, spec.shape, types.get(spec.dtype)
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    found = {(name, engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
              tuple(engine.get_tensor_shape(name)), engine.get_tensor_dtype(name))
             for name in names}
    expected = ({of_manifest(spec, True) for spec in manifest.inputs}
                | {of_manifest(spec, False) for spec in manifest.outputs})
    if found != expected:
        raise BackendError(f'tensors of the engine must be {sorted(expected, key=str)}, '
                           f'got {sorted(found, key=str)}')
