"""Trees, buildings and street furniture, many of them shaped like what must not be detected."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
import zlib

import numpy as np

from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import extrude
from eq_eval.simulation.mesh import lathe
from eq_eval.simulation.mesh import leaves
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import quads
from eq_eval.simulation.mesh import Rng
from eq_eval.simulation.mesh import tube
from eq_eval.simulation.people import bicycle

VARIANTS = {'train': 200, 'validation': 10, 'test': 10}  # meshes of each kind of thing


def tree(rng: Rng) -> Mesh:
    """A broad-leaved tree, conifer, poplar or bare tree."""
    height, radius = rng.uniform(4, 12), rng.uniform(.07, .28)
    kind = rng.choice(['round', 'round', 'cone', 'poplar', 'bare'])
    clear = height * rng.uniform(.2, .4) if kind != 'cone' else .6
    lean = rng.normal(0, .15, 2)
    parts = [tube((0, 0, 0), (lean[0], lean[1], height * .75), (radius, radius * .4), 'trunk', 7)]
    if kind == 'bare':
        for _ in range(12):
            base = rng.uniform(.35, .8) * height
            way = rng.normal(size=3) * (1, 1, .3) + (0, 0, .8)
            tip = np.array([lean[0], lean[1], base]) + way * height * .16
            parts.append(tube((*lean * base / height, base), tip, (radius * .35, .02), 'trunk', 4))
    elif kind == 'cone':
        for share in np.linspace(0, .9, 6):
            middle = clear + share * (height - clear)
            wide = (1 - share) * height * rng.uniform(.16, .24)
            parts.append(leaves(rng, (0, 0, middle), (wide, wide, height * .09), 80, .15))
    else:
        wide = (height - clear) * (rng.uniform(.38, .6) if kind == 'round' else .18)
        tall = (height - clear) / 2
        for _ in range(4):
            shift = rng.normal(0, .25 * wide, 3) * (1, 1, .5)
            parts.append(leaves(rng, (*lean, clear + tall) + shift,
                                (wide * .8, wide * .8, tall * .85), 130, .17))
    return merge(parts)


def bush(rng: Rng) -> Mesh:
    """A loose bush, sometimes as tall as a person."""
    height, wide = rng.uniform(.5, 2.0), rng.uniform(.35, 1.3)
    return leaves(rng, (0, 0, height / 2), (wide, wide * rng.uniform(.6, 1), height / 2), 110, .09,
                  'hedge')


def hedge(rng: Rng) -> Mesh:
    """A trimmed hedge, in size between a bench and a van."""
    size = rng.uniform([1.5, .5, .7], [5.5, 1.4, 2.1])
    core = box(size * (1, .6, .9), (0, 0, size[2] * .45), 'hedge')
    return merge([core, leaves(rng, (0, 0, size[2] / 2), size / 2, 160, .07, 'hedge', True)])


def thicket(rng: Rng) -> Mesh:
    """Shrubs grown together into a belt."""
    size = rng.uniform([3.5, 1.5, 1.5], [6., 3.5, 4.5])
    clumps = [leaves(rng, rng.uniform(-.35, .35, 3) * size + (0, 0, size[2] / 2),
                     size * (.3, .4, .4), 70, .14, 'hedge') for _ in range(5)]
    return _above_ground(merge(clumps))


def _above_ground(mesh: Mesh) -> Mesh:
    """Presses what would lie below the ground onto it."""
    floor = np.array([-np.inf, -np.inf, 0], np.float32)
    return Mesh(np.maximum(mesh.vertices, floor), mesh.triangles, mesh.material)


def lamp(rng: Rng) -> Mesh:
    """A street lamp with or without an arm."""
    height, radius = rng.uniform(3.5, 9), rng.uniform(.05, .12)
    arm = rng.uniform(0, 2)
    return merge([tube((0, 0, 0), (0, 0, height), (radius, radius * .6), 'pole', 8),
                  tube((0, 0, height), (arm, 0, height + .2), .04, 'pole', 5),
                  box((.5, .2, .12), (arm, 0, height + .2), 'pole')])


def sign(rng: Rng) -> Mesh:
    """A traffic sign on a post."""
    height = rng.uniform(2.0, 3.0)
    plate = rng.choice(['round', 'square', 'wide'])
    size = {'round': (.03, .6, .6), 'square': (.03, .7, .7), 'wide': (.03, 1.1, .5)}[plate]
    return merge([tube((0, 0, 0), (0, 0, height), .035, 'pole', 6),
                  box(size, (.05, 0, height - size[2] / 2), 'sign')])


def traffic_light(rng: Rng) -> Mesh:
    """A mast with lamps."""
    height = rng.uniform(2.8, 5.5)
    return merge([tube((0, 0, 0), (0, 0, height), .07, 'pole', 8),
                  box((.25, .3, .9), (.15, 0, height - .6), 'pole'),
                  box((.2, .25, .4), (0, .2, 1.2), 'pole')])


def bollard(rng: Rng) -> Mesh:
    """A post or concrete bollard."""
    height, radius = rng.uniform(.6, 1.2), rng.uniform(.05, .18)
    return tube((0, 0, 0), (0, 0, height), radius, 'pole', 8)


def column(rng: Rng) -> Mesh:
    """Advertising column, statue or hydrant: round and upright like a person."""
    height = rng.uniform(.8, 3.2)
    radius = rng.uniform(.16, .30) if height < 2.2 else rng.uniform(.35, .6)
    neck = rng.uniform(.6, 1)
    return lathe([(radius, 0), (radius, .7 * height), (radius * neck, .75 * height),
                  (radius * neck, height)], 'object', sides=10)


def bin_(rng: Rng) -> Mesh:
    """A dustbin, mailbox, parking meter or cabinet."""
    size = rng.uniform([.3, .3, .7], [.8, 1.3, 1.6])
    lift = float(rng.choice([0., .05, .35]))
    return merge([box((*size[:2], size[2]), (0, 0, size[2] / 2 + lift), 'object'),
                  box((.12, .12, lift + .05), (0, 0, lift / 2), 'object')])


def bench(rng: Rng) -> Mesh:
    """A bench with or without a back."""
    length = rng.uniform(1.2, 2.2)
    parts = [box((.45, length, .06), (0, 0, .45), 'object')]
    parts += [box((.4, .08, .45), (0, s * length * .4, .22), 'object') for s in (-1, 1)]
    if rng.random() < .6:
        parts.append(box((.05, length, .4), (-.22, 0, .7), 'object'))
    return merge(parts)


def container(rng: Rng) -> Mesh:
    """A skip, dumpster or box as large as a car."""
    size = rng.uniform([1.4, 1.0, 1.0], [6.0, 2.4, 2.6])
    flare = rng.uniform(-.4, .1) * (size[2] < 1.7)
    half = size / 2
    side = [(half[0], size[2]), (half[0] + flare, .12), (-half[0] - flare, .12),
            (-half[0], size[2])]
    feet = [box((.15, .15, .14), (sx * half[0] * .7, sy * half[1] * .7, .07), 'structure')
            for sx in (-1, 1) for sy in (-1, 1)]
    return merge([extrude(side, size[1], 'structure'), *feet])


def kiosk(rng: Rng) -> Mesh:
    """A stall, tent or shed."""
    size = rng.uniform([1.8, 1.8, 2.2], [4.0, 3.0, 3.0])
    half = size / 2
    roof = extrude([(half[0] + .3, size[2]), (0, size[2] + .6), (-half[0] - .3, size[2])],
                   size[1] + .6, 'roof')
    if rng.random() < .5:
        return merge([box(size, (0, 0, half[2]), 'structure'), roof])
    posts = [tube((sx * half[0], sy * half[1], 0), (sx * half[0], sy * half[1], size[2]), .04,
                  'pole', 5) for sx in (-1, 1) for sy in (-1, 1)]
    return merge([*posts, roof, box((size[0], .7, .9), (0, half[1] - .4, .45), 'object')])


def bus_stop(rng: Rng) -> Mesh:
    """A shelter with glass walls and a bench."""
    length = rng.uniform(2.5, 4.5)
    back = [(-.7, -length / 2, .2), (-.7, length / 2, .2), (-.7, length / 2, 2.2),
            (-.7, -length / 2, 2.2)]
    posts = [tube((x, y, 0), (x, y, 2.4), .04, 'pole', 5) for x in (-.7, .6)
             for y in (-length / 2, length / 2)]
    return merge([quads([back], 'window'), *posts,
                  box((1.7, length + .3, .12), (0, 0, 2.45), 'roof'),
                  box((.4, length * .7, .08), (-.45, 0, .48), 'object')])


def bicycle_rack(rng: Rng) -> Mesh:
    """Parked bicycles: cyclists without riders."""
    count = int(rng.integers(1, 5))
    return merge([bicycle(rng.random(12), material='bicycle').moved(
        (rng.normal(0, .1), .65 * i, 0), rng.normal(0, .12)) for i in range(count)]).moved(
            (0, -.325 * (count - 1), 0))


def motorcycle(rng: Rng) -> Mesh:
    """A parked motorcycle or scooter."""
    base = rng.uniform(1.2, 1.5)
    wheels = [tube((x, -.07, .3), (x, .07, .3), .3, 'motorcycle', 10)
              for x in (-base / 2, base / 2)]
    return merge([*wheels, box((base * .8, .32, .4), (0, 0, .6), 'motorcycle'),
                  box((.7, .3, .15), (-.3, 0, .85), 'motorcycle'),
                  tube((base / 2, 0, .3), (base / 2 - .25, 0, 1.05), .05, 'motorcycle', 5),
                  box((.08, .7, .06), (base / 2 - .27, 0, 1.05), 'motorcycle')])


def trailer(rng: Rng) -> Mesh:
    """A parked trailer: on wheels, but no car."""
    length, width = rng.uniform(1.6, 3.0), rng.uniform(1.2, 1.6)
    tall = rng.uniform(.35, 1.2)
    wheels = [tube((0, s * width / 2, .3), (0, s * (width / 2 + .18), .3), .3, 'vehicle', 9)
              for s in (-1, 1)]
    return merge([box((length, width, tall), (0, 0, .45 + tall / 2), 'vehicle'), *wheels,
                  tube((length / 2, 0, .45), (length / 2 + .9, 0, .4), .05, 'vehicle', 5)])


def planter(rng: Rng) -> Mesh:
    """A plant box."""
    size = rng.uniform([.5, .5, .35], [2.0, .9, .8])
    return merge([box(size, (0, 0, size[2] / 2), 'structure'),
                  leaves(rng, (0, 0, size[2] + .25), (size[0] / 2, size[1] / 2, .4), 50, .09,
                         'hedge')])


def cone(rng: Rng) -> Mesh:
    """A traffic cone or barrier."""
    if rng.random() < .6:
        return lathe([(.19, 0), (.16, .06), (.03, rng.uniform(.5, .8))], 'object')
    length = rng.uniform(1.0, 2.5)
    return merge([box((.06, length, .25), (0, 0, .85), 'fence'),
                  *(box((.4, .06, .9), (0, s * length * .4, .45), 'fence') for s in (-1, 1))])


def pallet(rng: Rng) -> Mesh:
    """A pallet with goods."""
    parts = [box((1.2, .8, .14), (0, 0, .07), 'object')]
    tall = .14
    for _ in range(int(rng.integers(0, 4))):
        size = rng.uniform([.6, .5, .25], [1.15, .8, .6])
        parts.append(box(size, (*rng.normal(0, .04, 2), tall + size[2] / 2), 'object'))
        tall += size[2]
    return merge(parts)


def cart(rng: Rng) -> Mesh:
    """A hand cart or roll container."""
    size = rng.uniform([.7, .5, .8], [1.3, .8, 1.7])
    rods = [tube((sx * size[0] / 2, sy * size[1] / 2, .15),
                 (sx * size[0] / 2, sy * size[1] / 2, size[2]), .02, 'object', 4)
            for sx in (-1, 1) for sy in (-1, 1)]
    load = rng.uniform(.2, .9) * size[2]
    return merge([box((*size[:2], .06), (0, 0, .18), 'object'), *rods,
                  box((size[0] * .8, size[1] * .8, load), (0, 0, .2 + load / 2), 'object')])


THINGS: dict[str, Callable[[Rng], Mesh]] = {
    'tree': tree, 'bush': bush, 'hedge': hedge, 'thicket': thicket, 'lamp': lamp, 'sign': sign,
    'traffic light': traffic_light, 'bollard': bollard, 'column': column, 'bin': bin_,
    'bench': bench, 'container': container, 'kiosk': kiosk, 'bus stop': bus_stop,
    'bicycle rack': bicycle_rack, 'motorcycle': motorcycle, 'trailer': trailer,
    'planter': planter, 'cone': cone, 'pallet': pallet, 'cart': cart,
}


@cache
def thing(split: str, kind: str, number: int) -> Mesh:
    """Variant `number` of a kind of thing in a split's pool."""
    seed = [zlib.crc32(f'{split}/{kind}'.encode()), number % VARIANTS[split]]
    return THINGS[kind](np.random.default_rng(seed))


def building(rng: Rng, length: float, depth: float, height: float) -> Mesh:
    """A building whose front looks along -y, with its corner line on y = 0 and windows."""
    parts = [box((length, depth, height), (0, depth / 2, height / 2 - .5), 'wall')]
    storey, pitch = rng.uniform(2.7, 3.4), rng.uniform(1.8, 3.6)
    wide, tall = rng.uniform(.8, 1.5), rng.uniform(1.1, 1.7)
    x = np.arange(-length / 2 + pitch / 2, length / 2 - wide / 2, pitch)
    z = np.arange(1.0, min(height, 16.) - tall - .3, storey)
    gx, gz = (g.ravel() for g in np.meshgrid(x, z))
    panes = []
    for y in (-.02, depth + .02):
        corners = [(gx + sx * wide / 2, gx * 0 + y, gz + sz * tall)
                   for sx, sz in ((-1, 0), (1, 0), (1, 1), (-1, 1))]
        panes.append(np.stack([np.stack(c, -1) for c in corners], 1))
    if len(gx):
        parts.append(quads(np.concatenate(panes), 'window'))
        if rng.random() < .35:
            for px, pz in zip(gx, gz, strict=True):
                if pz > 3 and rng.random() < .5:
                    parts.append(box((wide + .8, 1.1, .9), (px, -.55, pz - .2), 'wall'))
    if rng.random() < .5:
        parts.append(box((1.5, .8, .3), (rng.uniform(-.3, .3) * length, -.4, .1), 'structure'))
    if rng.random() < .6:
        top, half = height - .5, depth / 2 + .4
        gable = [(half, top), (0, top + depth * .4), (-half, top)]
        parts.append(extrude(gable, length, 'roof').moved((0, depth / 2, 0), np.pi / 2))
    return merge(parts)


def fence(rng: Rng, length: float) -> Mesh:
    """A wall, picket fence or wire fence along x."""
    kind = rng.choice(['wall', 'pickets', 'wire'])
    tall = rng.uniform(.8, 2.2)
    if kind == 'wall':
        return box((length, .25, tall + .5), (0, 0, tall / 2 - .25), 'fence')
    posts = [box((.1, .1, tall + .5), (x, 0, tall / 2 - .25), 'fence')
             for x in np.arange(-length / 2, length / 2, 2.5)]
    half = length / 2
    panel = [(-half, 0, 0), (half, 0, 0), (half, 0, tall), (-half, 0, tall)]
    if kind == 'wire':
        return merge([quads([panel], 'mesh fence'), *posts])
    rails = [box((length, .04, .12), (0, 0, share * tall), 'fence') for share in (.2, .5, .8)]
    return merge([*posts, *rails])
