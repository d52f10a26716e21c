"""What stands along a road: parked vehicles, street furniture, houses, gardens."""

from __future__ import annotations

import numpy as np

from eq_eval.simulation.roads import away_from_others
from eq_eval.simulation.roads import Road
from eq_eval.simulation.scenery import building
from eq_eval.simulation.scenery import fence
from eq_eval.simulation.world import WorldBuilder

FURNITURE = ('sign', 'bollard', 'column', 'bin', 'bench', 'bicycle rack', 'motorcycle', 'planter',
             'cone', 'container', 'bus stop', 'traffic light', 'trailer', 'bush', 'cart')
FACING_ROAD = ('sign', 'bus stop', 'bench')
WILD = {'tree': .40, 'bush': .27, 'thicket': .15, 'hedge': .10, 'container': .05, 'trailer': .03}


def park(builder: WorldBuilder, roads: list[Road], road: Road) -> None:
    """Rows of parked vehicles on both sides."""
    rng = builder.rng
    for sign, width in ((1, road.parking[0]), (-1, road.parking[1])):
        informal = not width and road.lanes == 1 and rng.random() < .5
        if width or informal:
            occupancy = rng.uniform(.25, .9) * builder.config.parked * (.4 if informal else 1.)
            _park_row(builder, roads, road, sign, width, occupancy)


def _park_row(builder: WorldBuilder, roads: list[Road], road: Road, sign: int, width: float,
              occupancy: float) -> None:
    """One row, along the kerb or (wide strips) across."""
    rng, across = builder.rng, width > 4
    pitch = (2.6, 3.0) if across else (5.6, 6.9)
    arcs = rng.uniform(0, 6) + np.cumsum(rng.uniform(*pitch, int(road.axis.length / pitch[0])))
    arcs = arcs[(arcs < road.axis.length - 6) & (rng.random(len(arcs)) < occupancy)]
    lateral = road.half - (width / 2 if width else 1.05) + rng.normal(0, .12, len(arcs))
    places = road.axis.beside(arcs, sign * lateral)
    if across:
        yaw = sign * np.pi / 2 * (1 if rng.random() < .5 else -1)
    else:
        yaw = 0. if sign == road.side else np.pi
    for x, y, heading in places[away_from_others(roads, road, places, 4.)]:
        turned = np.pi * (rng.random() < .12) + rng.normal(0, .035)
        name = 'truck' if rng.random() < .06 and not across else 'car'
        builder.add_standing(name, x, y, heading + yaw + turned, margin=.25)


def furnish(builder: WorldBuilder, road: Road) -> None:
    """Poles, trees and street furniture on the pavements."""
    rng, config, ground = builder.rng, builder.config, builder.ground
    for sign in (-1, 1):
        rows = [('lamp', rng.uniform(18, 40), .5)]
        if rng.random() > .35:
            rows.append(('tree', rng.uniform(7, 22) / max(config.vegetation, .05), 1.))
        if rng.random() < .3:
            rows.append(('bollard', rng.uniform(1.6, 4.), .3))
        for kind, pitch, off in rows:
            start = rng.uniform(0, pitch)
            stop = road.axis.length if kind != 'bollard' else min(start + 40, road.axis.length)
            arcs = np.arange(start, stop, pitch)
            arcs += rng.normal(0, .4, len(arcs))
            places = road.axis.beside(arcs, sign * (road.half + off))
            edge = ground.edge_distance(places[:, 0], places[:, 1])
            for x, y, heading in places[edge > .25]:
                builder.add_thing(kind, x, y, heading - sign * np.pi / 2)
        _scatter_furniture(builder, road, sign)


def _scatter_furniture(builder: WorldBuilder, road: Road, sign: int) -> None:
    rng, ground = builder.rng, builder.ground
    count = int(road.axis.length / 9 * builder.config.clutter)
    off = road.half + rng.uniform(.5, ground.pavement + .5, count)
    places = road.axis.beside(rng.uniform(0, road.axis.length, count), sign * off)
    edge = ground.edge_distance(places[:, 0], places[:, 1])
    for (x, y, heading), gap in zip(places, edge, strict=True):
        kind = FURNITURE[int(rng.integers(len(FURNITURE)))]
        if gap > .3 + .6 * (kind in ('container', 'bus stop')):
            turned = -sign * np.pi / 2 if kind in FACING_ROAD else 0.
            builder.add_thing(kind, x, y, heading + turned + rng.normal(0, .1))


def enclose(builder: WorldBuilder, road: Road) -> None:
    """What closes the view on each side: houses of a town or suburb, or a belt of shrubs."""
    for sign in (-1, 1):
        style = builder.rng.random()
        if style < .2 * min(builder.config.vegetation, 2.):
            _line_with_shrubs(builder, road, sign)
        _line_with_houses(builder, road, sign, urban=style > .6)


def _line_with_shrubs(builder: WorldBuilder, road: Road, sign: int) -> None:
    rng, ground = builder.rng, builder.ground
    arcs = np.arange(rng.uniform(0, 4), road.axis.length, rng.uniform(3.5, 6.))
    off = road.half + ground.pavement + rng.uniform(1.2, 3.5) + rng.normal(0, .4, len(arcs))
    places = road.axis.beside(arcs, sign * off)
    edge = ground.edge_distance(places[:, 0], places[:, 1])
    for x, y, heading in places[edge > ground.pavement + .8]:
        builder.add_thing('thicket', x, y, heading + rng.normal(0, .2))


def _line_with_houses(builder: WorldBuilder, road: Road, sign: int, urban: bool) -> None:
    """Buildings behind the pavement, with front gardens outside of town."""
    rng, ground = builder.rng, builder.ground
    arc = rng.uniform(-4, 4)
    while arc < road.axis.length:
        length, depth = rng.uniform(8, 26), rng.uniform(8, 14)
        tall = rng.uniform(8, 22) if urban else rng.uniform(4, 9)
        back = road.half + ground.pavement + (rng.uniform(0, .8) if urban
                                              else rng.uniform(2, 11))
        x, y, heading = road.axis.beside(arc + length / 2, sign * back)
        yaw = heading + (0 if sign > 0 else np.pi)
        along, deep = np.array([-.5, -.5, .5, .5, 0]) * length, np.array([0, 1, 0, 1, .5]) * depth
        edge = ground.edge_distance(x + np.cos(yaw) * along - np.sin(yaw) * deep,
                                    y + np.sin(yaw) * along + np.cos(yaw) * deep)
        if edge.min() > 1. and rng.random() < .88:
            builder.add_mesh(building(rng, length, depth, tall), x, y, yaw)
        if not urban:
            _front_garden(builder, road, sign, arc, length, back)
        arc += length + (rng.uniform(0, 2) if urban else rng.uniform(2, 12))


def _front_garden(builder: WorldBuilder, road: Road, sign: int, arc: float, length: float,
                  back: float) -> None:
    """A fence, hedge or thicket along the pavement, and at times a car in the drive."""
    rng, ground = builder.rng, builder.ground
    off = road.half + ground.pavement + .3
    x, y, heading = road.axis.beside(arc + length / 2, sign * off)
    if ground.edge_distance(x, y) < ground.pavement - .5:
        return
    choice = rng.random()
    if choice < .35:
        builder.add_mesh(fence(rng, length), x, y, heading)
    elif choice < .8:
        kind, further = ('hedge', .3) if choice < .6 else ('thicket', 1.2)
        for at in np.arange(arc, arc + length, 4.):
            x, y, heading = road.axis.beside(at, sign * (off + further))
            builder.add_thing(kind, x, y, heading)
    space = back - road.half - ground.pavement
    if space > 6 and rng.random() < .6 * builder.config.parked:
        x, y, heading = road.axis.beside(arc + length + 1.5, sign * (back - space / 2))
        if ground.edge_distance(x, y) > 2.5:
            builder.add_standing('car', x, y, heading + float(rng.choice([-1, 1])) * np.pi / 2)


def grow(builder: WorldBuilder, road: Road) -> None:
    """Trees and shrubs anywhere behind the pavements."""
    rng, ground = builder.rng, builder.ground
    count = int(road.axis.length / 3 * builder.config.vegetation)
    off = road.half + ground.pavement + rng.uniform(.8, 28, count)
    places = road.axis.beside(rng.uniform(0, road.axis.length, count),
                              rng.choice([-1, 1], count) * off)
    edge = ground.edge_distance(places[:, 0], places[:, 1])
    kinds = rng.choice(list(WILD), count, p=list(WILD.values()))
    for kind, (x, y, _) in zip(kinds[edge > ground.pavement + .5],
                               places[edge > ground.pavement + .5], strict=True):
        builder.add_thing(str(kind), x, y, rng.uniform(0, 2 * np.pi))
