"""A scan as the sensor sees it: azimuth across, elevation down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.points import Points
from eq_eval.report.class_colours import class_index
from eq_eval.report.class_colours import class_palette
from eq_eval.report.class_colours import object_colour
from eq_eval.report.class_colours import object_index
from eq_eval.report.class_colours import object_palette
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.raster import ground_height
from eq_eval.report.raster import png_uri
from eq_eval.report.tags import place_tags
from eq_eval.report.tags import Tag

COLUMNS, ROWS = 1024, 64   # cells
WIDTH, HEIGHT = 1000, 200  # [px] of the drawing; each cell is stretched
_NAMED = 50                # points from which on an object is named
_GAP = 3                   # rows between two beams that are closed at most, on either side


@dataclass(frozen=True)
class RangeView:
    """The whole circle around the sensor; ahead is in the middle, left is left.

    Attributes:
        width: [px].
        height: [px].
        points_uri: PNG of COLUMNS x ROWS cells as a `data:` address.
        directions: (place [px], text) of azimuths.
        tags: Names of objects.
    """

    width: int
    height: int
    points_uri: str
    directions: tuple[tuple[float, str], ...]
    tags: tuple[Tag, ...] = ()


def class_range_view(scene: PanopticScene, semantic: NDArray[np.integer]) -> RangeView:
    """A range view coloured by (N,) train ids, found or true."""
    image = range_image(scene.points, class_index(semantic))
    return RangeView(WIDTH, HEIGHT, png_uri(image, class_palette()), _directions())


def object_range_view(scene: PanopticScene) -> RangeView:
    """A range view coloured by object, with ids."""
    points = scene.points
    instance = scene.instance if scene.instance is not None else np.zeros(len(points), int)
    height = points.xyz[:, 2] - ground_height(points)
    image = range_image(points, object_index(instance, height))
    return RangeView(WIDTH, HEIGHT, png_uri(image, object_palette()), _directions(),
                     _tags(points, np.asarray(instance)))


def range_image(points: Points, colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(ROWS, COLUMNS) palette image; near points cover far ones, gaps between beams are closed.

    Args:
        points: The scan.
        colour: (N,) palette entry of each point, at least 1.
    """
    image = np.zeros((ROWS, COLUMNS), np.uint8)
    column, row = cells(points)
    order = np.argsort(-np.linalg.norm(points.xyz, axis=1), kind='stable')
    image[row[order], column[order]] = colour[order]
    return _closed(image)


def cells(points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) column by azimuth and (N,) row by elevation, fitted to the scan's field of view."""
    x, y, z = points.xyz.T.astype(np.float64)
    turn = .5 - np.arctan2(y, x) / (2 * np.pi)
    column = np.floor(turn * COLUMNS).astype(np.int64) % COLUMNS
    elevation = np.arctan2(z, np.hypot(x, y))
    low, high = (np.percentile(elevation, [.3, 99.7]) if len(elevation) else (-1., 1.))
    share = (high - elevation) / max(high - low, 1e-3)
    return column, np.clip(np.floor(share * ROWS), 0, ROWS - 1).astype(np.int64)


def _closed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fills an empty cell between two filled ones of its column with the nearer one."""
    padded = np.pad(image, ((_GAP, _GAP), (0, 0)))
    above, below = (_nearest([padded[_GAP + sign * step:len(padded) - _GAP + sign * step]
                              for step in range(1, _GAP + 1)]) for sign in (-1, 1))
    between = (image == 0) & (above[0] > 0) & (below[0] > 0)
    nearer = np.where(above[1] <= below[1], above[0], below[0])
    return np.where(between, nearer, image)


def _nearest(layers: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first filled layer of each cell, and how far it is."""
    stack = np.stack(layers)
    first = (stack > 0).argmax(0)
    return np.take_along_axis(stack, first[None], 0)[0], first


def _directions() -> tuple[tuple[float, str], ...]:
    return tuple((WIDTH * (.5 - degrees / 360), text) for degrees, text in (
        (135, 'left, behind'), (90, 'left'), (45, ''), (0, 'ahead'), (-45, ''), (-90, 'right'),
        (-135, 'right, behind')))


def _tags(points: Points, instance: NDArray[np.integer]) -> tuple[Tag, ...]:
    """The ids of large objects above their points, the largest first."""
    column, row = cells(points)
    ids, counts = np.unique(instance[instance > 0], return_counts=True)
    order = np.argsort(-counts, kind='stable')
    ids = ids[order[counts[order] >= _NAMED]].tolist()
    bounds = []
    for key in ids:
        own = instance == key
        # Half a circle away from its middle an object that is cut by the edge holds together.
        middle = np.angle(np.exp(2j * np.pi * column[own] / COLUMNS).mean()) * COLUMNS / 2 / np.pi
        place = middle % COLUMNS / COLUMNS * WIDTH
        top, bottom = row[own].min() / ROWS * HEIGHT, (row[own].max() + 1) / ROWS * HEIGHT
        bounds.append((place, top, place, bottom))
    return place_tags(np.array(bounds).reshape(-1, 4), [str(key) for key in ids],
                      [object_colour(key) for key in ids], (WIDTH, HEIGHT), above=True)
