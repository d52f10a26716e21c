"""How much work a network is: multiply-accumulates of an ONNX graph."""

from __future__ import annotations

import math
from typing import Any

from eq_core.errors import InputError

COUNTED = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')   # all else is small beside these


def gmac(graph: bytes) -> float:
    """Counts multiply-accumulates of convolutions and matrix products [10^9].

    Padding counts as work, as engines do it; operators other than `COUNTED` do not.

    Args:
        graph: A serialised ONNX model with static shapes.

    Raises:
        InputError: A shape that is needed is not known.
    """
    import onnx
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph))
    shapes = {each.name: tuple(each.dims) for each in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        shapes[value.name] = tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
    return sum(_macs(node, shapes) for node in model.graph.node if node.op_type in COUNTED) / 1e9


def _macs(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Multiply-accumulates of one operator."""
    def shape(name: str) -> tuple[int, ...]:
        found = shapes.get(name, ())
        if not found or 0 in found:
            raise InputError(f'shape of {name!r} of {node.op_type} {node.name!r} must be known, '
                             f'got {found}')
        return found
    first, second, out = (shape(name) for name in (*node.input[:2], node.output[0]))
    if node.op_type == 'Conv':
        # (out, in / groups, ...) weights: each output is a sum over all but the first axis.
        return math.prod(out) * math.prod(second[1:])
    if node.op_type == 'ConvTranspose':
        return math.prod(first) * math.prod(second[1:])   # (in, out / groups, ...)
    inner = first[-1]
    if node.op_type == 'Gemm' and any(each.name == 'transA' and each.i for each in node.attribute):
        inner = first[0]
    return math.prod(out) * inner
