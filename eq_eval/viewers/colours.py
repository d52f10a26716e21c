"""Colours of points and classes in viewers that take none from fields."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from eq_eval.report.palette import class_colour
from eq_eval.viewers.things import PointSet

GOLDEN = 0.61803398875      # of a turn: neighbours in number are far apart in hue


def hues(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(N, 3) colours of numbers: the same number the same one, 0 grey."""
    known, index = np.unique(labels, return_inverse=True)
    table = np.array([(128, 128, 128) if label == 0 else [
        round(255 * part) for part in colorsys.hsv_to_rgb(float(label) * GOLDEN % 1., .65, 1.)]
        for label in known], np.uint8).reshape(-1, 3)
    return table[index]


def point_colours(points: PointSet) -> NDArray[np.uint8]:
    """(N, 3) colours: their own, else of their classes, else their intensity in grey."""
    if points.color is not None:
        return points.color
    if 'semantic' in points.fields:
        return hues(points.fields['semantic'])
    value = points.fields.get('intensity', np.ones(len(points.xyz)))
    top = max(1., float(np.max(value, initial=0.)))     # integers go up to more than 1
    grey = np.clip(80 + 175 * np.nan_to_num(value) / top, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, None], 3, 1)


def class_rgb(name: str) -> tuple[int, int, int]:
    """Red, green, blue of a class."""
    code = class_colour(name).lstrip('#')
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)
