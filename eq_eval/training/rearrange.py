"""Puts the object of a demonstration elsewhere on the table, so that one shows many.

What was shown holds wherever the object and its place lie, each for itself. Turning and moving
the whole picture does not teach that: in every copy the object lies beside its place as it did
when it was shown, and a network may learn to find the one by the other. Nor does one action teach
that what lies where it belongs is not picked again; a copy of the object at its place does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RAISED = .005       # cells higher than this above the table are of things [m]
UNLIKE = .1         # and so are those whose colour differs by more from the table's
LARGEST = .12       # things that reach farther from their middle are not moved [m]
GAP = .01           # between a thing that was moved and the next [m]

Double = NDArray[np.float64]
Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Thing:
    """What stands out of the table around a pick, on its own.

    Attributes:
        mask: (H, W) bool, its cells.
        middle: (2,) row and column of its middle.
        reach: Distance of its farthest cell from the middle [cells].
        free: (K, 2) rows and columns where it fits, however it is turned; may be empty.
        ground: (C,) what the table around it looks like.
    """

    mask: NDArray[np.bool_]
    middle: Double
    reach: float
    free: NDArray[np.int64]
    ground: Float


def find_thing(picture: Float, height: Float, inside: NDArray[np.bool_],
               pick: tuple[int, int], resolution: float) -> Thing | None:
    """Finds what was picked.

    Args:
        picture: (C, H, W), the first three channels being colours.
        height: (H, W) above the table [m].
        inside: (H, W) cells of the workspace.
        pick: Row and column that it is at.
        resolution: Edge of a cell [m].

    Returns:
        None where nothing stands out there, or too much.
    """
    level = height - np.median(height[inside])
    raised = inside & (level > RAISED)
    parts, _ = ndimage.label(raised, np.ones((3, 3)))
    if not parts[pick]:
        return None
    mask = parts == parts[pick]
    cells = np.argwhere(mask)
    middle = np.rint((cells.min(0) + cells.max(0)) / 2)
    reach = float(np.linalg.norm(cells - middle, axis=1).max()) + 1
    if reach * resolution > LARGEST:
        return None
    around = ndimage.binary_dilation(mask, iterations=6) & inside & ~raised
    if not around.any():
        return None
    ground = np.median(picture[:, around], axis=1)
    unlike = np.abs(picture[:3] - ground[:3, None, None]).max(0) > UNLIKE
    taken = ndimage.binary_opening(unlike) | raised
    clear = np.pad(inside & (mask | ~taken), 1)
    room = ndimage.distance_transform_edt(clear)[1:-1, 1:-1]
    free = np.argwhere(room > reach + GAP / resolution)
    return Thing(mask, middle, reach, free, ground)


def put_elsewhere(picture: Float, thing: Thing, middle: NDArray[np.int64], turn: float) -> Float:
    """Moves a thing; table comes to light where it was.

    Args:
        picture: (C, H, W).
        thing: What is moved.
        middle: Row and column where its middle goes.
        turn: How far it turns from columns to rows [rad].

    Returns:
        Another (C, H, W).
    """
    moved = np.where(thing.mask, thing.ground[:, None, None], picture)
    target, source = _cells(thing, middle, turn)
    moved[:, *target] = picture[:, *source]
    return moved


def put_copy(picture: Float, thing: Thing, middle: NDArray[np.int64], turn: float,
             level: int) -> Float:
    """Adds a copy of a thing, on top of what is there.

    Args:
        picture: (C, H, W).
        thing: What is copied.
        middle: Row and column where the middle of the copy goes.
        turn: How far it is turned from columns to rows [rad].
        level: Channel of the heights.

    Returns:
        Another (C, H, W).
    """
    target, source = _cells(thing, middle, turn)
    added = picture.copy()
    added[:, *target] = picture[:, *source]
    added[level, *target] += np.median(picture[level, *target]) - thing.ground[level]
    return added


def _cells(thing: Thing, middle: NDArray[np.int64], turn: float
           ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns (2, K) that a moved thing covers, and where they were before."""
    span = np.arange(-np.ceil(thing.reach), np.ceil(thing.reach) + 1)
    rows, columns = (axis.ravel() for axis in np.meshgrid(span, span, indexing='ij'))
    cos, sin = np.cos(turn), np.sin(turn)
    source = np.rint(np.stack([cos * rows - sin * columns, sin * rows + cos * columns])
                     + thing.middle[:, None]).astype(np.int64)
    target = np.stack([rows, columns]).astype(np.int64) + np.asarray(middle)[:, None]
    known = np.ones(len(rows), bool)
    for axis, edge in enumerate(thing.mask.shape):
        for cells in (source, target):
            known &= (cells[axis] >= 0) & (cells[axis] < edge)
    known[known] = thing.mask[tuple(source[:, known])]
    return target[:, known], source[:, known]
