"""The tables of scores, from `eq_eval.scores.full_scores`."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_ERRORS = {'translation': 'ATE [m]', 'scale': 'ASE', 'orientation': 'AOE [rad]',
           'velocity': 'AVE [m/s]'}
_DIFFICULTIES = ('easy', 'moderate', 'hard')


@dataclass(frozen=True)
class Cell:
    """A figure: its text, and a number in [0, 1] that shades it, or None."""

    text: str
    heat: str | None = None


@dataclass(frozen=True)
class Table:
    """A table with names on the left.

    Attributes:
        title: What it shows.
        columns: Headings, without the first.
        rows: Name, cells, and whether it is a sum.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], bool], ...]


def score_tables(scores: Mapping[str, Any]) -> list[Table]:
    """All tables for which there are figures."""
    tables = []
    if scores.get('AP_by_distance'):
        tables += [_by_distance(scores), _errors(scores)]
    by_range = _by_range(scores)
    if by_range.rows:
        tables.append(by_range)
    if scores.get('kitti'):
        tables.append(_kitti(scores['kitti']))
    return [table for table in tables if table.rows]


def share(value: float | None) -> Cell:
    """A figure in [0, 1], shaded by its value."""
    return Cell('–') if value is None else Cell(f'{value:.3f}', f'{value:.3f}')


def number(value: float | None, digits: int = 2) -> Cell:
    """A figure with so many digits behind the point."""
    return Cell('–' if value is None else f'{value:.{digits}f}')


def _by_distance(scores: Mapping[str, Any]) -> Table:
    table: Mapping[str, Mapping[str, float]] = scores['AP_by_distance']
    distances = list(next(iter(table.values())))
    rows = [(name, (*(share(row[key]) for key in distances), share(scores['AP'][name]),
                    Cell(str(scores['num_truths'][name]))), False)
            for name, row in table.items()]
    empty = [Cell('')] * len(distances)
    rows.append(('mAP', (*empty, share(scores['mAP']),
                         Cell(str(sum(scores['num_truths'].values())))), True))
    return Table('Average precision by matching distance',
                 (*(f'{float(key):g} m' for key in distances), 'mean', 'labels'), tuple(rows))


def _errors(scores: Mapping[str, Any]) -> Table:
    names = [name for name in _ERRORS if name in scores['errors']]
    lines = [*((name, row, False) for name, row in scores['class_errors'].items()),
             ('mean', scores['errors'], True)]
    return Table('Errors of the matches at 2 m', tuple(_ERRORS[name] for name in names),
                 tuple((name, tuple(number(row.get(key)) for key in names), is_sum)
                       for name, row, is_sum in lines))


def _by_range(scores: Mapping[str, Any]) -> Table:
    recalls: Mapping[str, Mapping[str, Any]] = scores.get('recall_by_range') or {}
    precisions: Mapping[str, Mapping[str, Any]] = scores.get('AP_by_range') or {}
    rows = []
    for name, ranges in recalls.items():
        for reach, row in ranges.items():
            if row['num_truths']:
                precision = precisions.get(name, {}).get(reach, {}).get('AP')
                rows.append((f'{name} {reach}', (
                    share(precision), share(row['recall']), number(row['center_error_m']),
                    number(row['axis_error_deg'], 1), Cell(str(row['num_truths']))), False))
    return Table('By range, with the errors of the centre [m] and the axis [°]',
                 ('AP', 'recall', 'centre', 'axis', 'labels'), tuple(rows))


def _kitti(kitti: Mapping[str, Any]) -> Table:
    rows = []
    for name, counts in kitti['num_truths'].items():
        if any(counts.values()):
            cells: Sequence[Cell] = [share(kitti[kind][name][level])
                                     for kind in ('AP_3D_R40', 'AP_BEV_R40')
                                     for level in _DIFFICULTIES]
            rows.append((name, tuple(cells), False))
    return Table('KITTI AP R40, by overlap in 3D and from above',
                 ('3D easy', 'mod.', 'hard', 'BEV easy', 'mod.', 'hard'), tuple(rows))
