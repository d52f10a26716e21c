"""Hall worlds: walls, pillars, racks, goods, people, carts and industrial trucks indoors."""

from __future__ import annotations

import numpy as np

from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.ground import Ground
from eq_eval.simulation.ground import open_floor
from eq_eval.simulation.ground import tones
from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.paths import Path
from eq_eval.simulation.paths import straight
from eq_eval.simulation.world import World
from eq_eval.simulation.world import WorldBuilder

Rng = np.random.Generator


def rack(rng: Rng, length: float) -> Mesh:
    """A shelf along x with goods on its boards."""
    depth, tall = rng.uniform(.6, 1.2), rng.uniform(1.8, 5.5)
    posts = [box((.08, .08, tall), (x, s * depth / 2, tall / 2), 'structure')
             for x in np.linspace(-length / 2 + .05, length / 2 - .05, max(2, int(length / 2.5)))
             for s in (-1, 1)]
    parts = posts
    for level in np.arange(.15, tall, rng.uniform(.9, 1.6)):
        parts.append(box((length, depth, .05), (0, 0, level), 'structure'))
        x = -length / 2 + .2
        while x < length / 2 - .5:
            size = rng.uniform([.3, .3, .2], [1.1, depth * .9, .75])
            if rng.random() < .7 and x + size[0] < length / 2:
                parts.append(box(size, (x + size[0] / 2, 0, level + size[2] / 2), 'object'))
            x += size[0] + rng.uniform(.02, .5)
    return merge(parts)


def _shell(builder: WorldBuilder, length: float, width: float, height: float) -> None:
    """Walls, ceiling with beams, and doors left open."""
    rng = builder.rng
    for sign in (-1, 1):
        builder.add_mesh(box((length, .3, height), (0, sign * width / 2, height / 2), 'wall'),
                         0, 0, 0, z=0., footprint=None)
        builder.claim(np.array([0, sign * width / 2, 0, length, .6]))
        builder.add_mesh(box((.3, width, height), (sign * length / 2, 0, height / 2), 'wall'),
                         0, 0, 0, z=0., footprint=None)
        builder.claim(np.array([sign * length / 2, 0, 0, .6, width]))
    beams = [box((.3, width, .5), (x, 0, height - .25), 'structure')
             for x in np.arange(-length / 2, length / 2, rng.uniform(5, 9))]
    builder.add_mesh(merge([box((length, width, .2), (0, 0, height), 'roof'), *beams]), 0, 0, 0,
                     z=0., footprint=None)
    radius = rng.uniform(.12, .4)
    pitch = rng.uniform(6, 14, 2)
    for x in np.arange(-length / 2 + pitch[0], length / 2 - 1, pitch[0]):
        for y in np.arange(-width / 2 + pitch[1], width / 2 - 1, pitch[1]):
            pillar = box((2 * radius, 2 * radius, height), (0, 0, height / 2), 'structure')
            builder.add_mesh(pillar, x, y, 0)


def _racks(builder: WorldBuilder, length: float, width: float) -> list[Path]:
    """Rows of racks over a part of the hall; returns the aisles between and around them."""
    rng, config = builder.rng, builder.config
    pitch = rng.uniform(4.0, 6.5)
    first = -width / 2 + rng.uniform(1., 3.)
    rows = np.arange(first, width / 2 - 1, pitch)
    low, high = sorted(rng.uniform(-length / 2 + 3, length / 2 - 3, 2))
    for y in rows:
        for x in np.arange(low, high - 3, 6.2):
            if rng.random() < .75 * min(config.clutter, 1.3):
                builder.add_mesh(rack(rng, 6.), x + 3, y, 0)
    aisles = [straight((-length / 2 + 1, y + pitch / 2), (length / 2 - 1, y + pitch / 2))
              for y in rows[:-1]]
    for x in (low - 2, high + 2, rng.uniform(-length / 2 + 3, length / 2 - 3)):
        aisles.append(straight((x, -width / 2 + 1), (x, width / 2 - 1)))
    return aisles


def _people(builder: WorldBuilder, aisles: list[Path], length: float, width: float) -> None:
    rng, config = builder.rng, builder.config
    for _ in range(rng.poisson(26 * config.pedestrians)):
        if rng.random() < .35:
            x, y = rng.uniform(-.48, .48, 2) * (length, width)
            builder.add_standing('pedestrian', x, y, rng.uniform(0, 2 * np.pi), margin=.1)
            continue
        path = aisles[int(rng.integers(len(aisles)))].shifted(rng.uniform(-1.2, 1.2))
        if rng.random() < .4:
            ends = rng.uniform(-.46, .46, (2, 2)) * (length, width)
            path = straight(ends[0], ends[1] + .5, .5)
        path = path if rng.random() < .5 else path.reversed()
        builder.add_mover('pedestrian', path, rng.uniform(0, path.length),
                          float(rng.uniform(.5, 1.8)), margin=.1)


def _traffic(builder: WorldBuilder, aisles: list[Path], length: float, width: float) -> None:
    rng, config = builder.rng, builder.config
    plan = (('truck', True, 4 * config.traffic), ('car', False, 1.2 * config.parked),
            ('truck', False, .5 * config.parked), ('cyclist', False, 1.5 * config.cyclists))
    for name, industrial, mean in plan:
        for _ in range(rng.poisson(mean)):
            path = aisles[int(rng.integers(len(aisles)))]
            path = path if rng.random() < .5 else path.reversed()
            if rng.random() < .55 and name != 'car':
                builder.add_mover(name, path, rng.uniform(0, path.length),
                                  float(rng.uniform(.8, 3.)), industrial=industrial)
            else:
                x, y = rng.uniform(-.45, .45, 2) * (length, width)
                builder.add_standing(name, x, y, rng.uniform(0, 2 * np.pi), industrial=industrial)


def hall(config: WorldConfig, split: str, rng: Rng, duration: float) -> World:
    """Builds a hall world; see `street` for the arguments."""
    speed = float(rng.choice([0., rng.uniform(.3, 2.)], p=[.25, .75]))
    speed = speed if config.ego_speed is None else min(config.ego_speed, 3.)
    travel = speed * duration
    length, width = float(rng.uniform(35, 90)) + travel, float(rng.uniform(22, 55))
    ground = Ground(np.zeros(2), np.zeros((0, 4)), *open_floor(max(length, width) / 2 + 4), 0., 0.,
                    inside='floor', tone=tones(rng))
    y = rng.uniform(-.4, .4) * width
    way = straight((-length / 2 + 3, y), (length / 2 - 3, y + rng.uniform(-.05, .05) * width))
    way = way if rng.random() < .5 else way.reversed()
    start = float(rng.uniform(0, max(way.length - travel, 1.)))
    builder = WorldBuilder(config, split, rng, duration, ground, (way, start, speed))
    _shell(builder, length, width, float(rng.uniform(4, 10)))
    aisles = _racks(builder, length, width)
    _traffic(builder, aisles, length, width)
    for _ in range(int(40 * config.clutter)):
        x, y = rng.uniform(-.48, .48, 2) * (length, width)
        kind = str(rng.choice(['pallet', 'cart', 'container', 'bin', 'cone', 'column', 'bench'],
                              p=[.35, .2, .1, .1, .1, .1, .05]))
        builder.add_thing(kind, x, y, float(rng.choice([0, np.pi / 2])) + rng.normal(0, .15))
    _people(builder, aisles, length, width)
    return builder.build()
