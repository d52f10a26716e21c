"""The tables of panoptic scores, from `eq_eval.panoptic_evaluation.Scores`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eq_eval.report.score_tables import number
from eq_eval.report.score_tables import share
from eq_eval.report.score_tables import Table

_WHAT = {
    'LSTQ': 'root of S_cls times S_assoc', 'S_cls': 'mean IoU of the points (mIoU)',
    'S_assoc': 'points that keep the right object over time', 'PQ': 'SQ times RQ, mean of classes',
    'SQ': 'IoU of the segments that match', 'RQ': 'F1 of the segments'}


def panoptic_tables(scores: Mapping[str, Any]) -> list[Table]:
    """The figures in all, and class by class."""
    counts = (('labelled scans', scores['num_scans']), ('labelled objects', scores['num_objects']))
    whole = [*((f'{name}, {text}', (share(scores[name]),), name == 'LSTQ')
               for name, text in _WHAT.items()),
             *((name, (number(count, 0),), False) for name, count in counts)]
    judged = set(scores['classes'])
    classes = [(name, (share(scores['class_PQ'].get(name)), share(iou)), False)
               for name, iou in scores['class_IoU'].items() if name in judged]
    classes.append((f'mean of {len(classes)}', (share(scores['PQ']), share(scores['mIoU'])), True))
    return [Table('Segmentation and tracking', ('',), tuple(whole)),
            Table('By class', ('PQ', 'IoU'), tuple(classes))]
