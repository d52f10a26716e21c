"""Square worlds: an open place with traffic in all directions, stalls, and people everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.ground import Ground
from eq_eval.simulation.ground import open_floor
from eq_eval.simulation.ground import relief
from eq_eval.simulation.ground import tones
from eq_eval.simulation.paths import bezier
from eq_eval.simulation.paths import Path
from eq_eval.simulation.scenery import building
from eq_eval.simulation.world import World
from eq_eval.simulation.world import WorldBuilder

Rng = np.random.Generator
Array = NDArray[np.float64]
FLOORS = ('slabs', 'slabs', 'asphalt', 'gravel')
BAY = 5.4   # depth of a parking bay [m]


def _on_circle(rng: Rng, radius: float) -> Array:
    angle = rng.uniform(0, 2 * np.pi)
    return radius * np.array([np.cos(angle), np.sin(angle)])


def chord(rng: Rng, radius: float, bow: float = .35) -> Path:
    """A gently bent path across a circle."""
    while True:
        start, end = _on_circle(rng, radius), _on_circle(rng, radius)
        if np.hypot(*(end - start)) > radius:
            control = (start + end) / 2 + rng.normal(0, bow * radius / 2, 2)
            return Path.through(bezier(start, control, end, max(12, int(2 * radius))))


def _ego(rng: Rng, travel: float, speed: float) -> tuple[Path, float, float]:
    """A curve about the middle of the square, extended straight at both ends."""
    heading = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(heading), np.sin(heading)])
    middle = rng.uniform(-15, 15, 2)
    reach = travel / 2 + 6
    bow = rng.normal(0, .25) * reach * np.array([-way[1], way[0]])
    path = Path.through(bezier(middle - reach * way, middle + bow, middle + reach * way,
                               max(24, int(reach))))
    return path, max(0., (path.length - travel) / 2), speed


def _lay_out(ground: Ground, rng: Rng, radius: float) -> None:
    """Lawns, and at times a road across."""
    for _ in range(int(rng.integers(0, 5))):
        x, y = _on_circle(rng, rng.uniform(.2, 1.) * radius)
        ground.zones.paint_rectangle('grass', x, y, rng.uniform(0, np.pi),
                                     *rng.uniform(6, 28, 2))
    if rng.random() < .5:
        x, y = _on_circle(rng, rng.uniform(0, .7) * radius)
        ground.zones.paint_rectangle('asphalt', x, y, rng.uniform(0, np.pi), 3 * radius,
                                     rng.uniform(6, 11))


def _surround(builder: WorldBuilder, radius: float) -> None:
    """Buildings around the square."""
    rng = builder.rng
    angle = rng.uniform(0, .5)
    while angle < 2 * np.pi:
        length = rng.uniform(10, 30)
        step = (length + rng.choice([0., 1., 10.])) / radius
        at = angle + step / 2
        far = radius + rng.uniform(0, 12)
        yaw = at - np.pi / 2  # the front (-y) looks at the middle
        builder.add_mesh(building(rng, length, 12., rng.uniform(5, 22)), far * np.cos(at),
                         far * np.sin(at), yaw)
        angle += step


def _parking_lot(builder: WorldBuilder, radius: float) -> None:
    """Rows of parked vehicles at any angle."""
    rng = builder.rng
    for _ in range(rng.poisson(2.2 * builder.config.parked)):
        middle = _on_circle(rng, rng.uniform(.2, .9) * radius)
        yaw = rng.uniform(0, 2 * np.pi)
        along = np.array([-np.sin(yaw), np.cos(yaw)])
        pitch = rng.uniform(2.5, 3.1)
        occupancy = rng.uniform(.4, .95)
        bays = int(rng.integers(3, 11))
        x, y = middle + along * pitch * (bays - 1) / 2
        builder.ground.zones.paint_rectangle('block paving', x, y, yaw, BAY, pitch * bays)
        for i in range(bays):
            if rng.random() < occupancy:
                x, y = middle + along * pitch * i
                flip = np.pi * (rng.random() < .3)
                builder.add_standing('car', x, y, yaw + flip + rng.normal(0, .04))
    for _ in range(rng.poisson(6 * builder.config.parked)):
        x, y = _on_circle(rng, rng.uniform(.1, 1) * radius)
        builder.add_standing('truck' if rng.random() < .3 else 'car', x, y,
                             rng.uniform(0, 2 * np.pi))


def _furnish(builder: WorldBuilder, radius: float) -> None:
    rng, config = builder.rng, builder.config
    kinds = ['lamp', 'bollard', 'column', 'bin', 'bench', 'bicycle rack', 'motorcycle', 'planter',
             'cone', 'container', 'kiosk', 'sign', 'trailer', 'cart', 'bus stop', 'pallet']
    for _ in range(int(70 * config.clutter)):
        x, y = radius * np.sqrt(rng.random()) * _on_circle(rng, 1.)
        builder.add_thing(str(rng.choice(kinds)), x, y, rng.uniform(0, 2 * np.pi))
    for _ in range(int(45 * config.vegetation)):
        x, y = radius * (.3 + .7 * rng.random()) * _on_circle(rng, 1.)
        kind = str(rng.choice(['tree', 'bush', 'hedge', 'thicket'], p=[.5, .25, .15, .1]))
        builder.add_thing(kind, x, y, rng.uniform(0, 2 * np.pi))


def _populate(builder: WorldBuilder, radius: float, duration: float) -> None:
    rng, config = builder.rng, builder.config
    plan = (('car', 22 * config.traffic, (1.5, 10.)), ('truck', 6 * config.traffic, (1.5, 8.)),
            ('cyclist', 14 * config.cyclists, (2., 6.5)),
            ('pedestrian', 34 * config.pedestrians, (.6, 2.)))
    for name, mean, (low, high) in plan:
        for _ in range(rng.poisson(mean)):
            if name == 'pedestrian' and rng.random() < .25:
                x, y = radius * np.sqrt(rng.random()) * _on_circle(rng, 1.)
                builder.add_standing(name, x, y, rng.uniform(0, 2 * np.pi), margin=.1)
                continue
            for _ in range(3):
                path = chord(rng, radius * rng.uniform(.8, 1.1))
                pace = float(rng.uniform(low, high))
                if builder.add_mover(name, path, rng.uniform(-.2 * pace * duration, path.length),
                                     pace):
                    break


def square(config: WorldConfig, split: str, rng: Rng, duration: float) -> World:
    """Builds a square world; see `street` for the arguments."""
    speed = float(rng.choice([0., rng.uniform(.5, 2), rng.uniform(2, 8)], p=[.2, .4, .4]))
    speed = speed if config.ego_speed is None else config.ego_speed
    radius = float(rng.uniform(45, 80)) + speed * duration / 2
    low, floor = open_floor(radius + 40)
    slope, waves = relief(rng, config.slope, config.undulation)
    ground = Ground(slope, waves, low, floor, 0., 0.,
                    inside=FLOORS[int(rng.integers(len(FLOORS)))], tone=tones(rng))
    _lay_out(ground, rng, radius)
    builder = WorldBuilder(config, split, rng, duration, ground,
                           _ego(rng, speed * duration, speed))
    _surround(builder, radius)
    _parking_lot(builder, radius)
    _furnish(builder, radius)
    _populate(builder, radius, duration)
    return builder.build()
