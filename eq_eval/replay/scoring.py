"""Scores what the live node answered, exactly as `eq eval detector` scores the model offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.recording import Recording
from eq_eval.metrics.judged import judge
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun
from eq_eval.scores import full_scores


@dataclass(frozen=True)
class Scores:
    """Figures and what they are figures of."""

    table: dict[str, Any]
    text: str


def score(recording: Recording, run: ReplayRun, options: ReplayOptions) -> Scores | None:
    """Scores a replay; scans without an answer count as if nothing had been found.

    Returns:
        The scores, None where the recording has no labels or boxes could not be recorded.
    """
    if not run.records_objects:
        return None
    judged = [judge(outcome.boxes or Boxes3D.empty(), scan, options.class_names)
              for outcome, scan in zip(run.outcomes, run.scans, strict=True)
              if scan.boxes is not None]
    if not judged:
        return None
    # Detection3DArray has no place for a velocity, so none is scored.
    table = full_scores(judged, options.class_names, False, recording.complete)
    table['num_scans_played'] = len(run.outcomes)
    text = (f'{len(judged)} of {len(run.outcomes)} scans have labels. Matched as in nuScenes, by '
            'the distance of the centres on the ground; labels without a LiDAR point are left '
            'out.')
    if not recording.complete:
        text += ' Not every object has a label, so there is recall only.'
    return Scores(table, text)
