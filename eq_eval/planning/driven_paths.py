"""Demonstrations from paths that were driven on a map: what a robot's own ground costs."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_core.geometry.occupancy import UNKNOWN
from eq_eval.training.planner import Demonstration
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.cells import Window
from eq_navigation.config import PlannerConfig
from eq_navigation.features import MAP_FEATURES
from eq_navigation.features import map_features
from eq_navigation.graph import grid_graph
from eq_navigation.planner import PlanningConfig

SPACING = .2        # cells that are learnt on [m]; costs per metre hold on any
DETOUR = 1.6        # ways up to so many times as long as what was driven are compared with it

Double = NDArray[np.float64]


def read_paths(file: Path) -> list[Double]:
    """Reads driven paths: a JSON list of ``{"path": [[x, y], ...]}``, as `eq replay` writes it.

    Returns:
        (L, 2) places of each [m]; those of fewer than two places are left out.

    Raises:
        InputError: The file is something else.
    """
    try:
        rows = [np.array(row['path'], float).reshape(-1, 2) if row['path'] else np.zeros((0, 2))
                for row in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f'{file} must be a list of {{"path": [[x, y], ...]}}: {error}') from error
    bad = [number for number, row in enumerate(rows) if not np.isfinite(row).all()]
    if bad:
        raise InputError(f'{file}: path {bad[0]} is not finite', 'not_finite')
    return [row for row in rows if len(row) > 1]


def demonstrate(world: OccupancyMap, paths: list[Double], config: PlanningConfig
                ) -> list[Demonstration]:
    """Makes demonstrations of what was driven: at each cell on the way, the next one.

    Args:
        world: The map.
        paths: (L, 2) places of each path [m].
        config: What counts as an obstacle, as when the costs are used.

    Raises:
        InputError: No path shows a move on the map.
    """
    coarse = coarsened(world, max(1, round(SPACING / world.resolution)), config.occupied)
    shown = [_shown(coarse, path, config) for path in paths]
    kept = [each for each in shown if each is not None]
    if not kept:
        raise InputError(f'none of {len(paths)} paths shows a move between free cells of the map')
    return kept


def driven_recipe(paths: int, seed: int) -> PlannerRecipe:
    """The training on driven paths.

    Nobody drives exactly the cheapest path, so that the loss stays gentle.
    """
    return PlannerRecipe(planner=PlannerConfig(features=len(MAP_FEATURES)), task='driven',
                         seed=seed, maps=paths, batch_size=4, iterations=120, sharpness=10.)


def coarsened(world: OccupancyMap, factor: int, occupied: int) -> OccupancyMap:
    """Joins blocks of cells: as occupied as the most occupied of them, unknown if one is.

    Args:
        world: The map; rows and columns that fill no block are left out.
        factor: Cells along an edge of a block.
        occupied: Least occupancy of an obstacle, which a block stays though a cell is unknown.
    """
    height, width = (edge // factor for edge in world.cells.shape)
    blocks = world.cells[:height * factor, :width * factor].reshape(height, factor, width, factor)
    unknown = (blocks == UNKNOWN).any((1, 3)) & (blocks.max((1, 3)) < occupied)
    return replace(world, cells=np.where(unknown, UNKNOWN, blocks.max((1, 3))).astype(np.int8),
                   resolution=world.resolution * factor)


def _shown(world: OccupancyMap, path: Double, config: PlanningConfig) -> Demonstration | None:
    """One path on the cells around it; None if it shows no move."""
    traversable = ~world.obstacles(config.occupied, config.allow_unknown)
    cells = _crossed(world, path)
    legs = np.hypot(*np.diff(path, axis=0).T)
    ends = world.to_cells(path[[0, -1]])
    window = Window.around(ends[0], ends[1], DETOUR * legs.sum() / world.resolution + 8,
                           traversable.shape)
    inside = np.zeros(traversable.shape, bool)
    window.cut(inside)[:] = window.cut(traversable)
    cells = cells[inside[tuple(cells.T)]]
    node = np.full(inside.shape, -1)
    node[inside] = np.arange(inside.sum())
    on_way = node[tuple(cells.T)]
    graph = grid_graph(inside, world)
    feature = map_features(world, config.occupied, config.allow_unknown)[inside]
    action = np.full(len(graph), -1)
    for here, following in zip(on_way, on_way[1:], strict=False):
        column = np.flatnonzero(graph.mask[here] & (graph.neighbor[here] == following))
        if len(column):
            action[here] = column[0]
    if not (action >= 0).any():
        return None
    action[on_way[-1]] = -1
    return Demonstration(replace(graph, feature=feature), int(on_way[-1]), action)


def _crossed(world: OccupancyMap, path: Double) -> NDArray[np.int64]:
    """(M, 2) rows and columns of the cells on a path, each once in a row, on the map."""
    pieces = [np.linspace(start, end, max(2, int(4 * np.hypot(*(end - start)) / world.resolution)))
              for start, end in zip(path, path[1:], strict=False)]
    row, column, on_map = world.locate(np.concatenate(pieces))
    cells = np.stack([row, column], -1)[on_map]
    return cells[np.append(True, (np.diff(cells, axis=0) != 0).any(1))] if len(cells) else cells
