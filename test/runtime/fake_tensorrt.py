"""TensorRT and a GPU as they look to the adapter; ONNX Runtime does the sums.

The classes have the attributes of the adapter's table and no other, so that an attribute that is
not in the table fails here before it can fail on a robot.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from eq_core.errors import BackendError
from eq_core.runtime.cuda import Device

RTX_2080 = Device('RTX 2080', '7.5', 12060, 12060)
RTX_3060 = Device('RTX 3060', '8.6', 12060, 12060)
MAGIC = b'PLAN'


class FakeCuda:
    """Memory, a stream and graphs, all counted.

    Attributes:
        faults: Names of calls that fail.
        held: What was taken and not given back.
        calls: Names of all calls.
    """

    def __init__(self, device: Device | None = RTX_3060) -> None:
        self.gpu = device
        self.faults: set[str] = set()
        self.held: dict[int, Any] = {}
        self.calls: list[str] = []
        self._next = 1000
        self._recorded: list[Callable[[], None]] | None = None

    def put(self, work: Callable[[], None]) -> None:
        """Does or records what goes into the stream."""
        work() if self._recorded is None else self._recorded.append(work)

    def device(self) -> Device:
        if self.gpu is None:
            raise BackendError('cudaGetDeviceCount: cudaErrorNoDevice')
        return self.gpu

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.faults:
            raise BackendError(f'{name}: cudaErrorIllegalAddress')

    def _take(self, thing: Any) -> int:
        self._next += 8
        self.held[self._next] = thing
        return self._next

    def create_stream(self) -> int:
        self._call('create_stream')
        return self._take('stream')

    def destroy_stream(self, stream: int) -> None:
        del self.held[stream]

    def allocate(self, size: int) -> int:
        self._call('allocate')
        return self._take(np.zeros(size, np.uint8))

    def free(self, address: int) -> None:
        del self.held[address]

    def allocate_pinned(self, size: int) -> tuple[int, np.ndarray]:
        self._call('allocate_pinned')
        view = np.zeros(size, np.uint8)
        return self._take(view), view

    def free_pinned(self, address: int) -> None:
        del self.held[address]

    def _copy(self, target: int, source: int, size: int, stream: int) -> None:
        assert self.held[stream] == 'stream'
        assert self.held[target].size == self.held[source].size == size
        self.put(lambda: np.copyto(self.held[target], self.held[source]))

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        self._call('upload')
        self._copy(device, host, size, stream)

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        self._call('download')
        self._copy(host, device, size, stream)

    def synchronize(self, stream: int) -> None:
        self._call('synchronize')

    def begin_capture(self, stream: int) -> None:
        self._call('begin_capture')
        self._recorded = []

    def end_capture(self, stream: int) -> int:
        recorded, self._recorded = self._recorded, None
        self._call('end_capture')
        return self._take(recorded)

    def launch(self, graph: int, stream: int) -> None:
        self._call('launch')
        for work in self.held[graph]:
            work()

    def destroy_graph(self, graph: int) -> None:
        del self.held[graph]


class ILogger:
    """Takes messages."""

    class Severity(IntEnum):
        """Those that the adapter knows."""

        INTERNAL_ERROR = 0
        ERROR = 1

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    """Is told how far a build has come."""

    phase_start = step_complete = phase_finish = None


class ParserError:
    """What the parser says of a node."""

    def __init__(self, name: str, operator: str, text: str) -> None:
        self._told = name, operator, text

    def node_name(self) -> str:
        return self._told[0]

    def node_operator(self) -> str:
        return self._told[1]

    def desc(self) -> str:
        return self._told[2]


class DataType(IntEnum):
    FLOAT = 0
    INT32 = 3
    INT64 = 8


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


ONNX_TYPES = {'tensor(float)': DataType.FLOAT, 'tensor(int32)': DataType.INT32,
              'tensor(int64)': DataType.INT64}


def make_trt(cuda: FakeCuda, kind: str = '10.3', faults: set[str] | None = None) -> Any:
    """A module of TensorRT.

    Args:
        cuda: The GPU.
        kind: ``'10.3'``, the oldest; ``'11.4'``, the newest; ``'rtx'``.
        faults: What fails: ``parse``, ``build``, ``deserialize``, ``context``, ``address``,
            ``execute``, ``tensors`` (others than the graph's).
    """
    faults = set() if faults is None else faults
    rtx = kind == 'rtx'
    world = SimpleNamespace(built=0, monitored=[], flags=[], kernels=[], timing=[], targets=[])

    class OnnxParser:
        def __init__(self, network: list[bytes], logger: Any) -> None:
            self._network, self._errors = network, []

        @property
        def num_errors(self) -> int:
            return len(self._errors)

        def get_error(self, index: int) -> ParserError:
            return self._errors[index]

        def supports_model_v2(self, model: bytes) -> bool:
            if 'parse' in faults:
                self._errors = [ParserError('scatter_3', 'ScatterND', 'reduction\nis not there')]
            return not self._errors

        def parse(self, model: bytes) -> bool:
            self._network.append(model)
            return self.supports_model_v2(model)

    class TimingCache:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def serialize(self) -> bytes:
            return self._data + b'+'

    class IBuilderConfig:
        progress_monitor: Any = None

        def clear_flag(self, flag: Any) -> None:
            world.flags.append(flag)

    if rtx:
        def set_compute_capability(self: Any, target: Any, index: int) -> bool:
            world.targets.append((target.name, index))
            return True
        IBuilderConfig.num_compute_capabilities = 0
        IBuilderConfig.set_compute_capability = set_compute_capability
    else:
        def create_timing_cache(self: Any, data: bytes) -> TimingCache:
            world.timing.append(data)
            return TimingCache(data)
        IBuilderConfig.create_timing_cache = create_timing_cache
        IBuilderConfig.set_timing_cache = lambda self, cache, ignore: True
    if kind != '10.3':
        OnnxParser.set_builder_config = lambda self, config: True

    class Builder:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def create_network(self, flags: int) -> list[bytes]:
            assert flags == 1 << int(STRONGLY_TYPED)
            return []

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        def build_serialized_network(self, network: list[bytes], config: Any) -> bytes | None:
            world.built += 1
            monitor = config.progress_monitor
            monitor.phase_start('Building', None, 2)
            monitor.phase_start('Timing', 'Building', 100)
            world.monitored = [monitor.step_complete('Timing', 0),
                               monitor.step_complete('Building', 0),
                               monitor.step_complete('Building', 1)]
            monitor.phase_finish('Building')
            if 'build' in faults:
                self._logger.log(ILogger.Severity.ERROR, 'no kernel\nfor Conv_3')
                return None
            return MAGIC + network[0]

    class IExecutionContext:
        def __init__(self, session: Any) -> None:
            self._session, self._address = session, {}

        def set_tensor_address(self, name: str, address: int) -> bool:
            self._address[name] = address
            return 'address' not in faults

        def execute_async_v3(self, stream: int) -> bool:
            if 'execute' not in faults:
                cuda.put(self._work)
            return 'execute' not in faults

        def _work(self) -> None:
            def view(item: Any) -> np.ndarray:
                kind = np.int64 if 'int64' in item.type else np.float32
                return cuda.held[self._address[item.name]].view(kind).reshape(item.shape)
            inputs = {item.name: view(item) for item in self._session.get_inputs()}
            for item, value in zip(self._session.get_outputs(), self._session.run(None, inputs),
                                   strict=True):
                np.copyto(view(item), value)

    class IRuntimeCache:
        def serialize(self) -> bytes:
            return b'kernels'

        def deserialize(self, blob: bytes) -> bool:
            world.kernels.append(blob)
            return True

    class IRuntimeConfig:
        pass

    if rtx:
        IRuntimeConfig.cuda_graph_strategy = None
        IRuntimeConfig.create_runtime_cache = lambda self: IRuntimeCache()
        IRuntimeConfig.set_runtime_cache = lambda self, cache: True

    class ICudaEngine:
        def __init__(self, model: bytes) -> None:
            import onnxruntime
            self._session = onnxruntime.InferenceSession(model)
            items = [(item, mode) for mode, group in (
                (TensorIOMode.INPUT, self._session.get_inputs()),
                (TensorIOMode.OUTPUT, self._session.get_outputs())) for item in group]
            self._items = {item.name: (item, mode) for item, mode in items}
            if 'tensors' in faults:
                del self._items[items[-1][0].name]

        @property
        def num_io_tensors(self) -> int:
            return len(self._items)

        def get_tensor_name(self, index: int) -> str:
            return list(self._items)[index]

        def get_tensor_mode(self, name: str) -> TensorIOMode:
            return self._items[name][1]

        def get_tensor_shape(self, name: str) -> list[int]:
            return self._items[name][0].shape

        def get_tensor_dtype(self, name: str) -> DataType:
            return ONNX_TYPES[self._items[name][0].type]

        def create_execution_context(self, config: Any = None) -> IExecutionContext | None:
            assert (config is not None) == rtx
            return None if 'context' in faults else IExecutionContext(self._session)

    if kind != '10.3':
        ICudaEngine.create_runtime_config = lambda self: IRuntimeConfig()

    class Runtime:
        engine_host_code_allowed = True

        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, data: bytes) -> ICudaEngine | None:
            assert not self.engine_host_code_allowed
            if 'deserialize' in faults or not data.startswith(MAGIC):
                self._logger.log(ILogger.Severity.ERROR, 'magic tag does not match')
                return None
            return ICudaEngine(data[len(MAGIC):])

    STRONGLY_TYPED = 1
    module = SimpleNamespace(
        __version__='1.7.1.116' if rtx else f'{kind}.0', Builder=Builder,
        BuilderFlag=SimpleNamespace(TF32=7), DataType=DataType, ILogger=ILogger,
        IProgressMonitor=IProgressMonitor, OnnxParser=OnnxParser, Runtime=Runtime,
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=STRONGLY_TYPED),
        TensorIOMode=TensorIOMode, world=world)
    if rtx:
        module.ComputeCapability = IntEnum('ComputeCapability', 'SM75 SM86 CURRENT')
        module.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE=1)
    return module
