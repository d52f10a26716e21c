"""Calls of the CUDA runtime: what they return is passed on, and what goes wrong is one line."""

from __future__ import annotations

from collections.abc import Callable
import ctypes
from enum import IntEnum
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from eq_core.errors import BackendError
from eq_core.runtime.cuda import CudaRuntime
from eq_core.runtime.cuda import Device


class Status(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100


def make_library(**functions: Callable[..., Any]) -> Any:
    """``cuda.bindings.runtime`` with a GPU, in which some functions are others."""
    properties = SimpleNamespace(name=b'RTX 3060\0\0', major=8, minor=6)
    usual = {'cudaGetDeviceCount': lambda: (Status.cudaSuccess, 1),
             'cudaGetDeviceProperties': lambda index: (Status.cudaSuccess, properties),
             'cudaDriverGetVersion': lambda: (Status.cudaSuccess, 12060),
             'cudaRuntimeGetVersion': lambda: (Status.cudaSuccess, 13050)}
    return SimpleNamespace(cudaError_t=Status, **{**usual, **functions})


def test_the_gpu_is_told_with_all_that_an_engine_hangs_on() -> None:
    assert CudaRuntime(make_library()).device() == Device('RTX 3060', '8.6', 12060, 13050)


def test_without_a_gpu_there_is_one_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_driver() -> None:
        raise RuntimeError('libcuda.so.1:\nnot found')
    for function, words in (
            (lambda: (Status.cudaSuccess, 0), 'no GPU was found'),
            (lambda: (Status.cudaErrorNoDevice, None), 'cudaGetDeviceCount: cudaErrorNoDevice'),
            (without_driver, 'cudaGetDeviceCount: RuntimeError: libcuda.so.1: not found')):
        with pytest.raises(BackendError) as failed:
            CudaRuntime(make_library(cudaGetDeviceCount=function)).device()
        assert str(failed.value) == words
    monkeypatch.setitem(sys.modules, 'cuda.bindings.runtime', None)
    with pytest.raises(BackendError, match='pip install cuda-bindings'):
        CudaRuntime().device()


def test_memory_of_the_host_is_what_the_address_says() -> None:
    memory = ctypes.create_string_buffer(b'abcd', 4)
    address = ctypes.addressof(memory)
    asked: list[int] = []

    def allocate(size: int) -> tuple[Status, int]:
        asked.append(size)
        return Status.cudaSuccess, address
    found, view = CudaRuntime(make_library(cudaMallocHost=allocate)).allocate_pinned(4)
    view[:2] = 120
    assert (found, bytes(memory), asked, view.size) == (address, b'xxcd', [4], 4)


def test_full_memory_is_named() -> None:
    library = make_library(cudaMalloc=lambda size: (Status.cudaErrorMemoryAllocation, None))
    with pytest.raises(BackendError, match='cudaMalloc: cudaErrorMemoryAllocation'):
        CudaRuntime(library).allocate(1 << 60)


@pytest.mark.parametrize('status', [Status.cudaSuccess, Status.cudaErrorMemoryAllocation])
def test_what_was_recorded_is_let_go_once_a_graph_is_made_of_it(status: Status) -> None:
    ended: list[str] = []

    def destroy(graph: str) -> tuple[Status]:
        ended.append(graph)
        return (Status.cudaSuccess,)
    cuda = CudaRuntime(make_library(
        cudaStreamEndCapture=lambda stream: (Status.cudaSuccess, 'record'),
        cudaGraphInstantiate=lambda graph, flags: (status, f'graph of {graph}'),
        cudaGraphDestroy=destroy))
    if status:
        with pytest.raises(BackendError, match='cudaGraphInstantiate'):
            cuda.end_capture(8)
    else:
        assert cuda.end_capture(8) == 'graph of record'
    assert ended == ['record']
