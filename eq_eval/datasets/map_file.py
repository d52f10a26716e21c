"""Maps on disk: what ROS's map_server reads, and MovingAI's benchmark maps with their problems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
import yaml

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap

PASSABLE = '.GS'    # letters of MovingAI's free cells
HEADER_LINES = 4    # type, height, width, "map"


@dataclass(frozen=True)
class Problem:
    """One row of a MovingAI scenario.

    Attributes:
        start: (column, row); rows count from the top of the file.
        goal: (column, row).
        length: Published optimal length, in cells: straight 1, diagonal sqrt 2, a diagonal step
            needs both cells beside it free.
    """

    start: tuple[int, int]
    goal: tuple[int, int]
    length: float


def read_map(path: Path) -> OccupancyMap:
    """Reads ``.yaml`` of map_server with its image, or MovingAI's ``.map``.

    Raises:
        InputError: The file is missing, malformed, or refers to what is not there.
    """
    if not path.is_file():
        raise InputError(f'{path}: there is no such map')
    return read_moving_ai(path) if path.suffix == '.map' else read_ros_map(path)


def read_ros_map(path: Path) -> OccupancyMap:
    """Reads a map of map_server in trinary or scale mode.

    Raises:
        InputError: See `read_map`.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding='utf-8'))
        name, resolution = str(settings['image']), float(settings['resolution'])
        x, y, yaw = (float(value) for value in settings['origin'])
        occupied, free = float(settings['occupied_thresh']), float(settings['free_thresh'])
        negate, mode = bool(int(settings.get('negate', 0))), settings.get('mode', 'trinary')
        with Image.open(path.parent / name) as image:
            alpha = image.mode in ('LA', 'RGBA')
            grey = np.asarray(image.convert('LA' if alpha else 'L'), float)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f'{path}: not a map of map_server: {error!r}') from error
    if mode not in ('trinary', 'scale'):
        raise InputError(f"{path}: mode must be 'trinary' or 'scale', got {mode!r}")
    shade = grey[..., 0] if alpha else grey
    share = shade / 255 if negate else 1 - shade / 255
    between = -np.ones_like(share) if mode == 'trinary' else np.rint(
        1 + 98 * (share - free) / max(occupied - free, 1e-9))
    cells = np.where(share > occupied, 100, np.where(share < free, 0, between))
    if alpha and mode == 'scale':
        cells = np.where(grey[..., 1] < 255, -1, cells)
    # The image's first row is the top, the map's first row is the bottom.
    return OccupancyMap(cells[::-1].astype(np.int8), resolution, (x, y, yaw), 'map')


def read_moving_ai(path: Path) -> OccupancyMap:
    """Reads MovingAI's map, cells of 1 m, rows as in the file.

    Raises:
        InputError: See `read_map`.
    """
    lines = path.read_text(encoding='ascii', errors='replace').splitlines()
    try:
        height, width = (int(line.split()[1]) for line in lines[1:3])
        rows = lines[HEADER_LINES:HEADER_LINES + height]
        if len(rows) < height or any(len(row) < width for row in rows):
            raise ValueError(f'expected {height} rows of {width} letters')
    except (ValueError, IndexError) as error:
        raise InputError(f'{path}: not a MovingAI map: {error}') from error
    letters = np.array([list(row[:width]) for row in rows])
    return OccupancyMap(np.where(np.isin(letters, list(PASSABLE)), 0, 100), 1., frame_id='map')


def read_problems(path: Path) -> list[Problem]:
    """Reads a MovingAI ``.scen``.

    Raises:
        InputError: The file is missing or a row is malformed.
    """
    if not path.is_file():
        raise InputError(f'{path}: there is no such scenario')
    problems = []
    for number, line in enumerate(path.read_text(encoding='ascii').splitlines()[1:], 2):
        columns = line.split()
        if not columns:
            continue
        try:
            start_x, start_y, goal_x, goal_y = (int(each) for each in columns[4:8])
            problems.append(Problem((start_x, start_y), (goal_x, goal_y), float(columns[8])))
        except (ValueError, IndexError) as error:
            raise InputError(f'{path}, line {number}: not a problem: {error}') from error
    return problems


def problem_ends(world: OccupancyMap, problem: Problem) -> tuple[NDArray, NDArray]:
    """Returns start and goal (2,) of a problem [m]."""
    (start_x, start_y), (goal_x, goal_y) = problem.start, problem.goal
    return (world.centre(np.array(start_y), np.array(start_x)),
            world.centre(np.array(goal_y), np.array(goal_x)))
