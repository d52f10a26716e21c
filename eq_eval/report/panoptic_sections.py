"""The panoptic and the tracks section, as the templates take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from eq_eval.report.class_colours import NO_OBJECT
from eq_eval.report.class_colours import point_class_colour
from eq_eval.report.class_colours import POINT_CLASSES
from eq_eval.report.inputs import PanopticInputs
from eq_eval.report.panoptic_bev import class_plan
from eq_eval.report.panoptic_bev import object_plan
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.panoptic_tables import panoptic_tables
from eq_eval.report.range_view import class_range_view
from eq_eval.report.range_view import object_range_view
from eq_eval.report.timeline import Timeline
from eq_eval.report.timeline import timeline
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import UNLABELED


def panoptic_page(inputs: PanopticInputs) -> dict[str, Any]:
    """Pictures, legend, time-line and tables."""
    line = timeline(inputs.objects, inputs.class_names) if inputs.objects else None
    return {
        'scenes': [_pictures(scene) for scene in inputs.scenes],
        # The last answer has the longest trails.
        'first': max((place for place, scene in enumerate(inputs.scenes, start=1)
                      if scene.semantic is not None), default=1),
        'legend': _legend(inputs),
        'has_truth': any(scene.truth is not None for scene in inputs.scenes),
        'timeline': line, 'timeline_text': _life(line) if line else '',
        'timeline_legend': [{'name': name, 'colour': point_class_colour(name)}
                            for name in line.classes] if line else [],
        'no_object': '#{:02x}{:02x}{:02x}'.format(*NO_OBJECT[-1]),
        'score_tables': panoptic_tables(inputs.scores) if inputs.scores else [],
        'scores_text': inputs.scores_text,
    }


def _pictures(scene: PanopticScene) -> dict[str, Any]:
    found = scene.semantic if scene.semantic is not None else np.zeros(len(scene.points), int)
    answered = scene.semantic is not None
    caption = (f'{len(scene.objects)} objects' if answered else scene.status.rpartition(':')[2])
    return {
        'title': scene.title, 'number': scene.title.rsplit(' ', 1)[-1], 'caption': caption,
        'classes': class_plan(scene, found), 'classes_around': class_range_view(scene, found),
        'objects': object_plan(scene), 'objects_around': object_range_view(scene),
        'truth': class_plan(scene, scene.truth) if scene.truth is not None else None,
        'truth_around': class_range_view(scene, scene.truth) if scene.truth is not None else None,
    }


def _legend(inputs: PanopticInputs) -> list[dict[str, str]]:
    """Every class that was found or is there in the pictures, with its share of the points."""
    counts = np.zeros(len(CLASS_NAMES), np.int64)
    there = np.zeros(len(CLASS_NAMES), bool)
    for scene in inputs.scenes:
        if scene.semantic is not None:
            counts += np.bincount(scene.semantic, minlength=len(CLASS_NAMES))
        if scene.truth is not None:
            there[np.unique(scene.truth[scene.truth != UNLABELED])] = True
    total = max(int(counts.sum()), 1)
    return [{'name': name, 'colour': POINT_CLASSES[name], 'share': _percent(count / total)}
            for name, count, known in zip(CLASS_NAMES, counts.tolist(), there.tolist(),
                                          strict=True) if count or known]


def _percent(share: float) -> str:
    if 0 < share < .001:
        return '< 0.1 %'
    return f'{100 * share:.1f} %'


def _life(line: Timeline) -> str:
    hidden = line.num_objects - len(line.rows)
    gaps = {0: 'No object came back after a gap.',
            1: 'Once an object came back under its id after a gap.'}
    return (f'{line.num_objects} objects, one row each'
            + (f' (the {hidden} that were there most shortly are left out)' if hidden else '')
            + f'; half of them were there for {line.median_life:g} scans or more. '
            + gaps.get(line.num_gaps,
                       f'{line.num_gaps} times an object came back under its id after a gap.'))
