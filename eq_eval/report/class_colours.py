"""One fixed colour for each class of points, and one for each object.

The classes keep the hues of SemanticKITTI's own colour table (semantic-kitti.yaml); what is dark
there is lifted, for our ground is dark, and the ground classes are softened, for they cover most
of a picture and the objects are what one looks for.
"""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from eq_perception.panoptic.classes import CLASS_NAMES

POINT_CLASSES = {
    'unlabeled': '#59647a', 'car': '#5ba8ff', 'bicycle': '#63e6ee', 'motorcycle': '#3f6fe0',
    'truck': '#8f5cff', 'other-vehicle': '#b39bff', 'person': '#ff4a4a', 'bicyclist': '#ff4fc8',
    'motorcyclist': '#d1497f', 'road': '#a8559f', 'parking': '#eba6dd', 'sidewalk': '#6f4a91',
    'other-ground': '#a83a5c', 'building': '#e6c229', 'fence': '#ff8a3d', 'vegetation': '#2f9e4f',
    'trunk': '#a4703f', 'terrain': '#a3d15c', 'pole': '#fff2b0', 'traffic-sign': '#ff7b6b'}
# What the detector and the tracker call their objects
_ALIASES = {'pedestrian': 'person', 'cyclist': 'bicyclist'}

NO_OBJECT = ((46, 56, 84), (60, 71, 102), (76, 88, 122), (94, 106, 142))  # low to high
NUM_HUES = 240         # objects whose ids differ by less never share a colour
_GOLDEN = 0.381966     # of the circle: consecutive ids are as far apart as they can be for long
_LIGHTNESS = (.62, .76, .69)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a CSS colour ``'#rrggbb'``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def point_class_colour(name: str) -> str:
    """CSS colour of a class, also under the name that detections have for it."""
    return POINT_CLASSES.get(_ALIASES.get(name, name), POINT_CLASSES['unlabeled'])


def object_colour(track_id: int) -> str:
    """CSS colour of an object; consecutive ids differ most."""
    place = (track_id - 1) % NUM_HUES
    red, green, blue = colorsys.hls_to_rgb(place * _GOLDEN % 1, _LIGHTNESS[place % 3], .88)
    return '#{:02x}{:02x}{:02x}'.format(*(round(255 * part) for part in (red, green, blue)))


def class_palette() -> NDArray[np.uint8]:
    """(21, 3) uint8 colours of train ids 0..19 from entry 1 on; entry 0 is the ground."""
    return np.array([(0, 0, 0), *(rgb(POINT_CLASSES[name]) for name in CLASS_NAMES)], np.uint8)


def class_index(semantic: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Entry in `class_palette` of (N,) train ids."""
    return (semantic + 1).astype(np.uint8)


def object_palette() -> NDArray[np.uint8]:
    """(245, 3) uint8: the ground, points without an object by height, then the objects."""
    hues = [rgb(object_colour(track_id)) for track_id in range(1, NUM_HUES + 1)]
    return np.array([(0, 0, 0), *NO_OBJECT, *hues], np.uint8)


def object_index(instance: NDArray[np.integer], height: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Entry in `object_palette` of each point.

    Args:
        instance: (N,) object, 0 for none.
        height: (N,) above ground [m]; shades the points without an object.
    """
    level = np.clip(np.floor(height / 1.2) + 1, 0, len(NO_OBJECT) - 1)
    hue = (np.asarray(instance, np.int64) - 1) % NUM_HUES
    return np.where(instance > 0, 1 + len(NO_OBJECT) + hue, 1 + level).astype(np.uint8)
