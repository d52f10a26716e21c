"""Scans of a world by a sensor that moves through it."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.config import SequenceSpec
from eq_eval.simulation.materials import CLASS_SEMANTIC
from eq_eval.simulation.materials import GROUND
from eq_eval.simulation.materials import PILE_OF
from eq_eval.simulation.materials import SEMANTIC
from eq_eval.simulation.materials import SEMANTIC_OF
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import place
from eq_eval.simulation.raycast import nearest
from eq_eval.simulation.raycast import Returns
from eq_eval.simulation.raycast import see_through
from eq_eval.simulation.raycast import Surface
from eq_eval.simulation.raycast import surface
from eq_eval.simulation.response import measure
from eq_eval.simulation.response import Response
from eq_eval.simulation.sensors import beam_directions
from eq_eval.simulation.sensors import sensor as find_sensor
from eq_eval.simulation.window import window
from eq_eval.simulation.world import Actor
from eq_eval.simulation.world import World

Floats = NDArray[np.float32]
Semantics = NDArray[np.uint16]
SLICES = 8  # pieces of a turn between which moving objects move, with motion distortion
ACTOR_REACH = 110.  # moving objects farther away are left out [m]
ROBOTS = {'street': .12, 'square': .45, 'hall': .85}  # share of sensors on low robots
LONGEST_BLADE_WAY = 2.  # how far a grazing pulse goes through grass at most [m]
TILT = .35  # standard deviation of the mount's roll and pitch [deg]


@dataclass(frozen=True, eq=False)
class Cloud:
    """A finished scan: N points in the sensor's frame and their labels.

    Attributes:
        xyz: (N, 3) float32 [m].
        intensity: (N,) float32 in [0, 1].
        time_offset: (N,) float32 [s] from the start of the turn; zeros without motion distortion.
        ring: (N,) uint16 number of the beam, 0 is the highest.
        semantic: (N,) uint16 SemanticKITTI raw id.
        instance: (N,) uint32 track of the object, 0 = none.
    """

    xyz: Floats
    intensity: Floats
    time_offset: Floats
    ring: NDArray[np.uint16]
    semantic: Semantics
    instance: NDArray[np.uint32]


class Scanner:
    """Scans one world with one sensor."""

    def __init__(self, world: World, spec: SequenceSpec) -> None:
        """Builds the static scene and draws what stays the same over the sequence."""
        self.world, self.spec = world, spec
        self.sensor = find_sensor(spec.sensor).with_columns(spec.columns)
        rng = spec.rng(1)
        self.height = _mount_height(rng, spec)
        self.response = Response.draw(rng, spec.world.spurious)
        roll, pitch = np.deg2rad(rng.normal(0, TILT, 2))
        self.tilt = float(abs(roll) + abs(pitch))
        tilt = np.array([[1, 0, pitch], [0, 1, -roll], [-pitch, roll, 1]])  # first order
        directions, self.column_time = beam_directions(self.sensor)
        turned = directions @ tilt.T
        self.beams = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
        self.static = surface(world.mesh, world.instance, world.brightness)
        self._known: tuple[float, list[Actor], NDArray[np.float64]] | None = None
        self._class_of = np.array(
            [SEMANTIC['unlabeled'], *(CLASS_SEMANTIC[a.label] for a in world.actors)], np.uint16)

    def pose(self, time: float) -> NDArray[np.float64]:
        """(4, 4) pose of the sensor's frame in the world; the frame is kept upright."""
        x, y, z, yaw = self._place(np.asarray(time))
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        pose[:3, 3] = x, y, z
        return pose

    def objects(self, time: float, radius: float) -> tuple[list[Actor], NDArray[np.float64]]:
        """The objects within `radius` [m] of the sensor at a time.

        Returns:
            A objects and (A, 3) their x, y [m] and heading [rad] in the world.
        """
        if self._known is None or self._known[0] != time:
            found = [a for a in self.world.actors if a.present(time)]
            self._known = time, found, np.array([a.pose(time) for a in found]).reshape(-1, 3)
        _, actors, poses = self._known
        x, y, *_ = self._place(np.asarray(time))
        near = np.flatnonzero(np.hypot(poses[:, 0] - x, poses[:, 1] - y) < radius)
        return [actors[i] for i in near], poses[near]

    def scan(self, frame: int) -> Cloud:
        """The scan of sensor turn `frame`, from 0."""
        time, rng = frame * self.sensor.period, self.spec.rng(2, frame)
        rays = self.rays(time)
        if not self.spec.motion_distortion:
            return self._cloud(self._hits(rays, self._moving(time), rng, self.aimed(time)), rng)
        parts = []
        for columns in np.array_split(np.arange(self.sensor.columns), SLICES):
            first, last = columns[0] * self.sensor.rings, (columns[-1] + 1) * self.sensor.rings
            middle = time + float(self.column_time[columns].mean())
            found = self._hits(rays[first:last], self._moving(middle), rng)
            parts.append(replace(found, ray=found.ray + first))
        return self._cloud(Returns.joined(parts), rng)

    def _place(self, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """x, y, z [m] and heading [rad] of the sensor at times [s]."""
        path, start, speed = self.world.ego
        x, y, yaw = np.moveaxis(path.at(start + speed * time), -1, 0)
        return x, y, self.world.ground.base(x, y) + self.height, yaw

    def rays(self, time: float) -> Floats:
        """(columns * rings, 6) origins and directions in the world."""
        columns, rings = self.sensor.columns, self.sensor.rings
        times = time + (self.column_time if self.spec.motion_distortion else np.zeros(1))
        x, y, z, yaw = (c[:, None].astype(np.float32) for c in self._place(
            np.asarray(times, float)))
        cos, sin = np.cos(yaw), np.sin(yaw)
        beams = self.beams.reshape(columns, rings, 3)
        rays = np.empty((columns, rings, 6), np.float32)
        rays[..., 0], rays[..., 1], rays[..., 2] = x, y, z
        rays[..., 3] = cos * beams[..., 0] - sin * beams[..., 1]
        rays[..., 4] = sin * beams[..., 0] + cos * beams[..., 1]
        rays[..., 5] = beams[..., 2]
        return rays.reshape(-1, 6)

    def _moving(self, time: float) -> Surface | None:
        """The moving objects near the sensor at a time."""
        actors, poses = self.objects(time, ACTOR_REACH)
        heights = self.world.ground.height(poses[:, 0], poses[:, 1])
        meshes, tracks, brightness = [], [], []
        for actor, (x, y, yaw), z in zip(actors, poses, heights, strict=True):
            if actor.moves:
                mesh = actor.mesh(time)
                vertices = place(mesh.vertices, (x, y, z), yaw, actor.scale)
                meshes.append(Mesh(vertices, mesh.triangles, mesh.material))
                tracks.append(actor.track_id)
                brightness.append(actor.brightness)
        if not meshes:
            return None
        counts = [len(mesh.triangles) for mesh in meshes]
        return surface(merge(meshes), np.repeat(np.array(tracks, np.uint32), counts),
                       np.repeat(np.array(brightness, np.float32), counts))

    def aimed(self, time: float) -> NDArray[np.int64] | None:
        """Numbers of the rays of a snapshot that can meet a moving object; None for all."""
        actors, poses = self.objects(time, ACTOR_REACH)
        rows = [row for row, actor in enumerate(actors) if actor.moves]
        if not rows:
            return None
        sizes = np.array([actors[row].size for row in rows])
        middles = np.column_stack([poses[rows, :2], sizes[:, 2] / 2])
        middles[:, 2] += self.world.ground.height(middles[:, 0], middles[:, 1])
        inverse = np.linalg.inv(self.pose(time))
        return window(self.sensor, self.tilt, middles @ inverse[:3, :3].T + inverse[:3, 3], sizes)

    def _hits(self, rays: Floats, moving: Surface | None, rng: np.random.Generator,
              aimed: NDArray[np.int64] | None = None) -> Returns:
        """What the rays hit."""
        reach = self.sensor.max_range
        found = nearest(self.static, moving, rays, reach, aimed)
        return self._ground(rays, see_through(self.static, moving, rays, found, reach, rng), rng)

    def _ground(self, rays: Floats, found: Returns, rng: np.random.Generator) -> Returns:
        """Lifts the ground beside the carriageway by the kerb's height, and tells its material."""
        ground, distance = self.world.ground, found.distance.copy()
        at = np.flatnonzero(found.material == GROUND)
        own, far = rays[found.ray[at]], distance[at]
        edge = _edge_at(self.world, own, far)
        if ground.kerb:
            # From the base surface back along the ray to the height of the kerb.
            back = np.minimum(ground.kerb / np.maximum(-own[:, 5], 1e-3), far - .1)
            edge_up = _edge_at(self.world, own, far - back)
            on_top = edge_up > 0
            face = ~on_top & (edge > 0)  # the ray crosses the edge in between
            share = np.clip(edge_up / np.minimum(edge_up - edge, -1e-6), 0, 1)
            distance[at] = np.where(on_top, far - back,
                                    np.where(face, far - back * (1 - share), far))
            edge = np.where(on_top, edge_up, np.where(face, np.float32(.01), edge))
        places = own[:, :2] + distance[at, None] * own[:, 3:5]
        material, brightness = found.material.copy(), found.brightness.copy()
        material[at] = ground.material(places[:, 0], places[:, 1], edge)
        brightness[at] = ground.tone[material[at]]
        # A pulse stops anywhere between the tips of the blades and the soil.
        lift = PILE_OF[material[at]] * rng.random(len(at), np.float32)
        distance[at] = np.maximum(
            distance[at] - np.minimum(lift / np.maximum(-own[:, 5], 1e-3), LONGEST_BLADE_WAY), .1)
        return replace(found, distance=distance, material=material, brightness=brightness)

    def _cloud(self, found: Returns, rng: np.random.Generator) -> Cloud:
        """The points that are measured."""
        measured = measure(self.response, self.sensor, found, rng)
        ray, spurious = found.ray[measured.kept], measured.spurious
        instance = np.where(spurious, 0, found.instance[measured.kept]).astype(np.uint32)
        semantic = np.where(instance > 0, self._class_of[instance],
                            SEMANTIC_OF[found.material[measured.kept]])
        semantic = np.where(spurious, SEMANTIC['outlier'], semantic).astype(np.uint16)
        offset = np.zeros(len(ray), np.float32)
        if self.spec.motion_distortion:
            offset = self.column_time[ray // self.sensor.rings]
        return Cloud(self.beams[ray] * measured.distance[:, None], measured.intensity, offset,
                     (ray % self.sensor.rings).astype(np.uint16), semantic, instance)


def _edge_at(world: World, rays: Floats, distance: Floats) -> Floats:
    """Signed distance to the carriageway's edge [m] at places along rays."""
    places = rays[:, :2] + distance[:, None] * rays[:, 3:5]
    return world.ground.edge_distance(places[:, 0], places[:, 1])


def _mount_height(rng: np.random.Generator, spec: SequenceSpec) -> float:
    """Sensor height above ground [m]."""
    robot = rng.random() < ROBOTS[spec.world.kind]
    low, high = spec.world.mount_height or ((.5, 1.2) if robot else (1.6, 2.1))
    return float(rng.uniform(low, high))
