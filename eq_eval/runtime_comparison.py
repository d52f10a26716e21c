"""Networks, engines and threads side by side in one process: ratios, as they outlast machines.

All candidates run in turn, round by round, so that whatever else the machine does meets all
alike; a ratio is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
import itertools
import os
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.errors import OutputError
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.onnx_runtime import OnnxRuntimeBackend
from eq_core.runtime.onnx_runtime import session_options
from eq_core.runtime.selection import BACKENDS
from eq_core.runtime.selection import open_session
from eq_eval.operations import gmac

Arrays = Mapping[str, NDArray[Any]]
BASE = OnnxRuntimeBackend().name
ROOFLINE = 'convolution'                # the large convolution that tells what can be reached
ROOFLINE_SHAPE = (256, 96, 96)          # channels in and out, rows, columns; 3 x 3 kernel
WARM_UP = 1                             # rounds that are not counted


@dataclass(frozen=True)
class Candidate:
    """One network on one engine.

    Attributes:
        network: Its name.
        backend: Name of the engine.
        precision: Of the network.
        threads: Of the engine.
        run: Runs the network once.
    """

    network: str
    backend: str
    precision: str
    threads: int
    run: Callable[[], object]

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f'{self.network}, {self.backend} {self.precision}, {self.threads} threads'


def graph_candidate(network: str, graph: bytes, inputs: Arrays, threads: int) -> Candidate:
    """A graph in memory on ONNX Runtime."""
    import onnxruntime
    session = onnxruntime.InferenceSession(graph, session_options(threads),
                                           providers=['CPUExecutionProvider'])
    return Candidate(network, BASE, 'fp32', threads, partial(session.run, None, dict(inputs)))


def bundle_candidates(bundle: Bundle, threads: int, notes: list[str]) -> Iterator[Candidate]:
    """A bundle in each of its precisions on every engine that takes it.

    Args:
        bundle: A loaded bundle.
        threads: Threads of the engine.
        notes: Takes why an engine is left out.
    """
    inputs, _ = bundle.golden()
    name = bundle.path.name
    for backend, precision in itertools.product(BACKENDS, bundle.manifest.tolerance):
        wanted: dict[str, Any] = {} if precision == 'fp32' else {'precision': precision}
        try:
            session = open_session(bundle, [backend], threads, accept=False, **wanted)
        except (BackendError, OutputError) as error:
            note = f'{name}, {backend} {precision}: {error}'
            if note not in notes:
                notes.append(note)
            continue
        yield Candidate(name, backend, precision, threads, partial(session.run, inputs))


def roofline_graph(shape: tuple[int, int, int]) -> bytes:
    """One large convolution, 3 x 3, as many channels out as in.

    Args:
        shape: Channels, rows, columns.
    """
    from onnx import helper
    from onnx import TensorProto
    channels, rows, columns = shape
    weights = np.random.default_rng(0).normal(0, .02, (channels, channels, 3, 3))
    graph = helper.make_graph(
        [helper.make_node('Conv', ['canvas', 'weights'], ['answer'], pads=[1, 1, 1, 1])],
        ROOFLINE,
        [helper.make_tensor_value_info('canvas', TensorProto.FLOAT, [1, *shape])],
        [helper.make_tensor_value_info('answer', TensorProto.FLOAT, [1, *shape])],
        [helper.make_tensor('weights', TensorProto.FLOAT, weights.shape,
                            weights.astype(np.float32).tobytes(), raw=True)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)])
    model.ir_version = 10
    return bytes(model.SerializeToString())


def plain_twin_graph(bundle: Bundle) -> tuple[bytes, Arrays]:
    """The ordinary network of the operations of a detector, random weights, and its inputs."""
    from eq_eval.training.export import detector_signature
    from eq_eval.training.export import onnx_graph
    from eq_perception.detection.config import DetectorConfig
    from eq_perception.detection.model import BevDetector
    from eq_perception.detection.model import plain_twin
    config = plain_twin(DetectorConfig.from_dict(bundle.manifest.config))
    model = BevDetector(config).eval()
    inputs, _ = bundle.golden()
    signature = detector_signature(model, _two_points())
    shown = type(signature)({name: inputs[name] for name in signature.inputs}, signature.law)
    return onnx_graph(model, shown), shown.inputs


def measure(candidates: Sequence[Candidate], rounds: int, budget_s: float
            ) -> dict[str, NDArray[np.float64]]:
    """Runs all candidates in turn.

    Args:
        candidates: At least one.
        rounds: Rounds to count; fewer, but one, when the time is over.
        budget_s: Time limit [s].

    Returns:
        Key to (rounds,) times [ms].
    """
    rows: list[list[float]] = []
    end = time.perf_counter() + budget_s
    for number in range(-WARM_UP, rounds):
        row = []
        for candidate in candidates:
            start = time.perf_counter()
            candidate.run()
            row.append(1e3 * (time.perf_counter() - start))
        if number >= 0:
            rows.append(row)
        if rows and time.perf_counter() > end:
            break
    return dict(zip([each.key for each in candidates], np.array(rows).T, strict=True))


def ratios(candidates: Sequence[Candidate], times: Mapping[str, NDArray[np.float64]]
           ) -> dict[str, float]:
    """Compares what can be compared, each pair by the median of its rounds.

    Every network with the first one on the same engine; every engine and precision with ONNX
    Runtime fp32 on the same network; the fewest threads with more of them on the same of both.
    """
    by_place = {(each.network, each.backend, each.precision, each.threads): each.key
                for each in candidates}
    first, fewest = candidates[0].network, min(each.threads for each in candidates)
    found: dict[str, float] = {}

    def compare(label: str, key: str, other: str) -> None:
        found[label] = float(np.median(times[key] / times[other]))
    for (network, backend, precision, threads), key in by_place.items():
        base = by_place.get((first, backend, precision, threads))
        if base not in (None, key) and backend == BASE and network != ROOFLINE:
            compare(f'{network} / {first}, {threads} threads', key, str(base))
        base = by_place.get((network, BASE, 'fp32', threads))
        if base not in (None, key):
            compare(f'{network}: {backend} {precision} / {BASE} fp32, {threads} threads', key,
                    str(base))
        base = by_place.get((network, backend, precision, fewest))
        if base not in (None, key):
            compare(f'{network}: {backend} {precision}, {threads} threads / {fewest}', key,
                    str(base))
    return found


def compare_runtimes(bundles: Sequence[Path], threads: Sequence[int], rounds: int,
                     budget_s: float, with_yardstick: bool = True,
                     progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Measures the shipped networks, their peers and engines side by side.

    Args:
        bundles: Folders of models, the detector first.
        threads: Numbers of threads; more than the machine has cores are left out.
        rounds: Rounds for each number of threads.
        budget_s: Time limit of the rounds in all [s].
        with_yardstick: Whether PointPillars is measured, too; it is the slowest of all.
        progress: Told what is going on.

    Returns:
        ``ratios``; ``gmac`` of each network; ``ms``, medians by candidate; ``gmac_per_s`` of each,
        and ``roofline``, that of a large convolution by number of threads; ``utilisation``, the
        part of the roofline that each network on ONNX Runtime reaches; ``rounds``, ``notes``.
    """
    loaded = [Bundle.load(path) for path in bundles]
    progress('exporting the peers')
    graphs = {ROOFLINE: (roofline_graph(ROOFLINE_SHAPE), {'canvas': _canvas(ROOFLINE_SHAPE)}),
              'plain twin': plain_twin_graph(loaded[0])}
    if with_yardstick:
        from eq_eval.training.yardstick import CANVAS
        from eq_eval.training.yardstick import yardstick_graph
        graphs['PointPillars'] = yardstick_graph(), {'canvas': _canvas(CANVAS)}
    work = {bundle.path.name: gmac(bundle.read('model.onnx')) for bundle in loaded}
    work |= {name: gmac(graph) for name, (graph, _) in graphs.items()}
    counts = [each for each in threads if each == 1 or each <= (os.cpu_count() or 1)]
    notes: list[str] = []
    times: dict[str, NDArray[np.float64]] = {}
    candidates: list[Candidate] = []
    for count in counts:      # one after the other: torch knows only one number of threads
        mine = [*itertools.chain.from_iterable(
            bundle_candidates(bundle, count, notes) for bundle in loaded),
            *(graph_candidate(name, graph, inputs, count)
              for name, (graph, inputs) in graphs.items())]
        progress(f'{count} threads, {len(mine)} candidates')
        measured = measure(mine, rounds, budget_s / len(counts))
        candidates += mine
        times |= measured
    return _figures(candidates, times, work) | {
        'threads': counts, 'rounds': min(map(len, times.values())), 'notes': notes,
        'load_average': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None}


def _figures(candidates: Sequence[Candidate], times: Mapping[str, NDArray[np.float64]],
             work: Mapping[str, float]) -> dict[str, Any]:
    """Ratios, and how near each network comes to what the machine can do."""
    shortest = min(map(len, times.values()))
    paired = {key: row[:shortest] for key, row in times.items()}
    median = {key: float(np.median(row)) for key, row in times.items()}
    speed = {each.key: 1e3 * work[each.network] / median[each.key] for each in candidates}
    roofline = {each.threads: speed[each.key] for each in candidates if each.network == ROOFLINE}
    return {'ratios': ratios(candidates, paired), 'gmac': dict(work), 'ms': median,
            'gmac_per_s': speed, 'roofline': {str(key): each for key, each in roofline.items()},
            'utilisation': {each.key: speed[each.key] / roofline[each.threads]
                            for each in candidates
                            if each.backend == BASE and each.network != ROOFLINE}}


def _canvas(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)


def _two_points() -> Any:
    from eq_core.geometry.points import Points
    return Points.from_xyz(np.array([[3., 0., 0.], [0., 5., 0.]]))
