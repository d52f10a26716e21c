"""The panoptic half of a replay: what the segmenter answered, scored and ready to be shown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.panoptic_evaluation import Scores
from eq_eval.replay.labelled_points import LabelledPoints
from eq_eval.replay.labelled_points import recorded_answers
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun
from eq_eval.replay.scan_source import pictured
from eq_eval.report.inputs import PanopticInputs
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.panoptic_scene import trails
from eq_perception.panoptic.classes import train_ids

FOLDER = 'panoptic'  # of the segmenter's results, in that of the replay
HEADLINE = ('LSTQ', 'S_cls', 'S_assoc', 'PQ', 'SQ', 'RQ', 'mIoU')


def panoptic_inputs(recording: Recording, run: ReplayRun, options: ReplayOptions, out: Path,
                    result: dict[str, Any], model: dict[str, str]) -> PanopticInputs:
    """Reads the recorded answers once more, scan by scan, scores them and chooses the pictures.

    Args:
        recording: What was played.
        run: What came of it.
        options: How it was played.
        out: Folder of the results.
        result: The figures of `summarize`; takes `objects_followed` and, where points have
            labels, `scores` and the most important of them.
        model: Facts of the model's manifest.
    """
    objects = [outcome.boxes for outcome in run.outcomes]
    chosen = pictured(len(run.outcomes), options.pictures)
    scores, scenes, labelled, unequal = Scores(), [], 0, 0
    for place, (scan, answer) in enumerate(_answers(recording, run, options, out)):
        fits = answer is None or scan is None or len(scan.points) == len(answer.points)
        if scan is not None and scan.semantic is not None:
            labelled, unequal = labelled + 1, unequal + (not fits)
            scores.add(scan, _labels(answer if fits else None, len(scan.points)))
        if place in chosen:
            scenes.append(_scene(run, place, scan if fits else None, answer, objects, options))
    ids = np.unique(np.concatenate([np.zeros(0, np.int64), *(
        boxes.track_id for boxes in objects if boxes is not None)]))
    result['objects_followed'] = int((ids >= 0).sum())
    table = scores.result() if labelled else None
    if table is not None:
        result |= {key: table[key] for key in HEADLINE} | {'scores': table}
    return PanopticInputs(
        result, objects, options.class_names,
        [outcome.round_trip_ms for outcome in run.outcomes if outcome.round_trip_ms is not None],
        scenes, table, _text(labelled, unequal, len(run.outcomes)) if labelled else '', model)


def _answers(recording: Recording, run: ReplayRun, options: ReplayOptions, out: Path,
             ) -> Iterator[tuple[LabeledScan | None, LabelledPoints | None]]:
    """Each scan as the recording has it, and its answer; None for scans not worth reading."""
    count = len(run.outcomes)
    scans: Iterator[LabeledScan | None] = iter([None] * count)
    if run.has_point_labels:
        scans = iter(islice(recording.scans(), count))
    return zip(scans, recorded_answers(out / 'outputs', f'/{options.node.name}/output/pointcloud',
                                       run.outcomes), strict=True)


def _labels(answer: LabelledPoints | None, count: int) -> tuple[Any, Any]:
    """Classes and objects for the metrics; without an answer nothing was found."""
    if answer is None:
        return np.zeros(count, np.uint8), np.zeros(count, np.uint32)
    return answer.semantic, answer.instance


def _scene(run: ReplayRun, place: int, scan: LabeledScan | None, answer: LabelledPoints | None,
           objects: list[Boxes3D | None], options: ReplayOptions) -> PanopticScene:
    outcome, boxes = run.outcomes[place], objects[place]
    kept = run.scans[place]
    truth = scan if scan is not None else kept
    poses = [each.pose for each in run.scans]
    return PanopticScene(
        f'scan {outcome.index}', answer.points if answer else kept.points,
        answer.semantic if answer else None, answer.instance if answer else None,
        boxes if boxes is not None else Boxes3D.empty(), options.class_names,
        trails(objects, poses, place),
        None if truth.semantic is None else train_ids(truth.semantic), outcome.status)


def _text(labelled: int, unequal: int, played: int) -> str:
    text = (f'{labelled} of {played} scans have labelled points. LSTQ after Aygün et al. (CVPR '
            '2021), PQ after Kirillov et al. (CVPR 2019), over the classes that occur; points '
            'of scans without an answer count as not found.')
    if unequal:
        text += (f' {unequal} answers have another number of points than their labels and count '
                 'as none.')
    return text
