"""Graphs in half precision."""

from __future__ import annotations

import onnx


def to_half(graph: bytes) -> bytes:
    """Computes everything in float16, while inputs and outputs stay float32.

    The types are written into the graph (casts at its ends, weights in float16), as engines with
    strong typing want it; nothing is left to their choice.

    Args:
        graph: The float32 graph.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    half = convert_float_to_float16(onnx.load_model_from_string(graph), keep_io_types=True)
    return bytes(half.SerializeToString())
