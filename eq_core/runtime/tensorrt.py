"""TensorRT 10.3 to 11.4 and TensorRT-RTX behind one adapter.

Networks are strongly typed: the precision is that of the ONNX file and no flag of a builder
changes it. What one version has and another has not is asked of the objects (`OPTIONAL`), never
of version numbers. Engines come from `EngineCache` only; code that an engine brings for the host
stays forbidden.
"""

from __future__ import annotations

from collections.abc import Mapping
import importlib
import platform
import re
from typing import Any

from eq_core.errors import BackendError
from eq_core.runtime.backend import Artifact
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.cuda import Cuda
from eq_core.runtime.cuda import CudaRuntime
from eq_core.runtime.cuda import Device
from eq_core.runtime.engine_builder import build_engine
from eq_core.runtime.engine_builder import parser_errors
from eq_core.runtime.engine_builder import SETTINGS
from eq_core.runtime.engine_cache import Engine
from eq_core.runtime.engine_cache import EngineCache
from eq_core.runtime.engine_cache import key_of
from eq_core.runtime.engine_runner import EngineRunner
from eq_core.runtime.graphs import read_graph
from eq_core.runtime.integrity import one_line
from eq_core.runtime.manifest import GRAPHS
from eq_core.runtime.session import Session

ADAPTER_VERSION = 1  # raised when an engine has to be built anew for a reason of ours
OLDEST = {'tensorrt': (10, 3), 'tensorrt_rtx': (1, 0)}
INSTALL = {'tensorrt': 'install TensorRT 10.3 or newer (it comes with JetPack; else '
                       'pip install tensorrt)',
           'tensorrt_rtx': 'pip install tensorrt-rtx-cu13'}
ANY = 'any'  # in place of a GPU's name and driver: built ahead of time for all GPUs of a kind
DTYPES = ('float32', 'int32', 'int64')
# Every attribute of the library that this adapter touches, by class ('' is the module itself).
REQUIRED: Mapping[str, tuple[str, ...]] = {
    '': ('__version__', 'Builder', 'BuilderFlag', 'DataType', 'ILogger', 'IProgressMonitor',
         'NetworkDefinitionCreationFlag', 'OnnxParser', 'Runtime', 'TensorIOMode'),
    'Builder': ('build_serialized_network', 'create_builder_config', 'create_network'),
    'BuilderFlag': ('TF32',),
    'DataType': ('FLOAT', 'INT32', 'INT64'),
    'IBuilderConfig': ('clear_flag', 'progress_monitor'),
    'ICudaEngine': ('create_execution_context', 'get_tensor_dtype', 'get_tensor_mode',
                    'get_tensor_name', 'get_tensor_shape', 'num_io_tensors'),
    'IExecutionContext': ('execute_async_v3', 'set_tensor_address'),
    'ILogger': ('Severity', 'log'),
    'ILogger.Severity': ('ERROR', 'INTERNAL_ERROR'),
    'IProgressMonitor': ('phase_finish', 'phase_start', 'step_complete'),
    'NetworkDefinitionCreationFlag': ('STRONGLY_TYPED',),
    'OnnxParser': ('get_error', 'num_errors', 'parse', 'supports_model_v2'),
    'ParserError': ('desc', 'node_name', 'node_operator'),
    'Runtime': ('deserialize_cuda_engine', 'engine_host_code_allowed'),
    'TensorIOMode': ('INPUT',),
}
# Those that are used only where they are; TensorRT-RTX alone has compute capabilities.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    '': ('ComputeCapability', 'CudaGraphStrategy'),
    'CudaGraphStrategy': ('WHOLE_GRAPH_CAPTURE',),
    'IBuilderConfig': ('create_timing_cache', 'num_compute_capabilities',
                       'set_compute_capability', 'set_timing_cache'),
    'ICudaEngine': ('create_runtime_config',),
    'IRuntimeCache': ('deserialize', 'serialize'),
    'IRuntimeConfig': ('create_runtime_cache', 'cuda_graph_strategy', 'set_runtime_cache'),
    'ITimingCache': ('serialize',),
    'OnnxParser': ('set_builder_config',),
}


class TensorRtBackend:
    """Builds an engine of a bundle's graph and runs it on the first GPU."""

    def __init__(self, name: str = 'tensorrt', trt: Any = None, cuda: Cuda | None = None,
                 cache: EngineCache | None = None) -> None:
        """Chooses one of the two libraries.

        Args:
            name: ``'tensorrt'`` or ``'tensorrt_rtx'``, which is also the library's module.
            trt: The library, in place of the installed one.
            cuda: The GPU, in place of the real one.
            cache: Where engines are kept, in place of the user's folder.
        """
        self.name = name
        self._trt, self._cuda = trt, cuda or CudaRuntime()
        self._given_cache = cache

    @property
    def _cache(self) -> EngineCache:
        """Where engines are kept; BackendError if the user has no folder."""
        if self._given_cache is None:
            self._given_cache = EngineCache()
        return self._given_cache

    def available(self) -> tuple[bool, str]:
        """Whether the library is there and new enough, and a GPU to run on."""
        try:
            self._library()
        except BackendError as error:
            return False, str(error)
        try:
            self._cuda.device()
        except BackendError as error:
            return False, f'no GPU can be used: {error}'
        return True, ''

    def supports(self, bundle: Bundle) -> list[str]:
        """Refuses types of tensors; nodes are the matter of a build, and of `unsupported`."""
        return [f'{spec.name} is {spec.dtype}, the library knows {", ".join(DTYPES)}'
                for spec in (*bundle.manifest.inputs, *bundle.manifest.outputs)
                if spec.dtype not in DTYPES]

    def unsupported(self, bundle: Bundle, precision: str = 'fp32') -> dict[str, str]:
        """What the parser says of nodes that it cannot take, by the node's name; needs no GPU.

        Raises:
            BackendError: The library is missing, or there is no graph of this precision.
        """
        return parser_errors(self._library(), read_graph(bundle, precision)[1])

    def targets(self) -> list[str]:
        """Compute capabilities that can be built for without such a GPU; none but for RTX."""
        members = getattr(getattr(self._library(), 'ComputeCapability', None), '__members__', {})
        found = (re.fullmatch(r'SM(\d+)(\d)', name) for name in members)
        return [f'{match[1]}.{match[2]}' for match in found if match]

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Finds an engine for this GPU, or builds it, as the policy says.

        Raises:
            BackendError: There is no GPU, the build failed, or no engine is there and none may
                be built.
            BundleError: The graph was altered since the bundle was loaded.
        """
        device = self._cuda.device()
        ahead = [self.identity(bundle, spec.precision, device.capability)] if (
            device.capability in self.targets()) else []
        engine = self._obtain(bundle, spec, self.identity(bundle, spec.precision, device),
                              device.capability, ahead)
        return Artifact(bundle, spec, engine.data, {
            'model': GRAPHS[spec.precision], 'gpu': device.name, 'engine_key': engine.key,
            'engine': 'cached' if engine.cached else 'built', 'build_seconds': engine.seconds,
        }, engine.notes)

    def build_ahead(self, bundle: Bundle, spec: PrepareSpec, capability: str) -> Engine:
        """Builds an engine for all GPUs of a compute capability, on a machine without any.

        Raises:
            BackendError: The library cannot, or the build failed.
        """
        if capability not in self.targets():
            raise BackendError(f'{self.name} builds ahead of time for {self.targets() or "no GPU"}'
                               f', not for compute capability {capability}')
        return self._obtain(bundle, spec, self.identity(bundle, spec.precision, capability),
                            capability)

    def identity(self, bundle: Bundle, precision: str, target: Device | str) -> dict[str, Any]:
        """All that an engine hangs on.

        Args:
            bundle: The model.
            precision: Which graph of it.
            target: This machine's GPU, or a compute capability to build ahead of time for.
        """
        device = target if isinstance(target, Device) else None
        name, manifest = read_graph(bundle, precision)[0], bundle.manifest
        return {
            'adapter': ADAPTER_VERSION,
            'backend': {'name': self.name, 'version': str(self._library().__version__)},
            'builder': dict(SETTINGS),
            'cuda': {'driver': device.driver if device else ANY,
                     'runtime': device.runtime if device else ANY},
            'gpu': {'name': device.name if device else ANY,
                    'sm': device.capability if device else target},
            'model': {'name': manifest.name, 'file': name, 'sha256': manifest.sha256[name]},
            'platform': {'system': platform.system(), 'machine': platform.machine()},
            'precision': precision,
            'tensors': [[spec.name, spec.dtype, list(spec.shape)]
                        for spec in (*manifest.inputs, *manifest.outputs)],
        }

    def load(self, artifact: Artifact) -> Session:
        """Starts an engine.

        Raises:
            BackendError: The library refuses it, its tensors are not the manifest's, or the
                GPU's memory is full.
        """
        trt, key = self._library(), str(artifact.details['engine_key'])
        manifest = artifact.bundle.manifest
        runner = EngineRunner(
            trt, self._cuda, artifact.payload, manifest,
            warm_start=self._cache.extra(key, '.runtime'),
            keep=lambda data: self._cache.keep_extra(key, '.runtime', data))
        session = Session(manifest, self.name, runner.run, artifact.spec.precision, {
            **artifact.details, 'library': f'{self.name} {trt.__version__}'}, runner.close)
        session.notes.extend(artifact.notes)
        runner.notes = session.notes  # what is found out while it warms up comes there too
        return session

    def _obtain(self, bundle: Bundle, spec: PrepareSpec, identity: dict[str, Any],
                capability: str, ahead: list[dict[str, Any]] | None = None) -> Engine:
        trt, cache = self._library(), self._cache
        progress = spec.progress or (lambda text, part: None)
        # What was measured of kernels holds for other graphs on the same GPU as well.
        timing = key_of({name: identity[name] for name in ('backend', 'cuda', 'gpu', 'platform')})

        def build() -> bytes:
            graph = bundle.read(identity['model']['file'])
            plan, measured = build_engine(trt, graph, capability, cache.extra(timing, '.timing'),
                                          lambda part: progress(bundle.manifest.name, part))
            if measured:
                cache.keep_extra(timing, '.timing', measured)
            return plan
        return cache.obtain(identity, build, spec.build_policy, lambda: progress(
            f'{bundle.manifest.name}: waits for another process that builds', 0.), ahead or [])

    def _library(self) -> Any:
        """The library.

        Raises:
            BackendError: It is not installed, cannot be loaded, or is too old.
        """
        if self._trt is None:
            try:
                self._trt = importlib.import_module(self.name)
            except ModuleNotFoundError as error:
                raise BackendError(f'{self.name} is not installed: {INSTALL[self.name]}'
                                   ) from error
            except Exception as error:  # its loader raises whatever the system says
                raise BackendError(f'{self.name} cannot be imported: {one_line(error)}'
                                   ) from error
        version, oldest = str(self._trt.__version__), OLDEST[self.name]
        if tuple(int(part) for part in re.findall(r'\d+', version)[:2]) < oldest:
            raise BackendError(f'{self.name} must be {".".join(map(str, oldest))} or newer, '
                               f'got {version}')
        return self._trt
