"""From an ONNX graph to an engine, with TensorRT or TensorRT-RTX."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from eq_core.errors import BackendError

# What the builder is told besides the graph. TF32 rounds fp32 factors to 10 bits of mantissa:
# fp32 must mean fp32, or a model would not pass its acceptance.
SETTINGS: Mapping[str, Any] = {'strongly_typed': True, 'tf32': False}
Report = Callable[[float], None]


def make_logger(trt: Any) -> tuple[Any, deque[str]]:
    """A logger that keeps the last errors in place of printing them."""
    errors: deque[str] = deque(maxlen=3)
    severe = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)

    class Log(trt.ILogger):
        """Keeps errors."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            """Takes one message."""
            if severity in severe:
                errors.append(' '.join(str(msg).split())[:300])
    return Log(), errors


def make_monitor(trt: Any, report: Report) -> Any:
    """A progress monitor that reports how much of the outermost phase is done, 0 to 1."""
    class Monitor(trt.IProgressMonitor):
        """Reports progress."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Remembers the size of an outermost phase."""
            if not parent_phase:
                self.steps[phase_name] = max(num_steps, 1)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Reports, and lets the build go on: no exception may pass through the library."""
            if phase_name in self.steps:
                with suppress(Exception):
                    report(min(1., (step + 1) / self.steps[phase_name]))
            return True

        def phase_finish(self, phase_name: str) -> None:
            """Forgets the phase."""
            self.steps.pop(phase_name, None)
    return Monitor()


def parser_errors(trt: Any, graph: bytes) -> dict[str, str]:
    """What the parser cannot take, by the name of the node; needs no GPU.

    Args:
        trt: The library.
        graph: Bytes of an ONNX file.
    """
    logger, errors = make_logger(trt)
    builder = trt.Builder(logger)
    network, parser = _parser(trt, builder, logger)  # the parser needs both, but keeps neither
    if parser.supports_model_v2(graph):
        return {}
    return _errors(parser) or {'model': '; '.join(errors) or 'the parser gives no reason'}


def build_engine(trt: Any, graph: bytes, capability: str = '', measured: bytes = b'',
                 report: Report = lambda part: None) -> tuple[bytes, bytes]:
    """Builds an engine.

    Args:
        trt: The library.
        graph: Bytes of an ONNX file.
        capability: Compute capability to build for, such as ``'8.6'``; TensorRT-RTX only, the
            classic library builds for the GPU that it finds.
        measured: What an earlier build measured of kernels (timing cache), or nothing.
        report: Told how much is done, 0 to 1.

    Returns:
        The engine, and what was measured of kernels, or nothing.

    Raises:
        BackendError: The graph cannot be parsed or built; the text has the library's reason.
    """
    logger, errors = make_logger(trt)
    builder = trt.Builder(logger)
    if builder is None:
        raise BackendError(_failed('no builder can be made', errors))
    network, parser = _parser(trt, builder, logger)
    config = builder.create_builder_config()
    if hasattr(parser, 'set_builder_config'):
        parser.set_builder_config(config)
    if not parser.parse(graph):
        raise BackendError(_failed('the graph cannot be parsed',
                                   [*_errors(parser).values()] or errors))
    if not SETTINGS['tf32']:
        config.clear_flag(trt.BuilderFlag.TF32)
    timing = None
    if hasattr(config, 'num_compute_capabilities'):
        _set_capability(trt, config, capability)
    elif hasattr(config, 'create_timing_cache'):
        timing = _timing_cache(config, measured)
    config.progress_monitor = monitor = make_monitor(trt, report)  # noqa: F841 - kept alive
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(_failed('the engine cannot be built', errors))
    return bytes(plan), b'' if timing is None else bytes(timing.serialize())


def _parser(trt: Any, builder: Any, logger: Any) -> tuple[Any, Any]:
    """An empty network, in which the graph's own types hold, and a parser that fills it."""
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    return network, trt.OnnxParser(network, logger)


def _set_capability(trt: Any, config: Any, capability: str) -> None:
    member = getattr(trt.ComputeCapability, f'SM{capability.replace(".", "")}', None)
    if member is None:
        raise BackendError(f'the library builds nothing for compute capability {capability}')
    config.num_compute_capabilities = 1
    if not config.set_compute_capability(member, 0):
        raise BackendError(f'the library refuses compute capability {capability}')


def _timing_cache(config: Any, measured: bytes) -> Any:
    cache = config.create_timing_cache(measured)
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b'')  # of another version or GPU: measure anew
        config.set_timing_cache(cache, False)
    return cache


def _errors(parser: Any) -> dict[str, str]:
    found = (parser.get_error(index) for index in range(parser.num_errors))
    lines = {}
    for error in found:
        name = str(error.node_name() or error.node_operator() or 'model')
        lines[name] = f'{name} ({error.node_operator()}): {" ".join(str(error.desc()).split())}'
    return lines


def _failed(what: str, reasons: Any) -> str:
    return f'{what}: {"; ".join(reasons) or "the library gives no reason"}'
