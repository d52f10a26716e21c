"""Rotation curves for the report: those that were stored, or a short one measured on the spot."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import datetime
import json
from pathlib import Path
import time
from typing import Any

from eq_core.errors import EqError
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.evaluation import evaluate_detector
from eq_eval.evaluation import Protocols
from eq_eval.replay.nodes import DETECTOR
from eq_eval.report.inputs import RotationCurve
from eq_eval.results import ROOT
from eq_perception.detection.detector import Detector

RESULTS = ROOT / 'bench' / 'results'
_MIN_ANGLES = 8
_SERIES = 4  # more lines than that nobody can tell apart
_SCANS, _STEP = 4, 15.
_PATIENCE = 15.  # [s]


def stored_rotation(folder: Path = RESULTS) -> RotationCurve | None:
    """The stored curves: against the plain twin if that was measured, else of our models.

    Returns:
        Ours first, then the others by name; None where there is none of ours.
    """
    twins = _twins(folder / 'sample_efficiency.json')
    if twins is not None:
        return twins
    records = [record for file in sorted(folder.glob('*.json')) if (record := _read(file))]
    records.sort(key=lambda record: record['result'].get('group') in ('C1', None))
    if not records or records[0]['result'].get('group') in ('C1', None):
        return None
    angles = _angles(records[0]['result']['rotation_curve'])
    chosen = [record for record in records
              if _angles(record['result']['rotation_curve']) == angles][:_SERIES]
    first = records[0]
    date = datetime.fromisoformat(first['date']).strftime('%d %B %Y')
    return RotationCurve(
        (*angles, 360.), {_name(record): _values(record['result']) for record in chosen},
        f"{first['result']['rotation_num_scans']} scans of held-out simulated worlds, "
        f"{first['command']}, {date}.")


def measured_rotation(recording: Recording, model: Path | None,
                      progress: Callable[[int, int, str], None]) -> RotationCurve | None:
    """Turns a few labelled scans and detects in each; None where that cannot be done.

    Args:
        recording: Scans with complete labels.
        model: Folder of the bundle; the shipped one if None.
        progress: Told scans done, scans in all, and what is going on.
    """
    folder = model or DETECTOR.shipped_model()
    if folder is None or not recording.has_boxes or not recording.complete:
        return None
    scans = [scan for index, scan in enumerate(recording.scans())
             if index % max(len(recording) // _SCANS, 1) == 0][:_SCANS]
    turns = tuple(turn * _STEP for turn in range(round(360 / _STEP)))
    try:
        result = evaluate_detector(
            Detector.from_bundle(folder), _while_there_is_time(scans),
            Protocols(turns, with_velocity=False),
            lambda done: progress(done, len(scans), 'turning scans'))
    except EqError:
        return None
    return RotationCurve((*turns, 360.), {'this model': _values(result)},
                         f"{result['num_scans']} scans of this recording, turned by "
                         f'{_STEP:g}° at a time.')


def _while_there_is_time(scans: Iterable[LabeledScan]) -> Iterator[LabeledScan]:
    """At least one scan; on a slow machine not all of them."""
    deadline = time.monotonic() + _PATIENCE
    for scan in scans:
        yield scan
        if time.monotonic() > deadline:
            return


def _twins(file: Path) -> RotationCurve | None:
    """The networks of `bench/sample_efficiency.py` that were trained on all scenes."""
    try:
        result = json.loads(file.read_text())['result']
        cells = sorted((cell for cell in result['cells'] if 'curve' in cell),
                       key=lambda cell: cell['variant'])
        curves = {cell['variant']: {angle: row['mAP'] for angle, row in cell['curve'].items()}
                  for cell in cells}
        angles = _angles(next(iter(curves.values())))
        series = {name: _values({'rotation_curve': curve}) for name, curve in curves.items()}
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
    return RotationCurve((*angles, 360.), series, (
        'Equal operations, equal scenes, equal steps; held-out simulated worlds within '
        f"{result['range']:g} m, bench/sample_efficiency.py."))


def _read(file: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(file.read_text())
        result = record['result']
        if result['data'] == 'test_worlds' and len(result['rotation_curve']) >= _MIN_ANGLES:
            _values(result)
            return {key: record[key] for key in ('name', 'result', 'command', 'date')}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _angles(curve: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(sorted(float(angle) for angle in curve))


def _values(result: Mapping[str, Any]) -> tuple[float, ...]:
    """The curve by ascending angle, closed at 360 degrees."""
    curve = sorted((float(angle), float(value))
                   for angle, value in result['rotation_curve'].items())
    return (*(value for _, value in curve), curve[0][1])


def _name(record: Mapping[str, Any]) -> str:
    group, model = record['result'].get('group'), record['result'].get('model', '')
    return f'plain twin ({model})' if group == 'C1' else f'{group}-equivariant ({model})'
