"""What the heads of a shared network cost beside each other."""

from __future__ import annotations

from pathlib import Path
import time
from typing import Any

import numpy as np

from eq_core.runtime.bundle import Bundle

PANOPTIC = ('centerness', 'instance_offset', 'semantics')


def shared_heads(path: Path, threads: int, runs: int) -> dict[str, Any]:
    """Times one graph for detection alone, for panoptic fields alone, and for both.

    The three are run in turn on the stored example, so that whatever else the machine does meets
    all alike. Nodes that an answer does not need are not run.

    Args:
        path: Bundle of a segmenter.
        threads: Threads of the inference.
        runs: Runs of each.

    Returns:
        ``heads_ms``, the median of each [ms], and ``shared_ratio``, both over the slower one.
    """
    import onnxruntime
    bundle = Bundle.load(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        bundle.read('model.onnx'), options, providers=['CPUExecutionProvider'])
    needed = onnxruntime.RunOptions()
    needed.only_execute_path_to_fetches = True
    inputs, _ = bundle.golden()
    names = [spec.name for spec in bundle.manifest.outputs]
    asked = {'detection': [name for name in names if name not in PANOPTIC],
             'panoptic': list(PANOPTIC), 'both': names}
    times: dict[str, list[float]] = {key: [] for key in asked}
    for number in range(runs + 2):
        for key, outputs in asked.items():
            start = time.perf_counter()
            session.run(outputs, inputs, needed)
            if number >= 2:     # the first ones warm up
                times[key].append(1e3 * (time.perf_counter() - start))
    median = {key: float(np.median(each)) for key, each in times.items()}
    return {'heads_ms': median,
            'shared_ratio': median['both'] / max(median['detection'], median['panoptic'])}
