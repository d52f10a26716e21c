"""From a heightmap to the pictures that the networks see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.heightmap import HeightMap
from eq_manipulation.planar.config import CHANNELS
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.config import STRIDE

HEIGHT_SCALE = .1   # [m]; tall things on a table become numbers of order one
GREY = .5           # zero of the colour channels

Float = NDArray[np.float32]


def scene_picture(heightmap: HeightMap, config: PlanarConfig) -> Float:
    """Pads a heightmap to a square.

    Args:
        heightmap: The table.
        config: Of the policy.

    Returns:
        (5, size, size) float32: red, green, blue, height, and whether a cell is of the workspace.
        All are zero beyond it; where nothing is seen, colour and height are those of a grey floor.

    Raises:
        InputError: The heightmap has another size or resolution than the policy's.
    """
    shape, cell = heightmap.height.shape, heightmap.workspace.resolution
    if shape != (config.rows, config.columns) or abs(cell - config.resolution) > 1e-6:
        raise InputError(f'the policy takes heightmaps of {config.rows} x {config.columns} cells '
                         f'of {config.resolution:g} m, got {shape} of {cell:g} m', 'bad_layout')
    picture = np.zeros((CHANNELS, config.size, config.size), np.float32)
    top, left = config.margin
    inner = picture[:, top:top + config.rows, left:left + config.columns]
    inner[:3] = np.where(heightmap.seen, heightmap.color.transpose(2, 0, 1) - GREY, 0)
    inner[3] = heightmap.height / HEIGHT_SCALE
    inner[4] = 1
    return picture


def cut_crop(picture: Float, corner: tuple[int, int], config: PlanarConfig) -> Float:
    """Cuts the square around a pick out of a picture, zeros beyond its edges.

    The centre of a feature cell is a corner of heightmap cells, so that a crop of even edge lies
    symmetric about it, and quarter turns about the pick are exact.

    Args:
        picture: (5, size, size).
        corner: Row and column of the corner of heightmap cells that the crop is centred on.
        config: Of the policy.

    Returns:
        (5, crop, crop) float32.
    """
    half = config.crop // 2
    padded = np.pad(picture, ((0, 0), (half, half), (half, half)))
    row, column = corner
    return np.ascontiguousarray(padded[:, row:row + config.crop, column:column + config.crop])


def pick_corner(row: int, column: int) -> tuple[int, int]:
    """Corner of heightmap cells in the centre of a feature cell."""
    return STRIDE * row + STRIDE // 2, STRIDE * column + STRIDE // 2
