"""The tasks: a mug onto the arm of a rack, a peg into a tilted hole, a plate between posts.

Object and target are anywhere in the cube, turned every way, each on its own. What is picked moves
rigidly with the tool, and stays where it is released: there is no contact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_core.geometry.voxels import VoxelGrid
from eq_core.geometry.voxels import voxelize_views
from eq_core.groups.rotation_sets import geodesic_distance
from eq_eval.manipulation.spatial import bodies
from eq_eval.manipulation.spatial.ravens import RavensInSpace
from eq_eval.manipulation.spatial.ravens import SIXDOF
from eq_eval.manipulation.spatial.task import TaskInSpace
from eq_eval.manipulation.spatial.world import CUBE
from eq_eval.manipulation.spatial.world import EDGE
from eq_eval.manipulation.spatial.world import see
from eq_eval.manipulation.spatial.world import Solid
from eq_eval.simulation.mesh import Mesh

TILTS = ('any', 'upright')
SHAPES = ('same', 'varied')
POSITION, ANGLE = .01, 15.      # errors of a pick that still holds, of a place that is done
DRAWS = 1000                    # arrangements drawn until object and target are apart
GAP = .03                       # between the spheres around both [m]

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Kind:
    """What makes one task differ from another; poses are (4, 4).

    Attributes:
        object: What is picked.
        target: What it goes to.
        object_radius: Of the sphere about the object's frame that holds nearly all of it [m].
        target_radius: Likewise.
        grasps: (K, 4, 4) object <- tool; all would do.
        goals: (G, 4, 4) target <- object; all would do.
        revolved: Whether turns of the object about its z make no difference.
    """

    object: Mesh
    target: Mesh
    object_radius: float
    target_radius: float
    grasps: Double
    goals: Double
    revolved: bool


def _pose(rotation: Double, position: tuple[float, float, float]) -> Double:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, position
    return pose


def _mug_on_rack(rng: np.random.Generator | None) -> Kind:
    """The arm goes through the handle, the cup hangs below it, its mouth to either side."""
    size = bodies.MugSize() if rng is None else bodies.MugSize(
        rng.uniform(.028, .04), rng.uniform(.034, .052), rng.uniform(.021, .03))
    around = np.radians(np.arange(60., 301., 5.))       # of the rim, away from the handle
    grasps = np.stack([
        _pose(Rotation.from_euler('z', angle).as_matrix(),
              (size.radius * np.cos(angle), size.radius * np.sin(angle), size.half))
        for angle in around])
    # The handle, x of the mug, goes up the post, z of the rack; y of both is along the arm.
    turn = np.array([[0., 0., -1.], [0., 1., 0.], [1., 0., 0.]])
    first = _pose(turn, (0., .055, bodies.ARM_HEIGHT - size.hold))
    second = first @ _pose(np.diag([1., -1., -1.]), (0., 0., 0.))
    return Kind(bodies.mug(size), bodies.rack(), .065, .095, grasps, np.stack([first, second]),
                False)


def _peg_in_tilted_hole(rng: np.random.Generator | None) -> Kind:
    """The tip goes to the floor of the hole."""
    size = bodies.PegSize() if rng is None else bodies.PegSize(
        rng.uniform(.009, .013), rng.uniform(.038, .056), rng.uniform(.018, .026))
    grasps = np.stack([_pose(Rotation.from_euler('z', angle).as_matrix(),
                             (0., 0., size.half - .01))
                       for angle in np.pi / 2 * np.arange(4)])
    axis = bodies.hole_axis()
    position = axis * (size.half - bodies.HOLE_DEPTH)
    turn = Rotation.from_euler('y', bodies.HOLE_TILT).as_matrix()
    return Kind(bodies.peg(size), bodies.drilled_block(), .05, .075, grasps,
                _pose(turn, (position[0], position[1], position[2]))[None], True)


def _plate_in_rack(rng: np.random.Generator | None) -> Kind:
    """The plate stands on its rim between the posts and looks to either side."""
    size = bodies.PlateSize() if rng is None else bodies.PlateSize(
        rng.uniform(.042, .056), rng.uniform(.007, .011))
    grasps = np.stack([
        _pose(Rotation.from_euler('z', angle).as_matrix(),
              (size.radius * np.cos(angle), size.radius * np.sin(angle), size.half))
        for angle in np.radians(np.arange(0., 360., 5.))])
    goals = [_pose(Rotation.from_euler('y', side * 90, degrees=True).as_matrix(),
                   (0., 0., size.radius)) for side in (1, -1)]
    return Kind(bodies.plate(size), bodies.dish_rack(), .052, .085, grasps, np.stack(goals), True)


TASKS: dict[str, Callable[[np.random.Generator | None], Kind]] = {
    'mug-on-rack': _mug_on_rack,
    'peg-in-tilted-hole': _peg_in_tilted_hole,
    'plate-in-rack': _plate_in_rack}
COLORS = {'mug-on-rack': ((.8, .25, .2), (.55, .5, .4)),
          'peg-in-tilted-hole': ((.85, .7, .2), (.25, .4, .7)),
          'plate-in-rack': ((.85, .85, .8), (.5, .35, .2))}


class SpatialTask:
    """One object and its target in a cube; every episode is fixed by its seed.

    Attributes:
        name: Name of the task.
        kind: What is to be done.
        tilt: ``'any'`` for random rotations, ``'upright'`` for turns about z alone.
        shapes: ``'same'``, or ``'varied'`` where the object has other sizes in every episode.
        table: None, there is no table.
        object: As it lies now.
        target: As it lies.
    """

    table: Workspace | None = None

    def __init__(self, name: str, tilt: str = 'any', shapes: str = 'same') -> None:
        """Chooses the task.

        Raises:
            ConfigError: There is no such task, tilt or kind of shapes.
        """
        if name not in TASKS:
            raise ConfigError(f'task must be one of {", ".join(TASKS)}, got {name!r}')
        if tilt not in TILTS:
            raise ConfigError(f'tilt must be one of {", ".join(TILTS)}, got {tilt!r}')
        if shapes not in SHAPES:
            raise ConfigError(f'shapes must be one of {", ".join(SHAPES)}, got {shapes!r}')
        self.name, self.tilt, self.shapes = name, tilt, shapes
        self._set(TASKS[name](None))
        self.held = False
        self._rng = np.random.default_rng(0)

    def _set(self, kind: Kind) -> None:
        first, second = COLORS[self.name]
        self.kind = kind
        self.object = Solid(kind.object, first, np.eye(4))
        self.target = Solid(kind.target, second, np.eye(4))

    def reset(self, seed: int) -> None:
        """Sets an episode up.

        Raises:
            ConfigError: No arrangement was found.
        """
        self._rng, self.held = np.random.default_rng(seed), False
        if self.shapes == 'varied':
            self._set(TASKS[self.name](np.random.default_rng([seed, 1])))
        radii = np.array([self.kind.object_radius, self.kind.target_radius])
        room = EDGE / 2 - radii
        for _ in range(DRAWS):
            first, second = self._rng.uniform(-1, 1, (2, 3)) * room[:, None]
            self.target = replace(self.target, pose=self._drawn(second))
            goal = (self.target.pose @ self.kind.goals)[:, :3, 3].mean(0)
            apart = np.linalg.norm(first - second) > radii.sum() + GAP / 2
            free = np.linalg.norm(first - goal) > 2 * radii[0] + GAP
            if apart and free and np.abs(goal).max() < room[0]:
                self.object = replace(self.object, pose=self._drawn(first))
                return
        raise ConfigError(f'no arrangement of {self.name} was found for seed {seed}')

    def _drawn(self, position: Double) -> Double:
        turn = (Rotation.random(rng=self._rng) if self.tilt == 'any' else
                Rotation.from_euler('z', self._rng.uniform(-np.pi, np.pi)))
        return _pose(turn.as_matrix(), (position[0], position[1], position[2]))

    def views(self) -> list[RgbdView]:
        """What the four cameras see."""
        return see([self.object, self.target], self._rng)

    def look(self) -> VoxelGrid:
        """The cube in voxels."""
        return voxelize_views(self.views(), CUBE)

    def show(self) -> tuple[Double, Double] | None:
        """Takes one of the grasps and one of the goals, at random.

        Returns:
            Poses (4, 4) of the tool at the pick and at the release; None once it has acted.
        """
        if self.held:
            return None
        grasp = self.kind.grasps[self._rng.integers(len(self.kind.grasps))]
        goal = self.kind.goals[self._rng.integers(len(self.kind.goals))]
        pick = self.object.pose @ grasp
        return pick, self.target.pose @ goal @ grasp

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Moves the object with the tool, if the pick is near one of the grasps.

        Returns:
            1 if the object is within 1 cm and 15 degrees of a goal, else 0; and True.
        """
        position, angle = self.pick_error(pick)
        if position <= POSITION and angle <= ANGLE:
            moved = place @ np.linalg.inv(pick) @ self.object.pose
            self.object, self.held = replace(self.object, pose=moved), True
        position, angle = self.error()
        return float(position <= POSITION and angle <= ANGLE), True

    def pick_error(self, pick: Double) -> tuple[float, float]:
        """How far a pick is from the nearest grasp [m, deg]."""
        return self._nearest(self.object.pose @ self.kind.grasps, pick)

    def place_error(self, pick: Double, place: Double) -> tuple[float, float]:
        """How far the object is from the nearest goal after moving with the tool [m, deg]."""
        return self.error_of(place @ np.linalg.inv(pick) @ self.object.pose)

    def error(self) -> tuple[float, float]:
        """How far the object is from the nearest goal [m, deg]."""
        return self.error_of(self.object.pose)

    def error_of(self, pose: Double) -> tuple[float, float]:
        """How far a pose of the object is from the nearest goal [m, deg]."""
        return self._nearest(self.target.pose @ self.kind.goals, pose)

    def _nearest(self, wanted: Double, found: Double) -> tuple[float, float]:
        position = np.linalg.norm(wanted[:, :3, 3] - found[:3, 3], axis=-1)
        if self.kind.revolved:
            cosine = (wanted[:, :3, 2] * found[:3, 2]).sum(-1)
            angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        else:
            angle = np.degrees(geodesic_distance(wanted[:, :3, :3], found[:3, :3]))
        best = int(np.argmin(position / POSITION + angle / ANGLE))
        return float(position[best]), float(angle[best])

    def close(self) -> None:
        """Nothing is held."""


def open_in_space(name: str, tilt: str = 'any', shapes: str = 'same') -> TaskInSpace:
    """Opens a task in space.

    Args:
        name: One of `TASKS`, or `SIXDOF` of Ravens.
        tilt: One of `TILTS`.
        shapes: One of `SHAPES`.

    Raises:
        ConfigError: There is no such task, or what it needs is not installed.
    """
    if name not in (*TASKS, SIXDOF):
        raise ConfigError(f'task must be one of {", ".join((*TASKS, SIXDOF))}, got {name!r}')
    if name != SIXDOF:
        return SpatialTask(name, tilt, shapes)
    if (tilt, shapes) != (RavensInSpace.tilt, RavensInSpace.shapes):
        raise ConfigError(f'{name} is of one tilt and one shape, got {tilt!r} and {shapes!r}')
    return RavensInSpace()
