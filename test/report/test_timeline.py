"""The time-line says of every object when it was there, and when not."""

from __future__ import annotations

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.report.class_colours import point_class_colour
from eq_eval.report.timeline import Timeline
from eq_eval.report.timeline import timeline

NAMES = ('car', 'truck')


def objects(*ids: int, label: int = 0) -> Boxes3D:
    count = len(ids)
    return Boxes3D(np.zeros((count, 3)), np.ones((count, 3)), np.zeros(count),
                   np.full(count, label), track_id=np.array(ids, int))


def covered(line: Timeline, count: int) -> dict[str, list[int]]:
    """Id to the scans whose middle a bar covers, each as often as it does."""
    width = (line.right - line.left) / count
    return {row.name: [scan for bar in row.stretches for scan in range(count)
                       if bar.x <= line.left + (scan + .5) * width < bar.x + bar.width]
            for row in line.rows}


def test_bars_cover_the_scans_of_an_object_and_no_other() -> None:
    rng = np.random.default_rng(0)
    truth = {key: np.flatnonzero(rng.random(30) < .6).tolist() for key in range(1, 9)}
    history = [objects(*(key for key, scans in truth.items() if scan in scans))
               for scan in range(30)]
    line = timeline(history, NAMES)
    assert line is not None
    assert covered(line, 30) == {str(key): truth[key] for key in sorted(
        truth, key=lambda key: (truth[key][0], key))}


def test_rows_lie_below_each_other_and_nothing_overlaps() -> None:
    line = timeline([objects(*range(1, 20))] * 5, NAMES)
    assert line is not None
    edges = [edge for row in line.rows for edge in (row.y, row.y + line.thickness)]
    assert edges == sorted(edges) and len(set(edges)) == len(edges)
    assert line.top <= edges[0] and edges[-1] <= line.bottom <= line.height
    for row in line.rows:
        assert row.y < row.middle < row.y + line.thickness
        for bar in row.stretches:
            assert line.left <= bar.x and bar.x + bar.width <= line.right + 1e-6


def test_a_gap_is_one_only_where_there_was_an_answer() -> None:
    gone = timeline([objects(1), objects(), objects(1)], NAMES)
    silent = timeline([objects(1), None, objects(1)], NAMES)
    assert gone is not None and silent is not None
    assert (gone.num_gaps, silent.num_gaps) == (1, 0)
    assert (len(gone.blanks), len(silent.blanks)) == (0, 1)
    assert len(gone.rows[0].stretches) == len(silent.rows[0].stretches) == 2


def test_a_change_of_class_changes_the_colour() -> None:
    line = timeline([objects(4), objects(4), objects(4, label=1)], NAMES)
    assert line is not None
    first, second = line.rows[0].stretches
    assert first.x + first.width == second.x
    assert (first.colour, second.colour) == tuple(map(point_class_colour, NAMES))
    assert line.classes == NAMES


def test_the_objects_that_were_there_longest_are_shown() -> None:
    history = [objects(*(key for key in range(1, 31) if key > scan)) for scan in range(30)]
    line = timeline(history, NAMES, most_rows=5)
    assert line is not None
    assert {row.name for row in line.rows} == {'26', '27', '28', '29', '30'}
    assert line.num_objects == 30
    assert line.median_life == 15.5


def test_without_objects_there_is_no_line() -> None:
    assert timeline([None, objects(), objects(-1)], NAMES) is None
