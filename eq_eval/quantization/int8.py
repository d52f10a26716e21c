"""Graphs whose convolutions run in integers: symmetric int8 with explicit Q and DQ.

Weights have a scale per output channel, activations one per tensor, all zero points are 0 and
biases stay float32: what ONNX Runtime, OpenVINO and TensorRT all take. Rotated copies of a kernel
hold the same numbers, so they share one scale, and sums of integers do not depend on their order:
from the first integer layer on such a network keeps its symmetry exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import numpy_helper

from eq_eval.quantization.probing import Probe

LARGEST = 127           # symmetric: -128 is not used
CORRECTION_SCENES = 8   # enough for a mean over thousands of cells each

Arrays = dict[str, NDArray[Any]]
Scales = Mapping[str, float]


def to_int8(graph: bytes, examples: Sequence[Arrays], float_layers: int = 0) -> bytes:
    """Quantises a graph.

    Ranges are the largest magnitudes seen. Rounding shifts means: most of a scene is empty, and
    there every cell is rounded the same way. So each bias is then corrected by what the mean of
    its layer has moved, layer by layer (Nagel et al., Data-Free Quantization, ICCV 2019).

    Args:
        graph: The float32 graph.
        examples: Inputs as they occur at work.
        float_layers: Of the first convolutions, how many stay float32.
    """
    model = onnx.load_model_from_string(graph)
    layers = integer_layers(model, float_layers)
    scales = activation_scales(graph, sorted(_measured(model, layers)), examples)
    correct_biases(model, layers, scales, examples[:CORRECTION_SCENES])
    return insert_pairs(model, layers, scales)


def integer_layers(model: onnx.ModelProto, float_layers: int = 0) -> list[str]:
    """Names of the nodes that run in integers.

    All convolutions but those whose answer leaves the graph: heads regress metres and decide by
    thresholds, and cost little. Matrix products stay float32 too: they read points as they come.

    Args:
        model: The float32 graph.
        float_layers: Of the first convolutions, how many are left out.
    """
    outputs = {output.name for output in model.graph.output}
    weights = {item.name for item in model.graph.initializer}
    found = [node.name for node in model.graph.node if node.op_type == 'Conv'
             and node.input[1] in weights and not outputs & set(node.output)]
    return found[float_layers:]


def activation_scales(graph: bytes, tensors: Sequence[str], examples: Sequence[Arrays]
                      ) -> dict[str, float]:
    """Step of each tensor, so that its largest magnitude in all examples is 127 steps."""
    probe = Probe(graph, tensors)
    largest = dict.fromkeys(tensors, 0.)
    for example in examples:
        for name, value in probe(example).items():
            largest[name] = max(largest[name], float(np.abs(value).max()))
    return {name: (value or 1.) / LARGEST for name, value in largest.items()}


def correct_biases(model: onnx.ModelProto, layers: Sequence[str], scales: Scales,
                   examples: Sequence[Arrays]) -> None:
    """Moves biases in place, until the mean of every channel is that of the float32 graph.

    Channels with the same bias are copies of one field, turned, and get the same correction.
    """
    nodes = [node for node in model.graph.node if node.op_type == 'Conv' and len(node.input) == 3]
    wanted = Probe(model.SerializeToString(), [node.output[0] for node in nodes]).means(examples)
    biases = {item.name: item for item in model.graph.initializer}
    for node in nodes:
        quantized = insert_pairs(model, layers, scales)
        name = next(item.output[0] for item in onnx.load_model_from_string(quantized).graph.node
                    if item.name == node.name)
        shift = wanted[node.output[0]] - Probe(quantized, [name]).means(examples)[name]
        bias = numpy_helper.to_array(biases[node.input[2]])
        if node.name in layers:
            for value in np.unique(bias):
                shift[bias == value] = shift[bias == value].mean()
        biases[node.input[2]].CopyFrom(numpy_helper.from_array(
            (bias + shift).astype(np.float32), node.input[2]))


def insert_pairs(model: onnx.ModelProto, layers: Sequence[str], scales: Scales) -> bytes:
    """Puts Q and DQ around the layers.

    Before each input and, where a ReLU follows that only integer layers read, behind the output
    with the step of what the ReLU gives: then rounding twice is rounding once, and engines that
    fuse from DQ to Q find a whole integer layer.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {item.name: item for item in graph.initializer}
    nodes = list(graph.node)
    rounded: dict[str, str] = {}
    del graph.node[:]
    for node in nodes:
        if node.name not in layers:
            graph.node.append(node)
            continue
        source, relu = node.input[0], _fused_relu(nodes, node, layers)
        if source not in rounded:
            rounded[source] = f'{source}_int8'
            _append_pair(graph, source, rounded[source], scales[source])
        node.input[0] = rounded[source]
        node.input[1], steps = _append_weight(graph, weights[node.input[1]])
        if len(node.input) == 3:
            _round_bias(weights[node.input[2]], scales[source] * steps)
        if relu is None:
            graph.node.append(node)
        else:
            answer = node.output[0]
            node.output[0] = f'{answer}_float'
            graph.node.append(node)
            _append_pair(graph, node.output[0], answer, scales[relu])
    return bytes(result.SerializeToString())


def _measured(model: onnx.ModelProto, layers: Sequence[str]) -> set[str]:
    """Tensors whose ranges are needed."""
    nodes = list(model.graph.node)
    chosen = [node for node in nodes if node.name in layers]
    behind = {_fused_relu(nodes, node, layers) for node in chosen}
    return {node.input[0] for node in chosen} | {name for name in behind if name is not None}


def _fused_relu(nodes: Sequence[onnx.NodeProto], node: onnx.NodeProto, layers: Sequence[str]
                ) -> str | None:
    """What the ReLU behind a layer gives, if integer layers alone read it."""
    readers = _readers(nodes, node.output[0])
    if len(readers) != 1 or readers[0].op_type != 'Relu':
        return None
    answer: str = readers[0].output[0]
    following = _readers(nodes, answer)
    return answer if following and all(item.name in layers for item in following) else None


def _readers(nodes: Sequence[onnx.NodeProto], tensor: str) -> list[onnx.NodeProto]:
    # Inputs of layers that were treated already have another name.
    return [node for node in nodes if {tensor, f'{tensor}_int8'} & set(node.input)]


def _append_pair(graph: onnx.GraphProto, source: str, result: str, scale: float) -> None:
    step = _constant(graph, f'{result}_scale', np.float32(scale))
    zero = _constant(graph, f'{result}_zero_point', np.int8(0))
    graph.node.extend([
        onnx.helper.make_node('QuantizeLinear', [source, step, zero], [f'{result}_integer'],
                              name=f'{result}_quantize'),
        onnx.helper.make_node('DequantizeLinear', [f'{result}_integer', step, zero], [result],
                              name=f'{result}_dequantize')])


def _append_weight(graph: onnx.GraphProto, weight: onnx.TensorProto
                   ) -> tuple[str, NDArray[np.float32]]:
    """Keeps a kernel as integers with a scale per output channel, which is given back."""
    values, name = numpy_helper.to_array(weight), weight.name
    largest = np.abs(values).reshape(len(values), -1).max(1)
    scale = np.where(largest > 0, largest, 1.).astype(np.float32) / np.float32(LARGEST)
    steps = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1)))
    inputs = [_constant(graph, f'{name}_integer', steps.astype(np.int8)),
              _constant(graph, f'{name}_scale', scale),
              _constant(graph, f'{name}_zero_point', np.zeros(len(scale), np.int8))]
    graph.node.append(onnx.helper.make_node('DequantizeLinear', inputs, [f'{name}_int8'],
                                            name=f'{name}_dequantize', axis=0))
    graph.initializer.remove(weight)
    return f'{name}_int8', scale


def _round_bias(bias: onnx.TensorProto, step: NDArray[Any]) -> None:
    """Rounds to whole steps of the sum of products.

    ONNX Runtime does so by itself, others do not; so they agree to the last integer.
    """
    values = np.rint(numpy_helper.to_array(bias) / step) * step
    bias.CopyFrom(numpy_helper.from_array(values.astype(np.float32), bias.name))


def _constant(graph: onnx.GraphProto, name: str, value: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name
