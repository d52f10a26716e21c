"""Parametric cars and trucks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import extrude
from eq_eval.simulation.mesh import loft
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import quad
from eq_eval.simulation.mesh import tube

Latent = NDArray[np.float64]  # (12,) numbers in [0, 1) that choose a shape inside its family

# family: ranges of length, width and height [m], then of hood and tail as shares of the length
CAR_FAMILIES: dict[str, tuple[tuple[float, float], ...]] = {
    'sedan': ((4.3, 5.0), (1.74, 1.92), (1.40, 1.50), (.24, .29), (.14, .20)),
    'hatchback': ((3.5, 4.3), (1.62, 1.80), (1.42, 1.56), (.20, .26), (.02, .05)),
    'suv': ((4.2, 5.0), (1.78, 2.0), (1.60, 1.86), (.22, .27), (.02, .05)),
    'van': ((4.4, 5.4), (1.80, 2.0), (1.80, 2.05), (.13, .18), (.01, .02)),
    'pickup': ((5.0, 5.6), (1.84, 2.0), (1.75, 1.92), (.24, .28), (.34, .40)),
    'wagon': ((4.4, 4.95), (1.74, 1.90), (1.42, 1.54), (.24, .28), (.03, .06)),
    'minivan': ((4.4, 5.0), (1.78, 1.98), (1.62, 1.80), (.17, .21), (.02, .04)),
    'coupe': ((4.1, 4.7), (1.75, 1.90), (1.28, 1.40), (.28, .33), (.10, .15)),
    'microcar': ((2.7, 3.5), (1.55, 1.66), (1.48, 1.58), (.13, .18), (.01, .03)),
}
TRUCK_FAMILIES: dict[str, tuple[tuple[float, float], ...]] = {
    'box': ((5.8, 9.5), (2.1, 2.5), (2.7, 3.7)),
    'semi': ((12., 16.5), (2.45, 2.55), (3.6, 4.0)),
    'flatbed': ((6., 10.), (2.2, 2.5), (2.4, 3.1)),
    'bus': ((9., 13.), (2.45, 2.55), (2.9, 3.3)),
    'dump': ((6.5, 8.5), (2.35, 2.5), (2.9, 3.4)),
    'delivery': ((5.6, 7.2), (2.0, 2.2), (2.5, 2.9)),
    'tanker': ((8., 13.), (2.4, 2.5), (3.1, 3.6)),
    'refuse': ((7.5, 9.5), (2.4, 2.5), (3.2, 3.6)),
    'coach': ((11., 13.5), (2.5, 2.55), (3.4, 3.8)),
    'forklift': ((2.2, 3.4), (1.05, 1.4), (2.05, 2.4)),
    'tow tractor': ((1.8, 3.0), (1.0, 1.35), (1.5, 2.0)),
}


def pick(bounds: tuple[float, float], share: float) -> float:
    """The value at `share` of the way through a range."""
    return bounds[0] + share * (bounds[1] - bounds[0])


def wheels(positions: list[float], half_width: float, radius: float, thick: float = .22) -> Mesh:
    """Pairs of wheels at the given x [m]; outer faces at +-`half_width`."""
    return merge([tube((x, side * half_width, radius), (x, side * (half_width - thick), radius),
                       radius, 'rubber', 10) for x in positions for side in (-1, 1)])


def _hull(stations: list[tuple[float, float, float, float]], half: float) -> Mesh:
    """Body shell from (x, low, high, share of the width) stations."""
    rings = [[(x, y * half * share, low + z * (high - low))
              for y, z in ((-.86, 0), (-1, .3), (-1, .75), (-.9, 1), (.9, 1), (1, .75), (1, .3),
                           (.86, 0))] for x, low, high, share in stations]
    return loft(rings, 'paint')


def _greenhouse(low: NDArray[np.float64], high: NDArray[np.float64], z_low: float, z_high: float,
                half_low: float, half_high: float, blind: float) -> Mesh:
    """Cabin between belt line (`low` = front, rear x) and roof (`high`); pillars split the glass.

    `blind` is the share of the side, from the rear, that is sheet metal.
    """
    cuts = np.array([0, .10, .46, .53, .88, 1.])
    kinds = ['paint', 'glass', 'paint', 'glass', 'paint']
    bottom, top = (np.interp(cuts, [0, 1], ends) for ends in (low, high))
    parts = []
    for side in (-1, 1):
        for i, kind in enumerate(kinds):
            kind = 'paint' if cuts[i] >= 1 - blind else kind
            parts.append(quad([(bottom[i], side * half_low, z_low),
                               (bottom[i + 1], side * half_low, z_low),
                               (top[i + 1], side * half_high, z_high),
                               (top[i], side * half_high, z_high)], kind))
    for end, kind in ((0, 'glass'), (1, 'paint' if blind > .5 else 'glass')):
        parts.append(quad([(low[end], -half_low, z_low), (low[end], half_low, z_low),
                           (high[end], half_high, z_high), (high[end], -half_high, z_high)], kind))
    roof = [(high[0], -half_high, z_high), (high[0], half_high, z_high),
            (high[1], half_high, z_high), (high[1], -half_high, z_high)]
    return merge([*parts, quad(roof, 'paint')])


def car(family: str, latent: Latent) -> Mesh:
    """A car of `family`, centred, wheels on z = 0."""
    length, width, height, hood, tail = (
        pick(bounds, share)
        for bounds, share in zip(CAR_FAMILIES[family], latent[:5], strict=True))
    front, rear, half = length / 2, -length / 2, width / 2
    clear = .15 + .08 * latent[5] + (.06 if family in ('suv', 'pickup') else 0)
    belt = height * pick((.58, .64), latent[6]) if height < 1.7 else pick((.98, 1.12), latent[6])
    nose = belt * pick((.70, .86), latent[7])
    cowl, deck = front - hood * length, rear + tail * length
    boot = belt * (.97 if family != 'pickup' else .92)
    hull = _hull([(front, clear + .12, nose * .80, .80), (front - .10, clear, nose * .93, .93),
                  (front - .4, clear, nose, 1.), (cowl, clear, belt, 1.),
                  (deck, clear, belt, 1.), (deck - .05, clear, boot, 1.),
                  (rear + .10, clear, boot * .97, .95), (rear, clear + .15, boot * .90, .86)],
                 half)
    rake = pick((.40, .75), latent[8]) if family != 'van' else pick((.30, .5), latent[8])
    back = {'sedan': .55, 'coupe': .75, 'pickup': .12}.get(family, pick((.12, .35), latent[9]))
    base = np.array([cowl + .05, deck + .02])
    roof = np.array([cowl - rake, deck + back])
    blind = .55 if family == 'van' and latent[9] > .4 else 0
    cabin = _greenhouse(base, roof, belt - .01, height, half * .90,
                        half * pick((.70, .8), latent[10]), blind)
    middle, inside = (base[0] + base[1]) / 2, base[0] - base[1]
    seats = box((inside * .55, width * .7, belt * .35), (middle, 0, belt * .92), 'interior')
    radius = pick((.29, .35), latent[11]) + (.03 if family in ('suv', 'pickup') else 0)
    axles = [front - .17 * length - .05, rear + .18 * length]
    lamps = [box((.03, .3, .12), (front - .12, s * half * .68, nose * .86), 'lamp')
             for s in (-1, 1)]
    plate = box((.02, .5, .11), (rear + .01, 0, (clear + .15 + boot * .9) / 2), 'lamp')
    mirrors = [box((.12, .12, .12), (cowl - .25, s * (half - .08), belt + .06), 'paint')
               for s in (-1, 1)]
    return merge([hull, cabin, seats, wheels(axles, half * .985, radius), *lamps, plate, *mirrors])


def _cab(front: float, depth: float, half: float, low: float, high: float, bonnet: float) -> Mesh:
    """Driver's cab with its nose at x = `front`."""
    waist = low + .48 * (high - low)
    parts = [loft([[(x, y * half, z) for y, z in ((-1, low), (-1, waist), (1, waist), (1, low))]
                   for x in (front, front - depth)], 'paint')]
    back = front - depth
    parts.append(_greenhouse(np.array([front - bonnet, back]),
                             np.array([front - bonnet - .18, back]), waist, high,
                             half, half * .94, .45))
    return merge(parts)


def _deck(family: str, start: float, end: float, half: float, height: float, floor: float,
          latent: Latent) -> list[Mesh]:
    """What a truck carries between x = `end` and x = `start`."""
    middle, span = (start + end) / 2, start - end
    if family in ('box', 'semi', 'delivery'):
        return [box((span, 2 * half, height - floor), (middle, 0, (height + floor) / 2), 'paint')]
    bed = box((span, 2 * half, .18), (middle, 0, floor), 'metal')
    if family == 'tanker':
        radius = min(half * .95, (height - floor) / 2)
        return [bed, tube((end, 0, height - radius), (start, 0, height - radius), radius, 'metal',
                          12)]
    if family == 'dump':
        lip = floor + (height - floor) * .75
        side = [(start, height), (start - .3, floor), (end + .5, floor), (end, lip)]
        return [bed, extrude(side, 2 * half, 'paint')]
    if family == 'refuse':
        side = [(start, floor), (start, height), (end + .8, height), (end, height * .7),
                (end, floor * .9)]
        return [extrude(side, 2 * half, 'paint')]
    cargo = []
    x = start - .2
    for share in latent[6:10]:
        size = (.8 + 1.6 * share, half * (1.1 + .8 * share), .3 + (height - floor - .4) * share)
        if x - size[0] > end:
            cargo.append(box(size, (x - size[0] / 2, 0, floor + size[2] / 2), 'object'))
        x -= size[0] + .2 + share
    return [bed, box((.12, 2 * half, height - floor), (start, 0, (height + floor) / 2), 'metal'),
            *cargo]


def _bus(length: float, half: float, height: float, latent: Latent) -> Mesh:
    front, low = length / 2, .3 + .1 * latent[5]
    waist = low + (height - low) * pick((.35, .5), latent[4])
    lower = loft([[(x, y * half, z) for y, z in ((-1, low), (-1, waist), (1, waist), (1, low))]
                  for x in (front, -front)], 'paint')
    panes = np.linspace(front - .3, -front + .3, max(4, int(length / 1.5)))
    band = height - .35
    parts = [lower]
    for side in (-half * .99, half * .99):
        for a, b in zip(panes[:-1], panes[1:], strict=True):
            parts.append(quad([(a - .1, side, waist), (b, side, waist), (b, side, band),
                               (a - .1, side, band)], 'glass'))
            parts.append(quad([(a, side, waist), (a - .1, side, waist), (a - .1, side, band),
                               (a, side, band)], 'paint'))
    parts.append(quad([(front * .995, -half, waist), (front * .995, half, waist),
                       (front - .12, half, band), (front - .12, -half, band)], 'glass'))
    back = (-front + .03, 0, (band + waist) / 2)
    parts.append(box((.05, 2 * half, band - waist), back, 'paint'))
    parts.append(box((length - .1, 2 * half, .35), (0, 0, height - .175), 'paint'))
    parts.append(box((length * .8, half, .6), (0, 0, waist), 'interior'))
    parts.append(wheels([front - .22 * length, -front + .25 * length], half * .98, .48, .3))
    return merge(parts)


def _industrial(family: str, length: float, half: float, height: float, latent: Latent) -> Mesh:
    """Forklifts and tow tractors of halls."""
    front = length / 2
    if family == 'tow tractor':
        seat = box((length * .45, 2 * half, height * .5), (-front * .55, 0, height * .38), 'paint')
        hood = box((length * .5, 2 * half * .9, height * .35), (front * .5, 0, height * .32),
                   'paint')
        driver = box((.3, .45, .6), (-front * .3, 0, height - .3), 'cloth')
        return merge([seat, hood, driver, wheels([front - .35, -front + .35], half, .25, .18)])
    reach = length * pick((.30, .36), latent[3])
    body = box((length - reach - .1, 2 * half, .75), (-reach / 2, 0, .55), 'paint')
    weight = box((.4, 2 * half, 1.0), (-front + .2, 0, .65), 'paint')
    mast = [box((.12, .1, height - .1), (front - reach, s * half * .5, height / 2 + .03), 'metal')
            for s in (-1, 1)]
    forks = [box((reach, .12, .05), (front - reach / 2, s * .28, .12), 'metal') for s in (-1, 1)]
    posts = [box((.07, .07, height - .9), (x, s * half * .85, (height + .9) / 2), 'metal')
             for x in (-front + .3, front - reach - .2) for s in (-1, 1)]
    roof = box((length - reach - .3, 2 * half * .9, .06), (-reach / 2, 0, height - .03), 'metal')
    driver = box((.35, .45, .75), (-reach / 2 - .1, 0, 1.25), 'cloth')
    load = [box((reach * .9, .9, .4 + latent[4]), (front - reach * .45, 0, .4 + latent[4] / 2),
                'object')] if latent[5] > .5 else []
    return merge([body, weight, *mast, *forks, *posts, roof, driver, *load,
                  wheels([front - reach - .3, -front + .35], half, .28, .2)])


def truck(family: str, latent: Latent) -> Mesh:
    """A truck, bus or industrial truck of `family`, centred, wheels on z = 0."""
    length, width, height = (
        pick(bounds, share)
        for bounds, share in zip(TRUCK_FAMILIES[family], latent[:3], strict=True))
    front, half = length / 2, width / 2
    if family in ('bus', 'coach'):
        return _bus(length, half, height, latent)
    if family in ('forklift', 'tow tractor'):
        return _industrial(family, length, half, height, latent)
    depth = pick((1.6, 2.3), latent[3])
    bonnet = .05 + (.5 * latent[4] if family in ('delivery', 'box') else .1 * latent[4])
    roof = height * (.80 if family in ('box', 'refuse', 'dump') else 1) if height > 2.6 else height
    roof = min(roof, 3.1 + .4 * latent[5])
    floor = pick((.85, 1.2), latent[5]) if family != 'delivery' else .55
    gap = pick((.12, .5), latent[6]) if family != 'delivery' else 0.
    start = front - depth - gap
    parts = [_cab(front, depth, half * .97, .45, roof, bonnet)]
    parts += _deck(family, start, -front, half, height, floor, latent)
    parts.append(box((length * .96, .8, .2), (-.02 * length, 0, floor - .15), 'metal'))
    radius = .38 if length < 7 else .5
    axles = [front - .62 * depth, -front + .18 * length]
    if length > 8:
        axles.append(-front + .18 * length + 1.25)
    if family == 'semi':
        axles += [start - .9, -front + .18 * length + 2.5]
    skirt = box((length * .25, width * .9, .4), (start - .35 * (start + front), 0, floor * .6),
                'metal')
    return merge([*parts, skirt, wheels(axles, half * .98, radius, .3)])
