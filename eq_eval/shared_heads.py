"""What the heads of a shared network cost beside each other."""

from __future__ import annotations

from pathlib import Path
import time
from typing import Any

import numpy as np

from eq_core.runtime.bundle import Bundle
from eq_core.runtime.onnx_runtime import session_options

PANOPTIC = ('centerness', 'instance_offset', 'semantics')


def shared_heads(path: Path, threads: int, runs: int) -> dict[str, Any]:
    """Times one graph for detection alone, for panoptic fields alone, and for both.

    Each is a graph of its own, cut out of the whole, because an engine runs all nodes of a graph,
    whatever is asked of it. They are run in turn on the stored example, so that whatever else the
    machine does meets all alike.

    Args:
        path: Bundle of a segmenter.
        threads: Threads of the inference.
        runs: Runs of each.

    Returns:
        ``heads_ms``, the median of each [ms], and ``shared_ratio``, both over the slower one.
    """
    import onnx
    from onnx.utils import Extractor
    import onnxruntime
    bundle = Bundle.load(path)
    inputs, _ = bundle.golden()
    names = [spec.name for spec in bundle.manifest.outputs]
    asked = {'detection': [name for name in names if name not in PANOPTIC],
             'panoptic': list(PANOPTIC), 'both': names}
    whole = onnx.load_model_from_string(bundle.read('model.onnx'))
    sessions = {key: onnxruntime.InferenceSession(
        Extractor(whole).extract_model(list(inputs), outputs).SerializeToString(),
        session_options(threads), providers=['CPUExecutionProvider'])
        for key, outputs in asked.items()}
    times: dict[str, list[float]] = {key: [] for key in asked}
    for number in range(runs + 2):
        for key, session in sessions.items():
            start = time.perf_counter()
            session.run(None, inputs)
            if number >= 2:     # the first ones warm up
                times[key].append(1e3 * (time.perf_counter() - start))
    median = {key: float(np.median(each)) for key, each in times.items()}
    return {'heads_ms': median,
            'shared_ratio': median['both'] / max(median['detection'], median['panoptic'])}
