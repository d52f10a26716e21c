"""From a replay to its report."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import platform
from typing import Any

from eq_core.errors import BundleError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.manifest import Manifest
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun
from eq_eval.report.inputs import PanopticInputs
from eq_eval.report.inputs import ReportInputs
from eq_eval.report.inputs import RotationCurve
from eq_eval.report.scene import Scene
from eq_eval.results import commit
from eq_eval.results import machine
from eq_eval.results import without_machine_paths

_DAMAGES_SHOWN = 3


def report_inputs(recording: Recording, run: ReplayRun, options: ReplayOptions,
                  result: Mapping[str, Any], command: str, damages: Sequence[str] = (),
                  scores_text: str = '', rotation: RotationCurve | None = None,
                  panoptic: PanopticInputs | None = None,
                  planning: Mapping[str, Any] | None = None,
                  pick_place: Mapping[str, Any] | None = None) -> ReportInputs:
    """Gathers what the report of a replay shows.

    Args:
        recording: What was played.
        run: What came of it.
        options: How it was played.
        result: The figures, with `scores` where there are labels.
        command: The command line that repeats it.
        damages: What is wrong with the recording.
        scores_text: What was scored, and how.
        rotation: The rotation curve, if there is one.
        panoptic: What the segmenter made of it, if it was played through that too.
        planning: What the planner made of a recording of maps, if one was played.
        pick_place: What a policy did on a simulated table, if it was let.
    """
    return ReportInputs(
        title=recording.name, lead=_lead(recording, run, options, panoptic is not None),
        command=command,
        result=result,
        round_trips=[outcome.round_trip_ms for outcome in run.outcomes
                     if outcome.round_trip_ms is not None],
        scenes=_scenes(run), scores=result.get('scores'), scores_text=scores_text,
        rotation=rotation, model=model_facts(options), versions=_versions(run),
        notes=_notes(recording, run, result, damages, panoptic), panoptic=panoptic,
        planning=planning, pick_place=pick_place)


def manifest_of(options: ReplayOptions) -> Manifest | None:
    """Manifest of the model that was played, None where the node brings its own."""
    folder = options.model or options.node.shipped_model()
    try:
        return Bundle.load(folder).manifest if folder is not None else None
    except BundleError:
        return None


def _lead(recording: Recording, run: ReplayRun, options: ReplayOptions, both: bool) -> str:
    pace = (f'at {options.rate:g} times the recorded speed' if options.rate
            else 'one scan after the other')
    nodes = (f'the life-cycle nodes {DETECTOR.name} and then {SEGMENTER.name}, each' if both
             else f'the life-cycle node {options.node.name}')
    return (f'{len(run.outcomes)} scans ({_KINDS.get(recording.kind, recording.kind)}) played '
            f'{pace} through a live ROS 2 graph: a real publisher, real DDS, {nodes} in a process '
            'of its own, and a recorder.')


_KINDS = {'rosbag2': 'a rosbag2 recording', 'rosbag1': 'a ROS 1 recording', 'pcd': 'PCD files',
          'kitti_tracking': 'KITTI tracking', 'kitti_object': 'KITTI object',
          'semantic_kitti': 'SemanticKITTI', 'simulation': 'simulated', 'npz': 'bare scans'}


def _scenes(run: ReplayRun) -> list[Scene]:
    return [Scene(f'scan {outcome.index}', scan.points, outcome.boxes, _visible(scan),
                  tuple(scan.class_names), outcome.status, scan.field_of_view)
            for outcome, scan in zip(run.outcomes, run.scans, strict=True) if len(scan.points)]


def _visible(scan: LabeledScan) -> Boxes3D | None:
    """Labels of objects that the sensor has hit; the others are neither shown nor scored."""
    if scan.boxes is None or scan.num_points is None:
        return scan.boxes
    return scan.boxes.select(scan.num_points > 0)


def _notes(recording: Recording, run: ReplayRun, result: Mapping[str, Any],
           damages: Sequence[str], panoptic: PanopticInputs | None) -> list[str]:
    notes = []
    if result['lost_in_bag']:
        texts = [without_machine_paths(text) for text in (*damages, *run.lost)]
        more = len(texts) - _DAMAGES_SHOWN
        notes.append(f"The recording is damaged: {result['lost_in_bag']} of "
                     f"{result['scans_in_bag']} scans are lost. "
                     + '; '.join(texts[:_DAMAGES_SHOWN]) + (f'; {more} more' if more > 0 else ''))
    if not run.records_objects:
        notes.append('vision_msgs is not installed, so the boxes themselves could not be '
                     'recorded; `eq doctor` tells how to get it.')
    if not result['accounted']:
        notes.append('The balance does not hold: look into node.log.')
    if panoptic is not None and not panoptic.result['accounted']:
        notes.append('The balance of the segmenter does not hold: look into panoptic/node.log.')
    if panoptic is not None and not panoptic.result['odometry']:
        notes.append('The recording does not tell where the sensor was, so the segmenter looked '
                     'at each scan alone and followed objects in the frame of the sensor.')
    if recording.has_boxes and not recording.complete:
        notes.append('Not every object of this recording has a label: precision means little.')
    return notes


def model_facts(options: ReplayOptions) -> dict[str, str]:
    """What the manifest of the model says, in order; nothing where there is none."""
    manifest = manifest_of(options)
    if manifest is None:
        return {}
    tolerance = manifest.tolerance['fp32']
    facts = {
        'name': manifest.name, 'task': manifest.task, 'classes': ', '.join(manifest.classes),
        'group': f'{manifest.group.name} (order {manifest.group.order})',
        'accepted error': f'{tolerance.equivariance:g} under the group, '
                          f'{tolerance.golden:g} on the golden example',
        'licence': manifest.license, 'opset': str(manifest.opset),
        'sha256': f"model.onnx {manifest.sha256['model.onnx'][:16]}…",
    }
    for key, value in manifest.training.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            facts[f'training: {key}'] = without_machine_paths(str(value))
    return facts


def _versions(run: ReplayRun) -> dict[str, str]:
    host = machine()
    facts = {'commit': (commit() or 'not a checkout')[:12],
             'backend': run.node_facts.get('backend', ''),
             'Python': platform.python_version(), **host['libraries'],
             'machine': f"{host['cpu']}, {host['cores']} cores, {host['memory_gb']} GB",
             'system': host['system']}
    return {name: str(value) for name, value in facts.items() if value}
