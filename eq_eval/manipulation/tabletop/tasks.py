"""The tasks: an L into an L-shaped hole, red blocks into green bowls, a kit of three parts.

Objects and goals lie anywhere at any yaw. The reward is physical: a part counts when it has sunk
into its hole, a block when it lies in a bowl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import fuse_views
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.tabletop.bodies import block
from eq_eval.manipulation.tabletop.bodies import Body
from eq_eval.manipulation.tabletop.bodies import bowl
from eq_eval.manipulation.tabletop.bodies import planar_pose
from eq_eval.manipulation.tabletop.bodies import Prism
from eq_eval.manipulation.tabletop.bodies import shifted
from eq_eval.manipulation.tabletop.bodies import span
from eq_eval.manipulation.tabletop.world import WORKSPACE
from eq_eval.manipulation.tabletop.world import World

RED, GREEN, BLUE = (.85, .2, .2), (.2, .65, .25), (.2, .35, .8)
YELLOW, PURPLE, GREY = (.85, .75, .2), (.5, .25, .6), (.72, .7, .68)
DISTRACTORS = (BLUE, YELLOW, PURPLE)
CLEARANCE = .002        # of a hole, on each side [m]
WALL = .02              # height of what a hole is in [m]
SUNK = .002             # a part lower than this has sunk into its hole [m]
CUBE, BOWL = .04, .055  # edge and outer radius [m]
DRAWS = 100             # tables drawn until one has room for everything

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Goal:
    """Where a body belongs.

    Attributes:
        body: Its number.
        poses: (G, 4, 4) poses that all do.
        turns: Whether its yaw matters.
    """

    body: int
    poses: Double
    turns: bool


class Scene(Protocol):
    """What makes one task differ from another."""

    name: str
    max_steps: int

    def build(self, world: World) -> list[Goal]:
        """Puts everything on the table."""

    def done(self, world: World, goal: Goal) -> bool:
        """Whether a body is where it belongs."""


class InsertLBlock:
    """One L and one hole for it."""

    name, max_steps = 'insert-l-block', 1

    def build(self, world: World) -> list[Goal]:
        """Puts everything on the table."""
        hole = world.scatter(Body(_l_hole(), GREY, movable=False))
        part = world.scatter(Body(_l_block(), RED))
        return [Goal(part, world.bodies[hole].pose[None], True)]

    def done(self, world: World, goal: Goal) -> bool:
        """Whether it has sunk in."""
        return _near(world, goal) < .02 and world.bodies[goal.body].position[2] < SUNK


class RedInGreen:
    """Red blocks, green bowls, and others of both that do not matter."""

    name, max_steps = 'red-in-green', 3

    def build(self, world: World) -> list[Goal]:
        """Puts everything on the table."""
        blocks = int(world.rng.integers(1, 3))
        ring = bowl(BOWL, BOWL - .01, .005, .03)
        green = [world.scatter(Body(ring, GREEN, movable=False)) for _ in range(blocks)]
        red = [world.scatter(Body((block(CUBE, CUBE, CUBE),), RED)) for _ in range(blocks)]
        for color in DISTRACTORS[:2]:
            world.scatter(Body(ring, color, movable=False))
        for color in DISTRACTORS:
            world.scatter(Body((block(CUBE, CUBE, CUBE),), color))
        poses = np.stack([world.bodies[each].pose for each in green])
        return [Goal(each, poses, False) for each in red]

    def done(self, world: World, goal: Goal) -> bool:
        """Whether it lies on the floor of a bowl."""
        low = 0 < world.bodies[goal.body].position[2] < .01
        return _near(world, goal) < BOWL and low


class Kit:
    """A tray with three holes of different shape, and a part for each."""

    name, max_steps = 'kit', 5

    def build(self, world: World) -> list[Goal]:
        """Puts everything on the table."""
        pitch, parts = .08, ((.05, .05), (.06, .025), (.035, .05))
        order = world.rng.permutation(len(parts))
        tray: list[Prism] = []
        for place, kind in enumerate(order):
            tray += shifted(_hole(*parts[kind], .04, .04), [(place - 1) * pitch, 0])
        frame = world.scatter(Body(tuple(tray), GREY, movable=False))
        goals = []
        for place, kind in enumerate(order):
            at = world.bodies[frame].pose @ planar_pose((place - 1) * pitch, 0, 0, 0)
            turns = 4 if parts[kind][0] == parts[kind][1] else 2
            poses = np.stack([at @ planar_pose(0, 0, 0, 2 * np.pi * turn / turns)
                              for turn in range(turns)])
            number = world.scatter(Body((block(*parts[kind], CUBE),), (RED, BLUE, YELLOW)[kind]))
            goals.append(Goal(number, poses, True))
        return goals

    def done(self, world: World, goal: Goal) -> bool:
        """Whether it has sunk in."""
        return _near(world, goal) < .02 and world.bodies[goal.body].position[2] < SUNK


TASKS: dict[str, type[Scene]] = {each.name: each for each in (InsertLBlock, RedInGreen, Kit)}


class TabletopTask:
    """One of the tasks as a `PickPlaceTask`."""

    def __init__(self, scene: Scene) -> None:
        """Takes what is to be done."""
        self._scene = scene
        self.name, self.max_steps = scene.name, scene.max_steps
        self.world = World(np.random.default_rng(0))
        self.goals: list[Goal] = []
        self._earned = 0.

    def reset(self, seed: int) -> None:
        """Sets an episode up.

        Raises:
            ConfigError: No table of this seed has room for everything.
        """
        for draw in range(DRAWS):
            self.world, self._earned = World(np.random.default_rng([seed, draw])), 0.
            try:
                self.goals = self._scene.build(self.world)
            except ConfigError:
                continue
            return
        raise ConfigError(f'no table of seed {seed} has room for {self.name}')

    def views(self) -> list[RgbdView]:
        """What the three cameras see."""
        return self.world.views()

    def look(self) -> HeightMap:
        """The table from above."""
        return fuse_views(self.views(), WORKSPACE)

    def show(self) -> tuple[Double, Double] | None:
        """Moves the first body that is not where it belongs to the nearest free goal."""
        taken = {_nearest(self.world, goal)[0] for goal in self.goals if not goal.turns
                 and self._scene.done(self.world, goal)}
        for goal in self.goals:
            if self._scene.done(self.world, goal):
                continue
            body = self.world.bodies[goal.body]
            free = [number for number in range(len(goal.poses)) if number not in taken]
            target = goal.poses[min(free, key=lambda number: np.linalg.norm(
                goal.poses[number, :2, 3] - body.position[:2]))]
            pick = self._grasp(body)
            return pick, target @ np.linalg.inv(body.pose) @ pick
        return None

    def _grasp(self, body: Body) -> Double:
        """A point of the top, anywhere."""
        corners = np.concatenate(body.outlines())
        while True:
            x, y = self.world.rng.uniform(corners.min(0), corners.max(0))
            if (top := body.top_at(x, y)) is not None:
                return planar_pose(x, y, top, 0.)

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Lets the suction cup move what is there."""
        self.world.move(pick, place)
        earned = float(np.mean([self._scene.done(self.world, goal) for goal in self.goals]))
        reward, self._earned = earned - self._earned, earned
        return reward, earned > .999

    def error(self) -> tuple[float, float] | None:
        """Largest distance of a body from the nearest of its goals; None if turns do not matter.

        In space: a part that lies on the rim of its hole is off by the height of the rim.
        """
        if not all(goal.turns for goal in self.goals):
            return None
        errors = []
        for goal in self.goals:
            number, position = _nearest(self.world, goal)
            relative = goal.poses[number].T @ self.world.bodies[goal.body].pose
            errors.append((position, float(np.degrees(np.abs(
                np.arctan2(relative[1, 0], relative[0, 0]))))))
        return max(position for position, _ in errors), max(angle for _, angle in errors)

    def close(self) -> None:
        """Nothing is held."""


def make_task(name: str) -> TabletopTask:
    """Starts a task.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in TASKS:
        raise ConfigError(f'task must be one of {", ".join(TASKS)}, got {name!r}')
    return TabletopTask(TASKS[name]())


def _nearest(world: World, goal: Goal) -> tuple[int, float]:
    """Number of the goal pose nearest to a body, those of the same place by yaw; distance [m]."""
    pose = world.bodies[goal.body].pose
    distance = np.linalg.norm(goal.poses[:, :3, 3] - pose[:3, 3], axis=-1)
    turn = np.einsum('gij,ij->g', goal.poses[:, :2, :2], pose[:2, :2])
    number = int(np.lexsort((-turn, np.rint(distance * 1e6)))[0])
    return number, float(distance[number])


def _near(world: World, goal: Goal) -> float:
    """Distance on the table from the nearest goal [m]."""
    pose = world.bodies[goal.body].pose
    return float(np.linalg.norm(goal.poses[:, :2, 3] - pose[:2, 3], axis=-1).min())


def _l_block() -> tuple[Prism, ...]:
    """An L of 4 cm cells, three long and two wide, its frame in the corner."""
    return (span((-.02, .02), (-.02, .1), CUBE), span((.02, .06), (-.02, .02), CUBE))


def _l_hole() -> tuple[Prism, ...]:
    """What surrounds the L, with clearance."""
    c, near, far = CLEARANCE, -.045, .125
    right = .085
    return (span((near, -.02 - c), (near, far), WALL),
            span((-.02 - c, right), (near, -.02 - c), WALL),
            span((.06 + c, right), (-.02 - c, .02 + c), WALL),
            span((.02 + c, right), (.02 + c, far), WALL),
            span((-.02 - c, .02 + c), (.1 + c, far), WALL))


def _hole(length: float, width: float, reach_x: float, reach_y: float) -> tuple[Prism, ...]:
    """A rectangular hole with clearance in a rectangle of 2 `reach_x` by 2 `reach_y`."""
    x, y = length / 2 + CLEARANCE, width / 2 + CLEARANCE
    return (span((-reach_x, -x), (-reach_y, reach_y), WALL),
            span((x, reach_x), (-reach_y, reach_y), WALL),
            span((-x, x), (-reach_y, -y), WALL), span((-x, x), (y, reach_y), WALL))
