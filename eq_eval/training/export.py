"""From a trained network to a model bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from eq_core.runtime.acceptance import QUARTER_TURNS
from eq_core.runtime.acceptance import relative_error
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.bundle import write_bundle
from eq_core.runtime.representations import representation_from_dict
from eq_manipulation.planar.config import CROP
from eq_manipulation.planar.config import SCENE
from eq_manipulation.planar.correlation import lift
from eq_manipulation.planar.model import PlanarNetworks
from eq_manipulation.spatial.config import CROP as SPATIAL_CROP
from eq_manipulation.spatial.config import SCENE as SPATIAL_SCENE
from eq_manipulation.spatial.config import TURNS_AT_ONCE
from eq_manipulation.spatial.correlation import turned_pictures
from eq_manipulation.spatial.model import SpatialNetworks
from eq_navigation.config import PlannerConfig
from eq_navigation.model import EdgeCost
from eq_perception.detection.detector import TASK as DETECTION
from eq_perception.detection.heading import HeadingConfig
from eq_perception.detection.heading import POINT_FEATURES
from eq_perception.detection.heading import POINT_VECTORS
from eq_perception.detection.heading import STATE_VECTORS
from eq_perception.detection.heading import TASK as HEADING
from eq_perception.detection.heading_model import HeadingNetwork
from eq_perception.detection.model import BevDetector
from eq_perception.detection.model import HEADS
from eq_perception.detection.preprocess import pillarize
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.model import BevSegmenter
from eq_perception.panoptic.model import PANOPTIC_HEADS
from eq_perception.panoptic.preprocess import padded
from eq_perception.panoptic.preprocess import pillar_cells
from eq_perception.panoptic.preprocess import point_rows

OPSET = 20
PLANNER_BLOCK = (1024, 8)   # nodes and neighbours of a block of edges
LICENSE = 'Apache-2.0'
TOLERANCE = {'fp32': {'golden': 1e-4, 'equivariance': 1e-4}}
OUTPUT_LAW: dict[str, Mapping[str, Any]] = {
    'trivial': {'kind': 'invariant_field'},
    'frequency_1': {'kind': 'vector_field', 'frequency': 1},
    'frequency_2': {'kind': 'vector_field', 'frequency': 2}}
INVARIANT = {'kind': 'invariant'}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Signature:
    """What goes into a network and what comes out, with an example.

    Attributes:
        inputs: Example by name, in the order of the network's arguments.
        law: How each input and output turns, as a manifest writes it.
    """

    inputs: Arrays
    law: Mapping[str, Mapping[str, Any]]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(name for name in self.law if name not in self.inputs)


def detector_signature(model: BevDetector, scan: Points) -> Signature:
    """Tells what the detector takes of a scan."""
    pillars, size = pillarize(scan, model.config), model.config.grid_size
    return Signature(
        {'pillar_points': pillars.points, 'pillar_index': pillars.index},
        {'pillar_points': {'kind': 'pillar_points', 'vector_columns': [[4, 5], [6, 7]]},
         'pillar_index': {'kind': 'pillar_index', 'height': size, 'width': size},
         **{name: OUTPUT_LAW[representation] for name, (representation, _) in HEADS.items()}})


def segmenter_signature(model: BevSegmenter, scan: Points) -> Signature:
    """Tells what the segmenter takes of a scan."""
    config = model.config
    detector = detector_signature(model.bev, scan)
    pillars = pillarize(scan, config.detector)
    rows = point_rows(scan, pillars, config)
    features, row = padded(rows, config)
    return Signature(
        {**detector.inputs, 'pillar_cells': pillar_cells(pillars, config.detector),
         'pillar_columns': rows.columns, 'point_features': features, 'point_row': row},
        {**detector.law, 'pillar_cells': {'kind': 'cell_index', 'edge': config.detector.head_size},
         'pillar_columns': INVARIANT, 'point_features': INVARIANT, 'point_row': INVARIANT,
         **{name: OUTPUT_LAW[representation] for name, representation in PANOPTIC_HEADS.items()},
         'semantics': INVARIANT})


def export_detector(model: BevDetector, path: Path, golden_scan: Points, name: str,
                    training: Mapping[str, Any], card: str, terms: str = LICENSE,
                    task: str = DETECTION) -> Bundle:
    """Writes the bundle of a trained detector.

    Args:
        model: The network, in eval mode, float32.
        path: Directory of the bundle.
        golden_scan: A scan whose right answer travels with the model.
        name: Name of the model.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
        terms: SPDX identifier of the weights; the licence of a recording may bind them, too.
        task: What it does; a network whose heads have learnt nothing does not detect.
    """
    header = {'name': name, 'task': task, 'config': model.config.to_dict(),
              'classes': list(model.config.class_names), 'training': dict(training),
              'license': terms}
    return _export(model, detector_signature(model, golden_scan), model.config.group, path,
                   header, card)


def export_changed(model: BevDetector, bundle: Bundle, training: Mapping[str, Any], card: str
                   ) -> Bundle:
    """Writes the bundle of a detector anew, with other weights and the right answer of those.

    Graphs of lower precision, which are of the weights before, are dropped.

    Args:
        model: The network with its new weights, in eval mode, float32.
        bundle: What is replaced; its name, example and terms stay.
        training: What the manifest tells of the new weights.
        card: Text of the model card.
    """
    manifest, fields = bundle.manifest, bundle.fields()
    header = {'name': manifest.name, 'task': manifest.task, 'config': model.config.to_dict(),
              'classes': list(model.config.class_names), 'training': dict(training),
              'license': manifest.license}
    return _export(model, Signature(bundle.golden()[0], fields['representations']),
                   model.config.group, bundle.path, header, card)


def export_segmenter(model: BevSegmenter, path: Path, golden_scan: Points, name: str,
                     training: Mapping[str, Any], card: str, terms: str = LICENSE) -> Bundle:
    """Writes the bundle of a trained segmenter.

    Args:
        model: The network, in eval mode, float32.
        path: Directory of the bundle.
        golden_scan: A scan whose right answer travels with the model.
        name: Name of the model.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
        terms: SPDX identifier of the weights; the licence of a recording may bind them, too.
    """
    header = {'name': name, 'task': 'panoptic_segmentation', 'config': model.config.to_dict(),
              'classes': list(CLASS_NAMES), 'training': dict(training), 'license': terms}
    return _export(model, segmenter_signature(model, golden_scan), model.config.detector.group,
                   path, header, card)


def heading_signature(config: HeadingConfig, seed: int = 0) -> Signature:
    """Tells what the second look takes: points and states of objects, here random ones."""
    rng = np.random.default_rng(seed)
    points, state = (rng.standard_normal(shape).astype(np.float32) for shape in (
        (config.objects, config.points, POINT_FEATURES), (config.objects, config.state_features)))
    vectors = {name: {'kind': 'pillar_points', 'vector_columns': [list(pair) for pair in pairs]}
               for name, pairs in (('object_points', POINT_VECTORS),
                                   ('object_state', STATE_VECTORS), ('direction', ((0, 1),)))}
    return Signature({'object_points': points, 'object_state': state}, vectors)


def export_heading(model: HeadingNetwork, path: Path, name: str, training: Mapping[str, Any],
                   card: str) -> Bundle:
    """Writes the bundle of the second look that tells directions.

    Args:
        model: The network, in eval mode, float32.
        path: Directory of the bundle.
        name: Name of the model.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
    """
    header = {'name': name, 'task': HEADING, 'config': model.config.to_dict(),
              'classes': list(model.config.class_names), 'training': dict(training),
              'license': LICENSE}
    return _export(model, heading_signature(model.config), 'C2', path, header, card)


def planner_signature(config: PlannerConfig, seed: int = 0) -> Signature:
    """Tells what the network of edge costs takes: a block of edges, here random ones."""
    rng = np.random.default_rng(seed)
    own, other = rng.random((2, *PLANNER_BLOCK, config.features), np.float32)
    offset = rng.standard_normal((*PLANNER_BLOCK, 2)).astype(np.float32)
    return Signature({'own': own, 'other': other, 'offset': offset},
                     {'own': INVARIANT, 'other': INVARIANT, 'cost': INVARIANT,
                      'offset': {'kind': 'pillar_points', 'vector_columns': [[0, 1]]}})


def export_planner(model: EdgeCost, config: PlannerConfig, path: Path, name: str,
                   training: Mapping[str, Any], card: str) -> Bundle:
    """Writes the bundle of a trained network of edge costs.

    Args:
        model: The network, in eval mode, float32.
        config: What it was built with.
        path: Directory of the bundle.
        name: Name of the model.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
    """
    header = {'name': name, 'task': 'graph_planning', 'config': config.to_dict(),
              'classes': [], 'training': dict(training), 'license': LICENSE}
    return _export(model, planner_signature(config), 'D4', path, header, card)


def scene_signature(picture: NDArray[np.float32]) -> Signature:
    """Tells what the scene network of a planar policy takes: (5, size, size)."""
    field = OUTPUT_LAW['trivial']
    return Signature({'picture': picture[None]},
                     {'picture': field, 'pick': field, 'place_features': field})


def crop_signature(model: PlanarNetworks, crop: NDArray[np.float32]) -> Signature:
    """Tells what the crop network of a planar policy takes: (5, crop, crop)."""
    field, count = OUTPUT_LAW['trivial'], model.config.rotations
    crops = lift(crop, count) if model.config.turn_before else crop[None]
    return Signature({'crop': crops}, {'crop': field, 'crop_features': field})


def export_policy(model: PlanarNetworks, path: Path, picture: NDArray[np.float32],
                  crop: NDArray[np.float32], name: str, training: Mapping[str, Any], card: str
                  ) -> tuple[Bundle, Bundle]:
    """Writes the two bundles of a planar policy, ``scene`` and ``crop``.

    Args:
        model: The networks, in eval mode, float32.
        path: Directory of both.
        picture: (5, size, size) scene whose right answer travels with the model.
        crop: (5, crop, crop) part of it.
        name: Name of the policy.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
    """
    header = {'config': model.config.to_dict(), 'classes': [], 'training': dict(training),
              'license': LICENSE}
    parts = (('scene', SCENE, model.scene, scene_signature(picture)),
             ('crop', CROP, model.crop, crop_signature(model, crop)))
    scene, cut = (_export(network, signature, model.config.group, path / part,
                          {**header, 'name': f'{name}_{part}', 'task': task}, card)
                  for part, task, network, signature in parts)
    return scene, cut


def export_spatial(model: SpatialNetworks, path: Path, picture: NDArray[np.float32],
                   crop: NDArray[np.float32], name: str, training: Mapping[str, Any], card: str
                   ) -> tuple[Bundle, Bundle]:
    """Writes the two bundles of a spatial policy, ``scene`` and ``crop``.

    Their manifests name C4, the turns about z of the 24 that they obey; those of the plain twin
    obey none.

    Args:
        model: The networks, in eval mode, float32.
        path: Directory of both.
        picture: (4, size, size, size) scene whose right answer travels with the model.
        crop: (4, crop, crop, crop) part of it.
        name: Name of the policy.
        training: Command, seed, data, time, commit.
        card: Text of the model card.
    """
    header = {'config': model.config.to_dict(), 'classes': [], 'training': dict(training),
              'license': LICENSE}
    field = OUTPUT_LAW['trivial']
    config = model.config
    turns, compared = ({'kind': 'steerable_field', 'counts': list(counts)}
                       for counts in (model.scene.pick.fields_out.counts, config.features))
    crops = (turned_pictures(crop, config.lifting, config.degree)[:TURNS_AT_ONCE]
             if config.turn_before else crop[None])
    looks = Signature({'picture': picture[None]},
                      {'picture': field, 'pick': turns, 'place_features': compared})
    cuts = Signature({'crop': crops}, {'crop': field, 'crop_features': compared})
    parts = (('scene', SPATIAL_SCENE, model.scene, looks),
             ('crop', SPATIAL_CROP, model.crop, cuts))
    group = 'C4' if config.steerable else 'C1'
    scene, cut = (_export(network, signature, group, path / part,
                          {**header, 'name': f'{name}_{part}', 'task': task}, card)
                  for part, task, network, signature in parts)
    return scene, cut


def _export(model: nn.Module, signature: Signature, group_name: str, path: Path,
            header: Mapping[str, Any], card: str) -> Bundle:
    group = PlanarGroup.from_name(group_name)
    return write_bundle(
        path, onnx_graph(model, signature),
        {name: value.numpy() for name, value in model.state_dict().items()}, signature.inputs,
        _run(model.eval(), signature, signature.inputs),
        {**header, 'group': {'name': str(group), 'order': group.order}, 'tolerance': TOLERANCE,
         'opset': OPSET, 'representations': dict(signature.law)}, card)


class _Ordered(nn.Module):
    """Returns the answer as a tuple: ONNX outputs have an order."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer = self.model(*inputs)
        return tuple(answer[name] for name in self.names)


def onnx_graph(model: nn.Module, signature: Signature) -> bytes:
    """Exports the network as plain layers with static shapes."""
    buffer = io.BytesIO()
    program = torch.onnx.export(
        _Ordered(export_plain(model), signature.outputs).eval(),
        tuple(torch.from_numpy(value) for value in signature.inputs.values()), dynamo=True,
        opset_version=OPSET, input_names=list(signature.inputs),
        output_names=list(signature.outputs), verbose=False)
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


def equivariance_error(model: nn.Module, signature: Signature, group_name: str) -> float:
    """Largest error of the law of a network over its group, relative per output.

    Measured in the network's own layers on its input tensors, as the acceptance test of a bundle
    does on the exported graph.
    """
    group = PlanarGroup.from_name(group_name)
    law = {name: representation_from_dict(form) for name, form in signature.law.items()}
    upright, worst = _run(model.eval(), signature, signature.inputs), 0.
    for turns, _ in QUARTER_TURNS:
        if turns * group.rotations % 4:
            continue
        turned = _run(model, signature, {name: law[name].rotate(value, turns)
                                         for name, value in signature.inputs.items()})
        worst = max(worst, *(relative_error(turned[name], law[name].rotate(upright[name], turns))
                             for name in signature.outputs))
    return worst


@torch.no_grad()
def _run(model: nn.Module, signature: Signature, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    answer = model(*(torch.from_numpy(np.ascontiguousarray(inputs[name]))
                     for name in signature.inputs))
    return {name: answer[name].numpy() for name in signature.outputs}
