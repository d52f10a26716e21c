"""A world in the making: static geometry, objects on paths, and nothing inside anything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.ground import Ground
from eq_eval.simulation.materials import CLASS_NAMES
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import place
from eq_eval.simulation.paths import overlaps
from eq_eval.simulation.paths import Path
from eq_eval.simulation.paths import straight
from eq_eval.simulation.scenery import thing
from eq_eval.simulation.scenery import VARIANTS
from eq_eval.simulation.shapes import random_shape
from eq_eval.simulation.shapes import Shape

Array = NDArray[np.float64]
TIME_STEP = .2  # spacing of the collision checks [s]
SLIM = {'tree': .7, 'lamp': .35, 'sign': .35, 'traffic light': .4}  # footprint at foot height [m]


@dataclass(frozen=True, eq=False)
class Actor:
    """One object: a shape that follows a path, or stands at its start.

    Attributes:
        track_id: Identity, from 1.
        shape: Its shape.
        scale: (3,) factors on the shape.
        brightness: Factor on the reflectivity of its paint or clothes.
        path: Where it goes.
        start: Arc length at time 0 [m]; negative: it comes later.
        speed: Speed along the path [m/s].
        moves: Whether it is not part of the static mesh; a mover may have speed 0.
    """

    track_id: int
    shape: Shape
    scale: Array
    brightness: float
    path: Path
    start: float
    speed: float
    moves: bool

    @property
    def label(self) -> int:
        """Index into `materials.CLASS_NAMES`."""
        return CLASS_NAMES.index(self.shape.class_name)

    @cached_property
    def size(self) -> Array:
        """(3,) length, width, height [m]."""
        return np.asarray(self.shape.size * self.scale)

    def pose(self, time: float | Array) -> Array:
        """(..., 3) x, y [m] and heading [rad] at times [s]."""
        if not self.speed and np.ndim(time) == 0:
            return self._rest
        return self.path.at(self.start + self.speed * np.asarray(time))

    @cached_property
    def _rest(self) -> Array:
        return self.path.at(self.start)

    def present(self, time: float | Array) -> NDArray[np.bool_]:
        """Whether it is on its path at times [s]."""
        arc = self.start + self.speed * np.asarray(time)
        return np.asarray((arc >= 0) & (arc <= self.path.length))

    def mesh(self, time: float) -> Mesh:
        """Its mesh at a time, in its own frame and unscaled."""
        if self.speed < .1:
            return self.shape.phases[0]
        return self.shape.phase(abs(self.start + self.speed * time) / float(self.scale[2]))


@dataclass(frozen=True, eq=False)
class World:
    """A finished world.

    Attributes:
        ground: The ground.
        mesh: Everything that does not move, parked vehicles included.
        instance: (T,) uint32 track of each triangle of `mesh`, 0 = none.
        brightness: (T,) float32 factor on each triangle's reflectivity.
        actors: All objects; those that move are not in `mesh`.
        ego: Path of the sensor, with `start` and `speed` as of an `Actor`.
    """

    ground: Ground
    mesh: Mesh
    instance: NDArray[np.uint32]
    brightness: NDArray[np.float32]
    actors: tuple[Actor, ...]
    ego: tuple[Path, float, float]


class WorldBuilder:
    """Collects what a world holds and refuses what would overlap."""

    def __init__(self, config: WorldConfig, split: str, rng: np.random.Generator, duration: float,
                 ground: Ground, ego: tuple[Path, float, float]) -> None:
        """Starts with bare ground and the sensor's own way kept free."""
        self.config, self.split, self.rng, self.ground = config, split, rng, ground
        self.ego = ego
        self.times = np.arange(-TIME_STEP, duration + 2 * TIME_STEP, TIME_STEP)
        self._parts: list[tuple[Mesh, int, float]] = []
        self._actors: list[Actor] = []
        self._footprints = np.zeros((4096, 5))
        self._count = 0
        ego_track = ego[0].at(ego[1] + ego[2] * self.times)
        self._ego = np.concatenate([ego_track, np.full((len(self.times), 2), (6., 2.6))], 1)
        self._tracks = [self._ego]
        self.add_mesh(ground.mesh(), 0, 0, 0, z=0., footprint=None)

    def free(self, rectangle: Array, with_ego: bool = True) -> bool:
        """Whether nothing static stands in a (5,) rectangle, nor the sensor's way leads over."""
        near = self._footprints[:self._count]
        reach = rectangle[3] + near[:, 3] + rectangle[4] + near[:, 4]
        close = np.abs(near[:, :2] - rectangle[:2]).max(1) < reach / 2
        if close.any() and overlaps(rectangle, near[close]).any():
            return False
        return not (with_ego and bool(overlaps(rectangle, self._ego).any()))

    def claim(self, rectangle: Array) -> None:
        """Marks a (5,) rectangle as taken."""
        if self._count < len(self._footprints):
            self._footprints[self._count] = rectangle
            self._count += 1

    def add_mesh(self, mesh: Mesh, x: float, y: float, yaw: float, z: float | None = None,
                 scale: float = 1., footprint: tuple[float, float] | None = (0., 0.)) -> bool:
        """Adds something static unless its place is taken.

        Args:
            mesh: The mesh in its own frame.
            x: Place [m].
            y: Place [m].
            yaw: Heading [rad].
            z: Height [m]; None stands it on the ground.
            scale: Factor on its size.
            footprint: Length and width that must be free [m]; zeros take the mesh's bounds and
                None checks nothing.

        Returns:
            Whether it was added.
        """
        if footprint is not None:
            rectangle = self._rectangle(mesh, x, y, yaw, scale, footprint)
            if not self.free(rectangle):
                return False
            self.claim(rectangle)
        height = float(self.ground.height(x, y)) if z is None else z
        self._parts.append((mesh.moved((x, y, height), yaw, scale), 0,
                            float(self.rng.uniform(.5, 1.4))))
        return True

    def _rectangle(self, mesh: Mesh, x: float, y: float, yaw: float, scale: float,
                   footprint: tuple[float, float]) -> Array:
        if footprint[0]:
            return np.array([x, y, yaw, *footprint])
        low, high = mesh.bounds()[:, :2].astype(float) * scale
        middle = (low + high) / 2
        cos, sin = np.cos(yaw), np.sin(yaw)
        return np.array([x + cos * middle[0] - sin * middle[1],
                         y + sin * middle[0] + cos * middle[1], yaw, *(high - low)])

    def add_thing(self, kind: str, x: float, y: float, yaw: float) -> bool:
        """Adds a piece of scenery of the split's pool unless its place is taken."""
        mesh = thing(self.split, kind, int(self.rng.integers(VARIANTS[self.split])))
        slim = SLIM.get(kind)
        return self.add_mesh(mesh, x, y, yaw, scale=float(self.rng.uniform(.85, 1.2)),
                             footprint=(slim, slim) if slim else (0., 0.))

    def _actor(self, shape: Shape, path: Path, start: float, speed: float, moves: bool) -> Actor:
        vehicle = shape.class_name in ('car', 'truck')
        scale = self.rng.uniform(.96, 1.04, 3) * self.rng.uniform(*((.92, 1.04) if vehicle
                                                                    else (.97, 1.03)))
        brightness = self.rng.uniform(.15, 1.9) if vehicle else self.rng.uniform(.3, 1.8)
        return Actor(len(self._actors) + 1, shape, scale, float(brightness), path, start, speed,
                     moves)

    def add_standing(self, class_name: str, x: float, y: float, yaw: float, margin: float = .15,
                     industrial: bool = False) -> bool:
        """Adds an object that stays where it is, unless its place is taken."""
        shape = random_shape(self.rng, self.split, class_name, industrial)
        tip = (x + np.cos(yaw), y + np.sin(yaw))
        actor = self._actor(shape, straight((x, y), tip), 0., 0., False)
        rectangle = np.array([x, y, yaw, *(actor.size[:2] + margin)])
        if not self.free(rectangle):
            return False
        self.claim(rectangle)
        z = float(self.ground.height(x, y))
        moved = Mesh(place(shape.phases[0].vertices, (x, y, z), yaw, actor.scale),
                     shape.phases[0].triangles, shape.phases[0].material)
        self._parts.append((moved, actor.track_id, actor.brightness))
        self._actors.append(actor)
        return True

    def add_mover(self, class_name: str, path: Path, start: float, speed: float,
                  margin: float = .3, industrial: bool = False) -> bool:
        """Adds a moving object unless it would ever touch something."""
        shape = random_shape(self.rng, self.split, class_name, industrial)
        actor = self._actor(shape, path, start, speed, True)
        track = np.concatenate([actor.pose(self.times), np.broadcast_to(
            actor.size[:2] + margin, (len(self.times), 2))], 1)
        present = actor.present(self.times)
        if not present.any():
            return False
        track[~present, :2] += 1e5  # out of everybody's way
        if not self._track_free(track, present):
            return False
        self._tracks.append(track)
        self._actors.append(actor)
        return True

    def _track_free(self, track: Array, present: NDArray[np.bool_]) -> bool:
        if overlaps(track, np.stack(self._tracks)).any():
            return False
        way = track[present]
        near = self._footprints[:self._count]
        reach = way[0, 3] + way[0, 4] + (near[:, 3] + near[:, 4]) / 2
        low, high = way[:, :2].min(0), way[:, :2].max(0)
        within = (near[:, :2] > low - reach[:, None]) & (near[:, :2] < high + reach[:, None])
        return not overlaps(way[:, None], near[within.all(1)][None]).any()

    def build(self) -> World:
        """Joins everything."""
        meshes = [part[0] for part in self._parts]
        counts = [len(mesh.triangles) for mesh in meshes]
        instance = np.repeat(np.array([p[1] for p in self._parts], np.uint32), counts)
        brightness = np.repeat(np.array([p[2] for p in self._parts], np.float32), counts)
        return World(self.ground, merge(meshes), instance, brightness, tuple(self._actors),
                     self.ego)
