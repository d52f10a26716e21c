"""What planners can be taught without any data: the shipped weights come from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eq_eval.datasets.map_file import read_map
from eq_eval.planning.driven_paths import demonstrate
from eq_eval.planning.driven_paths import driven_recipe
from eq_eval.planning.driven_paths import read_paths
from eq_eval.planning.exploration_tasks import exploration_lessons
from eq_eval.planning.exploration_tasks import exploration_recipe
from eq_eval.planning.maze_tasks import demonstrations
from eq_eval.planning.maze_tasks import maze_recipe
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.terrain import grid_terrain
from eq_eval.planning.terrain_tasks import terrain_recipe
from eq_eval.planning.terrain_tasks import TRAIN_EDGE
from eq_eval.training.planner import Demonstration
from eq_eval.training.recipe import PlannerRecipe
from eq_navigation.planner import PlanningConfig


@dataclass(frozen=True)
class Lesson:
    """A task with maps of our own making.

    Attributes:
        name: Of the model.
        recipe: From number of maps and seed to the training.
        show: From the same to the demonstrations.
        maps: What the maps are, for the record.
        purpose: What the model is for, for its card.
        limits: What it is not.
    """

    name: str
    recipe: Callable[[int, int], PlannerRecipe]
    show: Callable[[int, int], list[Demonstration]]
    maps: str
    purpose: str
    limits: str


def driven_lesson(map_file: Path, paths: Path) -> tuple[Lesson, int]:
    """What was driven on a map, and on how many ways.

    Raises:
        InputError: A file is not what it must be, or shows nothing.
    """
    driven = read_paths(paths)
    shown = demonstrate(read_map(map_file), driven, PlanningConfig())
    return Lesson(
        'map_planner', lambda maps, seed: driven_recipe(maps, seed), lambda maps, seed: shown,
        f'paths driven on {map_file.name}',
        'What ground costs per metre, from what a map tells of it: occupancy, whether it is '
        'unknown, distance from obstacles.',
        'it has learnt\n  what was driven; where nobody drove it guesses.'), len(shown)


def _mazes(maps: int, seed: int) -> list[Demonstration]:
    return demonstrations(make_mazes(maps, TRAIN_EDGE, seed))


def _terrain(maps: int, seed: int) -> list[Demonstration]:
    rng = np.random.default_rng([seed, TRAIN_EDGE])
    return [grid_terrain(TRAIN_EDGE, rng).demonstrate(rng) for _ in range(maps)]


LESSONS = {
    'exploration': Lesson(
        'exploration_planner', exploration_recipe, exploration_lessons,
        'simulated mazes of 15 x 15 and 31 x 31 cells, partly seen, with the best moves',
        'What it costs to step on a cell of a maze that is seen only while it is walked.',
        'it knows\n  mazes only, of which the robot sees two cells around it.'),
    'mazes': Lesson(
        'maze_planner', lambda maps, seed: maze_recipe(TRAIN_EDGE, maps, seed), _mazes,
        'simulated mazes of 15 x 15 cells with their optimal moves',
        'What it costs to step on a cell, from whether it is free.',
        'all it knows of\n  a cell is whether it is free.'),
    'terrain': Lesson(
        'graph_planner', terrain_recipe, _terrain,
        'simulated maps of 15 x 15 cells with hidden costs and the best moves',
        'What ground costs per metre, from four numbers that are known of it.',
        'the law that it has\n  learnt is that of the benchmark (`docs/planner.md`); train it on '
        'your own ground.'),
}
