"""Street worlds: a straight or curved road, cross roads, traffic, parked cars, pavements."""

from __future__ import annotations

import numpy as np

from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.paths import Path
from eq_eval.simulation.paths import straight
from eq_eval.simulation.paths import turn
from eq_eval.simulation.roads import draw_ego
from eq_eval.simulation.roads import draw_ground
from eq_eval.simulation.roads import draw_roads
from eq_eval.simulation.roads import Road
from eq_eval.simulation.roadside import enclose
from eq_eval.simulation.roadside import furnish
from eq_eval.simulation.roadside import grow
from eq_eval.simulation.roadside import park
from eq_eval.simulation.world import World
from eq_eval.simulation.world import WorldBuilder

Rng = np.random.Generator
TRIES = 3  # places that are tried for something that would touch something else


def street(config: WorldConfig, split: str, rng: Rng, duration: float) -> World:
    """Builds a street world.

    Args:
        config: What it holds.
        split: Whose shapes to use.
        rng: Source of all chance.
        duration: Time that the sequence takes [s].
    """
    speed = float(rng.choice([0., rng.uniform(2, 8), rng.uniform(6, 13)], p=[.15, .35, .5]))
    speed = speed if config.ego_speed is None else config.ego_speed
    roads = draw_roads(rng, speed * duration)
    ground = draw_ground(rng, config, roads)
    builder = WorldBuilder(config, split, rng, duration, ground, draw_ego(rng, roads, speed))
    for road in roads:
        park(builder, roads, road)
    for road in roads:
        enclose(builder, road)
    for road in roads:
        grow(builder, road)
        furnish(builder, road)
    for road in roads:
        _drive(builder, roads, road, duration)
    for road in roads:
        _cycle(builder, road)
        _walk(builder, road)
    return builder.build()


def _drive(builder: WorldBuilder, roads: list[Road], road: Road, duration: float) -> None:
    """Vehicles in all lanes; all of a lane keep one pace, the sensor's lane that of the sensor."""
    rng = builder.rng
    for forward in (True, False):
        for number in range(road.lanes):
            lane = road.lane(number, forward)
            pace = float(rng.uniform(4, 14))
            if road is not roads[0] and rng.random() < .4:
                pace = 0.
            if road is roads[0] and forward and number == 0:
                pace = builder.ego[2]
            arc = -pace * duration + rng.uniform(0, 30)
            while arc < lane.length - 8:
                name = 'truck' if rng.random() < .18 else 'car'
                way = _way(rng, roads, road, lane)
                builder.add_mover(name, way, arc, pace, margin=.6)
                arc += rng.uniform(9, 60) / max(builder.config.traffic, .05) + 7


def _way(rng: Rng, roads: list[Road], road: Road, lane: Path) -> Path:
    """The lane itself, or now and then a turn into another road."""
    if len(roads) > 1 and rng.random() < .15:
        other = roads[1] if road is roads[0] else roads[0]
        return turn(lane, other.lane(0, bool(rng.random() < .5)), 8.) or lane
    return lane


def _cycle(builder: WorldBuilder, road: Road) -> None:
    """Cyclists at the edge of the carriageway, a few on the pavement."""
    rng, config = builder.rng, builder.config
    out = road.driven - max(road.margin, .7) / 2 - (road.lanes - .5) * road.lane_width
    for _ in range(rng.poisson(4 * config.cyclists)):
        for _ in range(TRIES):
            lane = road.lane(road.lanes - 1, bool(rng.random() < .5), out + rng.normal(0, .12))
            if builder.add_mover('cyclist', lane, rng.uniform(0, lane.length),
                                 float(rng.uniform(2.5, 7))):
                break
    if rng.random() < .6 * config.cyclists:
        line = road.axis.shifted(float(rng.choice([-1, 1])) * (road.half + 1.2))
        builder.add_mover('cyclist', line, rng.uniform(0, line.length), 3.5)


def _walk(builder: WorldBuilder, road: Road) -> None:
    """People on the pavements: some stand, some cross, most walk, alone or in groups."""
    rng, ground = builder.rng, builder.ground
    for _ in range(rng.poisson(20 * builder.config.pedestrians)):
        sign = float(rng.choice([-1, 1]))
        off = sign * (road.half + rng.uniform(.5, max(ground.pavement - .3, .8)))
        arc = rng.uniform(5, road.axis.length - 5)
        x, y, heading = road.axis.beside(arc, off)
        if ground.edge_distance(x, y) < .2 and rng.random() < .8:
            continue
        kind = rng.random()
        if kind < .2:
            builder.add_standing('pedestrian', x, y, rng.uniform(0, 2 * np.pi), margin=.1)
        elif kind < .32:
            _cross(builder, road, arc, sign)
        else:
            _stroll(builder, road.axis.shifted(off), arc)


def _cross(builder: WorldBuilder, road: Road, arc: float, sign: float) -> None:
    rng = builder.rng
    x, y, heading = road.axis.at(arc)
    across = heading + np.pi / 2 * sign + rng.normal(0, .2)
    reach = (road.half + builder.ground.pavement) * np.array([np.cos(across), np.sin(across)])
    line = straight((x, y) - reach, (x, y) + reach, .5)
    builder.add_mover('pedestrian', line, rng.uniform(0, line.length), float(rng.uniform(.8, 1.9)))


def _stroll(builder: WorldBuilder, line: Path, arc: float) -> None:
    rng = builder.rng
    if rng.random() < .5:
        line, arc = line.reversed(), line.length - arc
    pace = float(np.clip(rng.normal(1.3, .3), .5, 2.6))
    for member in range(int(rng.choice([1, 2, 3], p=[.68, .25, .07]))):
        builder.add_mover('pedestrian', line.shifted(.75 * member), arc + rng.normal(0, .2), pace,
                          margin=.1)
