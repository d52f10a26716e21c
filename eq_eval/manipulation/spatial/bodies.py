"""Objects and targets of the spatial tasks, as triangle meshes about their own frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import lathe
from eq_eval.simulation.mesh import loft
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import tube

PAINT = 'paint'
SIDES = 24
MUG_WALL, HANDLE_RADIUS = .004, .006                    # of its tube [m]
POST_RADIUS, POST_HALF = .008, .075                     # [m]
ARM_HEIGHT, ARM_LENGTH, ARM_RADIUS = .05, .085, .006    # [m]
HOLE_RADIUS, HOLE_DEPTH = .015, .04                     # [m]
HOLE_TILT = np.radians(25.)                             # from the normal of the block's top
BLOCK = (.1, .08, .055)                                 # edges [m]
FOOT = (.1, .09, .012)                                  # edges of that of a dish rack [m]
SLAT_RADIUS, SLAT_HEIGHT = .006, .07                    # of its posts [m]
SLOT = (.022, .03)                                      # x and y of them, either way [m]

Double = NDArray[np.float64]


@dataclass(frozen=True)
class MugSize:
    """Sizes of a mug.

    Attributes:
        radius: Of the cup [m].
        half: Half its height [m].
        reach: Half the height of the loop of its handle [m].
    """

    radius: float = .035
    half: float = .045
    reach: float = .026

    @property
    def hold(self) -> float:
        """Where in the loop an arm goes through, from the axis [m]."""
        return self.radius + .85 * self.reach


@dataclass(frozen=True)
class PegSize:
    """Sizes of a peg.

    Attributes:
        radius: Of its shaft [m].
        half: Half its length [m].
        head: Radius of its head [m].
    """

    radius: float = .012
    half: float = .05
    head: float = .022


@dataclass(frozen=True)
class PlateSize:
    """Sizes of a plate.

    Attributes:
        radius: Of its rim [m].
        half: Half its height [m].
    """

    radius: float = .05
    half: float = .009


def mug(size: MugSize) -> Mesh:
    """A mug: axis z, opening at +z, handle at +x; its mirror plane is y = 0."""
    radius, half, inner = size.radius, size.half, size.radius - MUG_WALL
    cup = lathe([[radius, -half], [radius, half], [inner, half], [inner, MUG_WALL - half]], PAINT,
                sides=SIDES)
    bends = np.linspace(-np.pi / 2, np.pi / 2, 9)
    middle = np.stack([radius + 1.4 * size.reach * np.cos(bends), 0 * bends,
                       size.reach * np.sin(bends)], -1)
    around = 2 * np.pi * np.arange(8) / 8
    outward = np.stack([np.cos(bends), 0 * bends, np.sin(bends)], -1)
    rings = middle[:, None] + HANDLE_RADIUS * (
        np.cos(around)[:, None] * outward[:, None] + np.sin(around)[:, None] * [0., 1., 0.])
    return merge([cup, loft(rings, PAINT)])


def rack() -> Mesh:
    """A post along z on a square foot, with an arm along +y; its mirror plane is x = 0."""
    return merge([
        box((.08, .08, .012), (0, 0, -POST_HALF + .006), PAINT),
        tube((0, 0, -POST_HALF), (0, 0, POST_HALF), POST_RADIUS, PAINT, 10),
        tube((0, 0, ARM_HEIGHT), (0, ARM_LENGTH, ARM_HEIGHT), ARM_RADIUS, PAINT, 10)])


def peg(size: PegSize) -> Mesh:
    """A peg: axis z, tip at -z, head at +z; a body of revolution."""
    radius, half, head = size.radius, size.half, size.head
    return lathe([[.7 * radius, -half], [radius, -half + .008], [radius, half - .02],
                  [head, half - .018], [head, half]], PAINT, sides=SIDES)


def plate(size: PlateSize) -> Mesh:
    """A deep plate: axis z, opening at +z; a body of revolution."""
    radius, half, thick = size.radius, size.half, .004
    return lathe([[.55 * radius, -half], [radius, half], [radius - thick, half],
                  [.55 * radius - thick, thick - half]], PAINT, sides=SIDES)


def dish_rack() -> Mesh:
    """A foot below z = 0 with two pairs of posts; a plate stands in the plane x = 0 between."""
    posts = [tube((x, y, 0), (x, y, SLAT_HEIGHT), SLAT_RADIUS, PAINT, 10)
             for x in (-SLOT[0], SLOT[0]) for y in (-SLOT[1], SLOT[1])]
    return merge([box(FOOT, (0, 0, -FOOT[2] / 2), PAINT), *posts])


def drilled_block() -> Mesh:
    """A block with a blind hole in its top, tilted about y, and a ridge along its -x edge.

    The axis of the hole leaves the top at the origin, along `hole_axis`. Mirror plane y = 0.
    """
    length, width, height = BLOCK
    angle = 2 * np.pi * np.arange(SIDES) / SIDES
    ray = np.stack([np.cos(angle), np.sin(angle)], -1)
    reach = 1 / np.maximum(np.abs(ray[:, 0]) / (length / 2), np.abs(ray[:, 1]) / (width / 2))
    outer = ray * reach[:, None]

    def ring(outline: Double, z: float) -> Double:
        return np.column_stack([outline, np.full(len(outline), z)])

    # A tilted cylinder meets a level plane in an ellipse.
    inner = ray * HOLE_RADIUS * [1 / np.cos(HOLE_TILT), 1.]
    floor = -HOLE_DEPTH * np.cos(HOLE_TILT)
    below = inner + [floor * np.tan(HOLE_TILT), 0.]
    block = loft([ring(outer, -height), ring(outer, 0.), ring(inner, 0.), ring(below, floor)],
                 PAINT)
    return merge([block, box((.016, width, .02), (-length / 2 + .008, 0, .01), PAINT)])


def hole_axis() -> Double:
    """(3,) direction out of the hole of a drilled block."""
    return np.array([np.sin(HOLE_TILT), 0., np.cos(HOLE_TILT)])
