"""From a trained network to a model bundle."""

from __future__ import annotations

from collections.abc import Mapping
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
import torch
from torch import nn

from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.nn.export import export_plain
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.bundle import write_bundle
from eq_perception.detection.model import BevDetector
from eq_perception.detection.model import HEADS
from eq_perception.detection.preprocess import pillarize

OPSET = 20
TOLERANCE = {'fp32': {'golden': 1e-4, 'equivariance': 1e-4}}
INPUTS = ('pillar_points', 'pillar_index')
OUTPUT_LAW = {'trivial': {'kind': 'invariant_field'},
              'frequency_1': {'kind': 'vector_field', 'frequency': 1},
              'frequency_2': {'kind': 'vector_field', 'frequency': 2}}


class _Ordered(nn.Module):
    """Returns the fields as a tuple in the order of `HEADS`: ONNX outputs have an order."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pillar_points: torch.Tensor, pillar_index: torch.Tensor
                ) -> tuple[torch.Tensor, ...]:
        fields = self.model(pillar_points, pillar_index)
        return tuple(fields[name] for name in HEADS)


def export_detector(model: BevDetector, path: Path, golden_scan: Points, name: str,
                    training: Mapping[str, Any], card: str) -> Bundle:
    """Writes the bundle of a trained detector.

    Args:
        model: The network, in eval mode, float32.
        path: Directory of the bundle.
        golden_scan: A scan whose right answer travels with the model.
        name: Name of the model.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
    """
    pillars = pillarize(golden_scan, model.config)
    inputs: dict[str, NDArray[Any]] = {'pillar_points': pillars.points,
                                       'pillar_index': pillars.index}
    arguments = tuple(torch.from_numpy(inputs[key]) for key in INPUTS)
    with torch.no_grad():
        fields = model.eval()(*arguments)
    outputs = {key: fields[key].numpy() for key in HEADS}
    size = model.config.grid_size
    group = PlanarGroup.from_name(model.config.group)
    law = {'pillar_points': {'kind': 'pillar_points', 'vector_columns': [[4, 5], [6, 7]]},
           'pillar_index': {'kind': 'pillar_index', 'height': size, 'width': size},
           **{key: OUTPUT_LAW[representation] for key, (representation, _) in HEADS.items()}}
    return write_bundle(
        path, onnx_graph(model, arguments),
        {key: value.numpy() for key, value in model.state_dict().items()}, inputs, outputs,
        {'name': name, 'task': 'lidar_detection',
         'group': {'name': str(group), 'order': group.order}, 'tolerance': TOLERANCE,
         'config': model.config.to_dict(), 'classes': list(model.config.class_names),
         'opset': OPSET, 'license': 'Apache-2.0', 'training': dict(training),
         'representations': law}, card)


def onnx_graph(model: BevDetector, arguments: tuple[torch.Tensor, ...]) -> bytes:
    """Exports the network as plain layers with static shapes."""
    buffer = io.BytesIO()
    program = torch.onnx.export(
        _Ordered(export_plain(model)).eval(), arguments, dynamo=True, opset_version=OPSET,
        input_names=list(INPUTS), output_names=list(HEADS), verbose=False)
    if program is None:
        raise RuntimeError('the exporter gave no program')
    program.save(buffer)
    return without_traces(buffer.getvalue())


def without_traces(graph: bytes) -> bytes:
    """Drops what the exporter notes of the source: stack traces with paths of this machine."""
    proto = onnx.load_model_from_string(graph)
    del proto.metadata_props[:]
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.input,
                 *proto.graph.output, *proto.graph.initializer):
        part.ClearField('doc_string')
        part.ClearField('metadata_props')
    return bytes(proto.SerializeToString())


def equivariance_error(model: BevDetector, scan: Points) -> float:
    """Largest error of the law of the trained network over its group, relative per field.

    Measured in float32 on the network's input tensors, as the acceptance test of a bundle does.
    """
    from eq_core.runtime.representations import PillarIndex
    from eq_core.runtime.representations import PillarPoints
    from eq_core.runtime.representations import representation_from_dict

    pillars, size = pillarize(scan, model.config), model.config.grid_size
    points_law, index_law = PillarPoints(((4, 5), (6, 7))), PillarIndex(size, size)
    group = PlanarGroup.from_name(model.config.group)

    def run(points: NDArray[Any], index: NDArray[Any]) -> dict[str, NDArray[Any]]:
        with torch.no_grad():
            fields = model.eval()(torch.from_numpy(np.ascontiguousarray(points)),
                                  torch.from_numpy(np.ascontiguousarray(index)))
        return {key: value.numpy() for key, value in fields.items()}

    upright, worst = run(pillars.points, pillars.index), 0.
    for turns in (turns for turns in (1, 2, 3) if turns * group.rotations % 4 == 0):
        turned = run(points_law.rotate(pillars.points, turns),
                     index_law.rotate(pillars.index, turns))
        for key, (representation, _) in HEADS.items():
            expected = representation_from_dict(OUTPUT_LAW[representation]).rotate(
                upright[key], turns)
            scale = np.abs(expected).max()
            worst = max(worst, float(np.abs(turned[key] - expected).max() / scale))
    return worst
