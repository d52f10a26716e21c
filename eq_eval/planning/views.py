"""What cameras see in a maze of rooms: a textured ray caster in NumPy.

A camera is half a wall high and sees 90 degrees from left to right, so that four of them see all
around. One ray is cast for each column of an image; walls are upright, and so is the camera, so
each ray meets one wall, at one depth. Texture depends on the distance from the middle of a wall
and on height, shade on depth: what is seen turns and is mirrored with the world.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_eval.planning.rooms import NO_WALL
from eq_eval.planning.rooms import Rooms

CAMERA_HEIGHT = .5
PILLAR_HEIGHT = .8
PILLAR_RADIUS = .12
FADING = .15    # how much darker one unit of depth makes things

Double = NDArray[np.float64]
Images = NDArray[np.uint8]


def four_views(rooms: Rooms, height: int, width: int, off: float = 0.) -> Images:
    """Takes the views of all rooms, the cameras looking along +x, +y, -x and -y.

    Args:
        rooms: The maze.
        height: Of the images [pixels].
        width: Of the images [pixels].
        off: By how much the robot has turned to the left of that, everywhere [degrees].

    Returns:
        (M * M, 4, 3, height, width) uint8.
    """
    facing = np.tile(90. * np.arange(4) + off, len(rooms.place))
    return render(rooms, np.repeat(rooms.place, 4, axis=0), facing, height, width).reshape(
        -1, 4, 3, height, width)


def render(rooms: Rooms, place: Double, facing: Double, height: int, width: int) -> Images:
    """Takes images.

    Args:
        rooms: The maze.
        place: (N, 2) where each is taken, x, y.
        facing: (N,) where the camera looks, from +x to +y [degrees].
        height: [pixels].
        width: [pixels].

    Returns:
        (N, 3, height, width) uint8, rows from the top, columns from the left.
    """
    leftward = 1 - (2 * np.arange(width) + 1) / width
    upward = (height - 1 - 2 * np.arange(height))[:, None] / width      # square pixels
    direction = _directions(facing, leftward)
    depth, along, material = _walls(rooms, place, direction)
    colour = _wall_colours(rooms, depth, along, material, upward)
    to_pillar, pillar = _pillars(rooms, place, direction)
    level = CAMERA_HEIGHT + upward * to_pillar[:, None]
    hidden = (to_pillar < depth)[:, None] & (level > 0) & (level < PILLAR_HEIGHT)
    shown = rooms.pillar_colour[pillar] * _shade(to_pillar)[..., None]
    colour = np.where(hidden[..., None], shown[:, None], colour)
    return np.rint(255 * colour).astype(np.uint8).transpose(0, 3, 1, 2)


def _directions(facing: Double, leftward: Double) -> Double:
    """(N, W, 2) rays, 1 long along the optical axis; quarter turns are exact."""
    quarters, rest = np.divmod(facing, 90.)
    cos, sin = np.cos(np.deg2rad(rest))[:, None], np.sin(np.deg2rad(rest))[:, None]
    x, y = cos - sin * leftward, sin + cos * leftward
    turn = (quarters.astype(int) % 4)[:, None]
    return np.stack([np.choose(turn, [x, -y, -x, y]), np.choose(turn, [y, x, -y, -x])], -1)


def _walls(rooms: Rooms, place: Double, direction: Double
           ) -> tuple[Double, Double, NDArray[np.int64]]:
    """(N, W) depth of the nearest wall, where along it (0..1) it was met, and its material."""
    first = _crossings(rooms.across, place, direction)
    second = _crossings(rooms.along.T, place[:, ::-1], direction[..., ::-1])
    depth, along, material = (np.concatenate(pair, -1)
                              for pair in zip(first, second, strict=True))
    nearest = depth.argmin(-1)[..., None]
    return (np.take_along_axis(depth, nearest, -1)[..., 0],
            np.take_along_axis(along, nearest, -1)[..., 0],
            np.take_along_axis(material, nearest, -1)[..., 0])


def _crossings(wall: NDArray[np.int64], place: Double, direction: Double
               ) -> tuple[Double, Double, NDArray[np.int64]]:
    """(N, W, M + 1) as `_walls` gives it, for each line x = k; infinitely deep without a wall."""
    edge, lines = wall.shape
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = (np.arange(lines) - place[:, None, :1]) / direction[..., :1]
        y = place[:, None, 1:] + depth * direction[..., 1:]
    met = (depth > 0) & (y >= 0) & (y < edge)
    row = np.where(met, y, 0).astype(np.int64)
    material = wall[row, np.arange(lines)]
    there = met & (material != NO_WALL)
    return np.where(there, depth, np.inf), np.where(there, y - row, 0.), material


def _wall_colours(rooms: Rooms, depth: Double, along: Double, material: NDArray[np.int64],
                  upward: Double) -> Double:
    """(N, H, W, 3) colours of walls, floor and ceiling."""
    look, level = rooms.materials, CAMERA_HEIGHT + upward * depth[:, None]
    columns, rows = look.chequers[material].transpose(2, 0, 1)
    chequer = (np.floor(2 * np.abs(along - .5) * columns)[:, None]
               + np.floor(level * rows[:, None])).astype(np.int64) % 2
    wall = look.colour[material[:, None], chequer] * _shade(depth)[:, None, :, None]
    flat = np.where((upward < 0)[..., None], look.floor, look.ceiling) * _shade(
        CAMERA_HEIGHT / np.abs(upward).clip(1e-6))[..., None]
    return np.where(((level > 0) & (level < 1))[..., None], wall, flat)


def _pillars(rooms: Rooms, place: Double, direction: Double
             ) -> tuple[Double, NDArray[np.int64]]:
    """(N, W) depth of the nearest pillar, infinite without one, and which it is."""
    apart = (rooms.pillar - place[:, None])[:, None]
    length = np.square(direction).sum(-1)[..., None]
    middle = (apart * direction[:, :, None]).sum(-1)
    root = middle ** 2 - length * (np.square(apart).sum(-1) - PILLAR_RADIUS ** 2)
    depth = (middle - np.sqrt(root.clip(0))) / length
    depth = np.where((root > 0) & (depth > 0), depth, np.inf)
    nearest = depth.argmin(-1)
    return np.take_along_axis(depth, nearest[..., None], -1)[..., 0], nearest


def _shade(depth: Double) -> Double:
    return 1 / (1 + FADING * depth)
