"""Parametric pedestrians and cyclists, in several phases of their motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.mesh import ball
from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import lathe
from eq_eval.simulation.mesh import loft
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import tube
from eq_eval.simulation.vehicles import Latent
from eq_eval.simulation.vehicles import pick

Vector = NDArray[np.float64]
PEDESTRIAN_FAMILIES = ('plain', 'coat', 'backpack', 'bag', 'child', 'phone', 'umbrella', 'stout',
                       'suitcase', 'hood')
CYCLIST_FAMILIES = ('city', 'racer', 'child seat', 'cargo', 'backpack', 'mountain', 'basket',
                    'delivery')
PHASES = 8


def _limb(start: Vector, length: float, first: float, second: float, radius: float,
          outward: float = 0.) -> tuple[list[Mesh], Vector]:
    """Two segments that hang from `start`.

    Args:
        start: Shoulder or hip [m].
        length: Length of both segments together [m].
        first: Angle of the upper one, forward from straight down [rad].
        second: Angle of the lower one [rad].
        radius: Radius at the start [m].
        outward: How far the end stands off to the left [m].

    Returns:
        Meshes and the end.
    """
    joint = start + length / 2 * np.array([np.sin(first), 0, -np.cos(first)])
    end = joint + length / 2 * np.array([np.sin(second), 0, -np.cos(second)])
    joint, end = joint + (0, .6 * outward, 0), end + (0, outward, 0)
    return [tube(start, joint, (radius, radius * .8), 'cloth'),
            tube(joint, end, (radius * .8, radius * .55), 'cloth')], end


def _torso(hip: Vector, shoulder: Vector, width: float, depth: float, head: float,
           material: str) -> list[Mesh]:
    """Trunk from hip to shoulder, neck and head."""
    angle = 2 * np.pi * np.arange(8) / 8
    rings = []
    for share, wide, deep in ((-.06, .8, .8), (.15, .92, 1.), (.5, .85, .9), (.85, 1., 1.),
                              (1.02, .6, .6)):
        middle = hip + share * (shoulder - hip)
        rings.append(middle + np.stack([depth / 2 * deep * np.cos(angle),
                                        width / 2 * wide * np.sin(angle), 0 * angle], -1))
    lean = (shoulder - hip) / np.linalg.norm(shoulder - hip)
    neck = shoulder + lean * .05
    return [loft(rings, material), tube(shoulder, neck + lean * .06, .055, 'skin'),
            ball(neck + lean * head * 1.15 + np.array([.02, 0, 0]), (head * .95, head * .78, head),
                 'skin')]


def pedestrian(family: str, latent: Latent, phase: int, walking: bool = True) -> Mesh:
    """A person who walks along +x; `phase` in [0, PHASES) of one double step."""
    height = pick((1.0, 1.38), latent[0]) if family == 'child' else pick((1.52, 1.92), latent[0])
    bulk = pick((.85, 1.12), latent[1]) * (1.25 if family == 'stout' else 1.) * height / 1.75
    swing = pick((.22, .42), latent[2]) if walking else .05
    turn = 2 * np.pi * phase / PHASES
    leg, head = .49 * height, .115 * (height / 1.75) ** .5
    parts: list[Mesh] = []
    hip = np.array([0, 0, leg + .03])
    shoulder = np.array([pick((-.02, .10), latent[3]), 0, .815 * height])
    for side in (-1, 1):
        angle = side * swing * np.sin(turn)
        bend = swing * 1.1 * max(0., -side * np.cos(turn)) if walking else 0.
        start = hip + np.array([0, side * .085 * bulk, -.02])
        limb, foot = _limb(start, leg, angle, angle - bend, .085 * bulk)
        shoe = box((.26 * height / 1.75, .09, .07), (foot[0] + .06, foot[1], max(foot[2], .035)),
                   'rubber')
        parts += [*limb, shoe]
        reach = .9 if family == 'phone' and side > 0 else -angle * .8
        fore = reach + (.9 if family == 'phone' and side > 0 else .25)
        arm, hand = _limb(shoulder + np.array([0, side * .2 * bulk, -.03]), .33 * height, reach,
                          fore, .048 * bulk, side * pick((.02, .13), latent[5]))
        parts += arm
        if family in ('bag', 'suitcase') and side < 0:
            low = .22 if family == 'suitcase' else max(hand[2] - .4, .25)
            parts.append(box((.42, .16, .42 if family == 'bag' else .5),
                             (hand[0] * .5 - (.15 if family == 'suitcase' else 0.), hand[1],
                              low + .1), 'object'))
    parts += _torso(hip, shoulder, .42 * bulk, .25 * bulk, head, 'cloth')
    parts += _extras(family, latent, hip, shoulder, height, bulk)
    return _grounded(merge(parts))


def _extras(family: str, latent: Latent, hip: Vector, shoulder: Vector, height: float,
            bulk: float) -> list[Mesh]:
    """Clothes and things that change the outline."""
    if family == 'coat':
        hem = pick((.28, .45), latent[4]) * height
        return [lathe([(.26 * bulk, hem), (.22 * bulk, hip[2] + .1), (.2 * bulk, shoulder[2])],
                      'cloth', squash=(.8, 1.))]
    if family == 'backpack':
        return [box((.2, .3, .45), (shoulder[0] - .23 * bulk, 0, shoulder[2] - .25), 'object')]
    if family == 'umbrella':
        top = height + .22
        return [lathe([(.52, top - .2), (.4, top - .08), (.05, top)], 'cloth', (.12, 0, 0)),
                tube((.12, 0, shoulder[2] - .3), (.12, 0, top), .015, 'metal', 4)]
    if family == 'hood':
        return [ball((shoulder[0], 0, shoulder[2] + .17), (.15, .14, .17), 'cloth')]
    return []


def _grounded(mesh: Mesh) -> Mesh:
    """Lifts or lowers the mesh so that its lowest point is z = 0."""
    return mesh.moved((0, 0, -float(mesh.vertices[:, 2].min())))


def bicycle(latent: Latent, family: str = 'city', material: str = 'metal') -> Mesh:
    """A bicycle along +x without rider, wheels on z = 0."""
    radius = pick((.31, .36), latent[5]) if family != 'racer' else .34
    base = pick((.98, 1.12), latent[6]) + (.55 if family == 'cargo' else 0.)
    rear, front = np.array([-base / 2, 0, radius]), np.array([base / 2, 0, radius])
    parts = []
    angle = 2 * np.pi * np.arange(12) / 12
    for hub in (rear, front):
        circle = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1)
        rings = [hub + share * radius * circle + (0, offset, 0) for share, offset in (
            (.86, -.02), (1., -.02), (1., .02), (.86, .02), (.86, -.02))]
        parts.append(loft(rings, material, caps=False))
        for spoke in circle[::3]:
            parts.append(tube(hub, hub + .9 * radius * spoke, .012, material, 3))
    crank = np.array([-.06 - (.25 if family == 'cargo' else 0.), 0, radius * .85])
    saddle = crank + np.array([-.17, 0, .62])
    stem = front + np.array([-.17, 0, .5])
    for a, b in ((rear, crank), (rear, saddle), (crank, saddle), (saddle * .9 + crank * .1, stem),
                 (crank, stem), (stem, front)):
        parts.append(tube(a, b, .022, material, 4))
    parts.append(box((.26, .14, .06), saddle, material))
    grip = stem + np.array([-.06, 0, .22])
    parts += [tube(stem, grip, .02, material, 4),
              tube(grip + (0, -.29, 0), grip + (0, .29, 0), .018, material, 4)]
    if family == 'cargo':
        parts.append(box((.65, .55, .5), (base / 2 - .62, 0, .55), 'object'))
    if family == 'basket':
        parts.append(box((.28, .36, .26), grip + np.array([.22, 0, -.05]), 'object'))
    return merge(parts)


def cyclist(family: str, latent: Latent, phase: int) -> Mesh:
    """A rider on a bicycle along +x; `phase` in [0, PHASES) of one turn of the pedals."""
    frame = bicycle(latent, family)
    height = pick((1.55, 1.9), latent[0])
    bulk = pick((.85, 1.1), latent[1])
    radius = pick((.31, .36), latent[5]) if family != 'racer' else .34
    base = pick((.98, 1.12), latent[6]) + (.55 if family == 'cargo' else 0.)
    crank = np.array([-.06 - (.25 if family == 'cargo' else 0.), 0, radius * .85])
    hip = crank + np.array([-.18, 0, .78])
    grip = np.array([base / 2 - .23, 0, radius + .72])
    if family == 'cargo':
        grip = crank + np.array([.42, 0, .75])
    lean = {'racer': .85, 'mountain': .6}.get(family, pick((.12, .4), latent[2]))
    shoulder = hip + .31 * height * np.array([np.sin(lean), 0, np.cos(lean)])
    parts = [frame]
    for side in (-1, 1):
        turn = 2 * np.pi * phase / PHASES + (np.pi if side > 0 else 0)
        pedal = crank + .17 * np.array([np.cos(turn), 0, np.sin(turn)]) + (0, side * .11, 0)
        top = hip + (0, side * .09 * bulk, 0)
        knee = (top + pedal) / 2 + np.array([.27, side * .02, .1])
        parts += [tube(top, knee, (.085 * bulk, .065), 'cloth'), tube(knee, pedal, (.06, .045),
                                                                      'cloth'),
                  box((.24, .09, .07), pedal + (.05, 0, 0), 'rubber')]
        joint = shoulder + (0, side * .19 * bulk, -.03)
        hand = grip + (0, side * .26, 0)
        elbow = (joint + hand) / 2 + np.array([-.03, side * .06, -.08])
        parts += [tube(joint, elbow, .05 * bulk, 'cloth'), tube(elbow, hand, .042, 'cloth')]
    parts += _torso(hip, shoulder, .4 * bulk, .24 * bulk, .115, 'cloth')
    if family == 'child seat':
        parts += [box((.28, .32, .5), (hip[0] - .38, 0, hip[2] - .02), 'object'),
                  ball((hip[0] - .36, 0, hip[2] + .32), .11, 'skin')]
    if family == 'backpack':
        parts.append(box((.2, .3, .42), shoulder + np.array([-.26, 0, -.2]), 'object'))
    if family == 'delivery':
        parts.append(box((.42, .44, .44), shoulder + np.array([-.36, 0, -.15]), 'object'))
    return _grounded(merge(parts))
