"""The little of CUDA that running an engine needs, behind an interface that tests can replace.

`CudaRuntime` is it over the package ``cuda-bindings`` (NVIDIA, imported when it is asked for).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
import importlib
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.integrity import one_line

Bytes = NDArray[np.uint8]
INSTALL = 'pip install cuda-bindings'
NON_BLOCKING = 1  # cudaStreamNonBlocking: the stream does not wait for the default one


@dataclass(frozen=True)
class Device:
    """A GPU and what drives it.

    Attributes:
        name: What NVIDIA calls it.
        capability: Compute capability, such as ``'8.6'``.
        driver: Newest CUDA version of the driver, such as 12060.
        runtime: CUDA version of the runtime library.
    """

    name: str
    capability: str
    driver: int
    runtime: int


class Cuda(Protocol):
    """Memory, one stream and graphs of the first GPU; every call raises BackendError."""

    def device(self) -> Device:
        """The GPU; the text of the error says why there is none, in one line."""

    def create_stream(self) -> int:
        """A stream of its own."""

    def destroy_stream(self, stream: int) -> None:
        """Ends a stream."""

    def allocate(self, size: int) -> int:
        """Address of memory of the device [bytes]."""

    def free(self, address: int) -> None:
        """Gives memory of the device back."""

    def allocate_pinned(self, size: int) -> tuple[int, Bytes]:
        """Memory of the host that the device can copy from: its address and a view of it."""

    def free_pinned(self, address: int) -> None:
        """Gives memory of the host back; its view must not be used any more."""

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        """Copies to the device, in the stream's turn."""

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        """Copies from the device, in the stream's turn."""

    def synchronize(self, stream: int) -> None:
        """Waits until the stream has nothing left to do."""

    def begin_capture(self, stream: int) -> None:
        """Records what this thread puts into the stream from now on, instead of doing it."""

    def end_capture(self, stream: int) -> Any:
        """Ends the record and makes a graph of it."""

    def launch(self, graph: Any, stream: int) -> None:
        """Does all that was recorded."""

    def destroy_graph(self, graph: Any) -> None:
        """Ends a graph."""


class CudaRuntime:
    """`Cuda` over the CUDA runtime API (docs.nvidia.com/cuda/cuda-runtime-api)."""

    USES = (
        'cudaDriverGetVersion', 'cudaError_t', 'cudaFree', 'cudaFreeHost',
        'cudaGetDeviceCount', 'cudaGetDeviceProperties', 'cudaGraphDestroy',
        'cudaGraphExecDestroy', 'cudaGraphInstantiate', 'cudaGraphLaunch', 'cudaMalloc',
        'cudaMallocHost', 'cudaMemcpyAsync', 'cudaMemcpyKind', 'cudaRuntimeGetVersion',
        'cudaStreamBeginCapture', 'cudaStreamCaptureMode', 'cudaStreamCreateWithFlags',
        'cudaStreamDestroy', 'cudaStreamEndCapture', 'cudaStreamSynchronize')

    def __init__(self, library: Any = None) -> None:
        """Takes ``cuda.bindings.runtime`` in place of the installed one, if given."""
        self._library = library

    def device(self) -> Device:
        """The first GPU.

        Raises:
            BackendError: There is none, no driver, or the library is missing.
        """
        count = self._call('cudaGetDeviceCount')
        if not count:
            raise BackendError('no GPU was found')
        properties = self._call('cudaGetDeviceProperties', 0)
        name = properties.name
        return Device(name.decode().rstrip('\0') if isinstance(name, bytes) else str(name),
                      f'{properties.major}.{properties.minor}',
                      int(self._call('cudaDriverGetVersion')),
                      int(self._call('cudaRuntimeGetVersion')))

    def create_stream(self) -> int:
        """A stream that does not wait for the default one."""
        return int(self._call('cudaStreamCreateWithFlags', NON_BLOCKING))

    def destroy_stream(self, stream: int) -> None:
        """Ends a stream."""
        self._call('cudaStreamDestroy', stream)

    def allocate(self, size: int) -> int:
        """Address of memory of the device [bytes]."""
        return int(self._call('cudaMalloc', size))

    def free(self, address: int) -> None:
        """Gives memory of the device back."""
        self._call('cudaFree', address)

    def allocate_pinned(self, size: int) -> tuple[int, Bytes]:
        """Page-locked memory, which can be copied while the host goes on."""
        address = int(self._call('cudaMallocHost', size))
        return address, np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def free_pinned(self, address: int) -> None:
        """Gives memory of the host back."""
        self._call('cudaFreeHost', address)

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        """Copies to the device."""
        kind = self._runtime().cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call('cudaMemcpyAsync', device, host, size, kind, stream)

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        """Copies from the device."""
        kind = self._runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call('cudaMemcpyAsync', host, device, size, kind, stream)

    def synchronize(self, stream: int) -> None:
        """Waits for the stream."""
        self._call('cudaStreamSynchronize', stream)

    def begin_capture(self, stream: int) -> None:
        """Records what this thread does; other threads may go on with CUDA as they like."""
        mode = self._runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call('cudaStreamBeginCapture', stream, mode)

    def end_capture(self, stream: int) -> Any:
        """Makes a graph that can be launched."""
        graph = self._call('cudaStreamEndCapture', stream)
        try:
            return self._call('cudaGraphInstantiate', graph, 0)
        finally:
            self._call('cudaGraphDestroy', graph)

    def launch(self, graph: Any, stream: int) -> None:
        """Does all that was recorded."""
        self._call('cudaGraphLaunch', graph, stream)

    def destroy_graph(self, graph: Any) -> None:
        """Ends a graph."""
        self._call('cudaGraphExecDestroy', graph)

    def _runtime(self) -> Any:
        if self._library is None:
            try:
                self._library = importlib.import_module('cuda.bindings.runtime')
            except Exception as error:  # a half-installed one raises more than ImportError
                raise BackendError(f'cuda.bindings cannot be imported ({one_line(error)}): '
                                   f'{INSTALL}') from error
        return self._library

    def _call(self, name: str, *arguments: Any) -> Any:
        """Calls a function that returns its error first, then at most one value."""
        runtime = self._runtime()
        try:
            status, *values = getattr(runtime, name)(*arguments)
        except BackendError:
            raise
        except Exception as error:  # without libcuda the package raises, rather than returns
            raise BackendError(f'{name}: {one_line(error)}') from error
        if status != runtime.cudaError_t.cudaSuccess:
            raise BackendError(f'{name}: {getattr(status, "name", status)}')
        return values[0] if values else None
