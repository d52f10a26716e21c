"""What the planner made of a recording of maps and goals: pictures, and its balance."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.replay.planning import AskedGoal
from eq_eval.replay.planning import PlanningRun
from eq_eval.report.builder import environment
from eq_eval.report.builder import version_text
from eq_eval.report.builder import write_page
from eq_eval.report.raster import data_uri

LARGEST = 1200      # pixels along an edge of a picture of a map
FREE, DEAR, WALL, NOTHING = (252, 252, 250), (222, 170, 96), (44, 48, 56), (182, 196, 212)
ORDINARY = 72       # degrees of hue between two paths


def write_planning_report(path: Path, run: PlanningRun, command: str) -> Path:
    """Writes a report of its own; a reader never sees half of it.

    Args:
        path: HTML file.
        run: What came of the recording.
        command: Command line that repeats it.
    """
    created = datetime.now(UTC).strftime('%d %B %Y, %H:%M UTC')
    text = environment().get_template('planning_page.html.j2').render(
        title=run.name, command=command, created=created, version=version_text(),
        planning=planning_section(run))
    return write_page(path, text)


def planning_section(run: PlanningRun, note: str = '') -> dict[str, Any]:
    """Pictures, a row for each goal, and the balance.

    Args:
        run: What came of the goals.
        note: What else a reader should know, in words.
    """
    return {'note': note, 'maps': _maps(run.goals),
            'rows': [_row(number, goal) for number, goal in enumerate(run.goals, start=1)],
            'sentence': _sentence(run.result), 'accounted': run.result['accounted'],
            'latency': run.result['latency_p50_ms'], 'facts': list(run.facts.items())}


def _sentence(result: Mapping[str, Any]) -> str:
    return (f"received {result['received']} = published {result['published']} + dropped "
            f"{sum(result['dropped'].values())} + in flight {result['in_flight']}")


def _row(number: int, goal: AskedGoal) -> dict[str, Any]:
    return {'number': number, 'colour': _colour(number), 'x': f'{goal.xy[0]:.2f}',
            'y': f'{goal.xy[1]:.2f}', 'answer': f'{goal.length:.2f} m' if not goal.reason else
            goal.reason.replace('_', ' '), 'found': not goal.reason}


def _maps(goals: Sequence[AskedGoal]) -> list[dict[str, Any]]:
    """One picture for each state of the map, with the goals that were asked for on it."""
    groups: list[tuple[OccupancyMap, list[tuple[int, AskedGoal]]]] = []
    for number, goal in enumerate(goals, start=1):
        if goal.world is None:
            continue
        if not groups or groups[-1][0] is not goal.world:
            groups.append((goal.world, []))
        groups[-1][1].append((number, goal))
    return [_picture(world, numbered) for world, numbered in groups]


def _picture(world: OccupancyMap, goals: Sequence[tuple[int, AskedGoal]]) -> dict[str, Any]:
    height, width = world.cells.shape
    marks = []
    for number, goal in goals:
        path = _pixels(world, goal.path) if len(goal.path) else np.zeros((0, 2))
        place = _pixels(world, goal.xy[None])[0]
        marks.append({
            'number': number, 'colour': _colour(number), 'found': not goal.reason,
            'begin': path[0].round(1).tolist() if len(path) else [],
            'x': round(float(place[0]), 1), 'y': round(float(place[1]), 1),
            'points': ' '.join(f'{x:.1f},{y:.1f}' for x, y in path.tolist())})
    return {'uri': _map_uri(world), 'width': width, 'height': height, 'marks': marks,
            'line': round(max(width, height) / 220, 2), 'dot': round(max(width, height) / 70, 2)}


def _pixels(world: OccupancyMap, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in the picture, in which rows go down."""
    cells = world.to_cells(xy)
    return np.stack([cells[:, 0], world.cells.shape[0] - cells[:, 1]], -1)


def _map_uri(world: OccupancyMap) -> str:
    from PIL import Image
    picture = Image.fromarray(_palette()[world.cells[::-1].astype(np.int64)])
    picture.thumbnail((LARGEST, LARGEST))
    return data_uri(picture.quantize(64))


def _palette() -> NDArray[np.uint8]:
    """(102, 3) colours of cells that are free, cost something, are occupied, and unknown last."""
    share = np.linspace(0, 1, 100)[:, None]
    ground = (1 - share) * FREE + share * DEAR
    return np.concatenate([ground, [WALL], [NOTHING]]).round().astype(np.uint8)


def _colour(number: int) -> str:
    return f'hsl({(24 + ORDINARY * (number - 1)) % 360} 85% 42%)'
