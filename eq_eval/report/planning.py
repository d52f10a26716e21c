"""What the planner made of a recording of maps and goals: pictures, and its balance."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import UTC
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.occupancy import UNKNOWN
from eq_eval.replay.planning import AskedGoal
from eq_eval.replay.planning import PlanningRun
from eq_eval.report.builder import environment
from eq_eval.report.builder import version_text
from eq_eval.report.raster import data_uri

LARGEST = 1200      # pixels along an edge of a picture of a map
FREE, WALL, NOTHING = 252, 60, 205      # shades of grey, as map_server writes them
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
    draft = path.with_suffix('.part')
    draft.write_text(text, encoding='utf-8')
    os.replace(draft, path)
    return path


def planning_section(run: PlanningRun) -> dict[str, Any]:
    """Pictures, a row for each goal, and the balance."""
    rows = [_row(number, goal) for number, goal in enumerate(run.goals, start=1)]
    return {'maps': _maps(run.goals), 'rows': rows,
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
        marks.append({'number': number, 'colour': _colour(number), 'found': not goal.reason,
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
    shade = np.where(world.cells == UNKNOWN, NOTHING, FREE - (FREE - WALL) / 100. * world.cells)
    picture = Image.fromarray(shade[::-1].round().astype(np.uint8))
    picture.thumbnail((LARGEST, LARGEST))
    return data_uri(picture)


def _colour(number: int) -> str:
    return f'hsl({(24 + ORDINARY * (number - 1)) % 360} 85% 42%)'
