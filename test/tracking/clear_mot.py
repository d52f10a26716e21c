"""Id switches, MOTA and IDF1 of tracks, counted by py-motmetrics."""

from __future__ import annotations

import motmetrics
import numpy as np
import pandas as pd

from eq_core.geometry.boxes3d import Boxes3D

REACH = 2.  # [m]
FIGURES = ['num_switches', 'num_misses', 'num_false_positives', 'num_objects', 'mota', 'idf1']


def judge(truths: list[Boxes3D], ignored: list[Boxes3D], answers: list[Boxes3D]) -> pd.Series:
    """Judges one sequence by centre distance up to 2 m, whatever the class.

    Answers that fit no truth but an ignored one count for nothing.
    """
    book = motmetrics.MOTAccumulator(auto_id=True)
    for truth, other, answer in zip(truths, ignored, answers, strict=True):
        counts = ((_distance(truth, answer) <= REACH).any(0)
                  | ~(_distance(other, answer) <= REACH).any(0))
        answer = answer.select(counts)
        distance = _distance(truth, answer)
        distance[distance > REACH] = np.nan
        book.update(truth.track_id, answer.track_id, distance)
    return motmetrics.metrics.create().compute(book, metrics=FIGURES).iloc[0]


def _distance(first: Boxes3D, second: Boxes3D) -> np.ndarray:
    return np.linalg.norm(first.center[:, None, :2] - second.center[:, :2], axis=-1)
