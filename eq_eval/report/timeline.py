"""When each object was there: one row per id over the scans, with its gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.report.charts import nice_ticks
from eq_eval.report.charts import RIGHT
from eq_eval.report.charts import Tick
from eq_eval.report.charts import WIDE
from eq_eval.report.class_colours import object_colour
from eq_eval.report.class_colours import point_class_colour

MOST_ROWS = 40
ROW = 18.                            # [px]
_LEFT, _TOP, _BOTTOM = 64., 8., 44.  # margins [px]
_THICKNESS = 11.                     # of a bar [px]

Sightings = dict[int, dict[int, str]]  # object to scan to class name


@dataclass(frozen=True)
class Stretch:
    """Scans in a row in which an object was there as one class [px], and what it says."""

    x: float
    width: float
    colour: str
    text: str


@dataclass(frozen=True)
class TimelineRow:
    """One object: upper edge of its bars, middle of the row [px], id, colour of the id, bars."""

    y: float
    middle: float
    name: str
    colour: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Timeline:
    """Rows of objects above an axis of scans.

    Attributes:
        width: [px].
        height: [px].
        left: Where the first scan begins [px].
        right: Where the last one ends [px].
        top: Upper edge of the rows [px].
        bottom: Their lower edge [px].
        thickness: Height of a bar [px].
        x_ticks: Numbers of scans.
        rows: The objects by their first scan.
        blanks: (x, width) of scans without an answer [px].
        num_objects: Objects in all.
        num_gaps: How often an object came back under its id.
        median_life: Scans from the first to the last of an object, median.
        classes: Classes that occur, by name.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    thickness: float
    x_ticks: tuple[Tick, ...]
    rows: tuple[TimelineRow, ...]
    blanks: tuple[tuple[float, float], ...]
    num_objects: int
    num_gaps: int
    median_life: float
    classes: tuple[str, ...]


def timeline(objects: Sequence[Boxes3D | None], class_names: Sequence[str],
             most_rows: int = MOST_ROWS) -> Timeline | None:
    """Lays out when each object was there.

    Args:
        objects: Tracked objects of each scan, None where there was no answer.
        class_names: Names that labels index.
        most_rows: Objects that are shown at most; those that were there longest.

    Returns:
        None if there never was an object.
    """
    seen = sightings(objects, class_names)
    if not seen:
        return None
    longest = sorted(seen, key=lambda key: (-len(seen[key]), key))[:most_rows]
    shown = sorted(longest, key=lambda key: (min(seen[key]), key))
    scale = (WIDE - _LEFT - RIGHT) / len(objects)
    bottom = _TOP + ROW * len(shown)
    rows = tuple(_row(key, seen[key], _TOP + ROW * place, scale)
                 for place, key in enumerate(shown))
    ticks = tuple(Tick(_LEFT + (value + .5) * scale, f'{value:g}')
                  for value in nice_ticks(0, len(objects) - 1, 10) if value == int(value))
    lives = [max(scans) - min(scans) + 1 for scans in seen.values()]
    return Timeline(
        WIDE, bottom + _BOTTOM, _LEFT, WIDE - RIGHT, _TOP, bottom, _THICKNESS, ticks, rows,
        tuple((_LEFT + scan * scale, scale) for scan, boxes in enumerate(objects)
              if boxes is None),
        len(seen), sum(_gaps(sorted(scans), objects) for scans in seen.values()),
        float(np.median(lives)),
        tuple(dict.fromkeys(name for name in class_names
                            for scans in seen.values() if name in scans.values())))


def sightings(objects: Sequence[Boxes3D | None], class_names: Sequence[str]) -> Sightings:
    """In which scans each object was there, and as what; boxes without an id are left out."""
    seen: Sightings = {}
    for scan, boxes in enumerate(objects):
        if boxes is not None:
            for key, label in zip(boxes.track_id.tolist(), boxes.label.tolist(), strict=True):
                if key >= 0:
                    seen.setdefault(key, {})[scan] = class_names[label]
    return seen


def _row(key: int, scans: dict[int, str], top: float, scale: float) -> TimelineRow:
    """Bars for the runs of scans with one class; a scan's place minus its rank tells the run."""
    ordered = sorted(scans)
    stretches = []
    for (_, name), run in groupby(enumerate(ordered),
                                  key=lambda item: (item[1] - item[0], scans[item[1]])):
        part = [scan for _, scan in run]
        span = f'{part[0]}' if len(part) == 1 else f'{part[0]} to {part[-1]}'
        stretches.append(Stretch(_LEFT + part[0] * scale, len(part) * scale,
                                 point_class_colour(name), f'#{key} {name}, scan {span}'))
    return TimelineRow(top + (ROW - _THICKNESS) / 2, top + ROW / 2, str(key),
                       object_colour(key), tuple(stretches))


def _gaps(scans: list[int], objects: Sequence[Boxes3D | None]) -> int:
    """How often an object was missing from an answer and came back."""
    return sum(any(objects[between] is not None for between in range(first + 1, second))
               for first, second in zip(scans, scans[1:], strict=False))
