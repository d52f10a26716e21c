"""From voxels to the pictures that the networks see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.voxels import VoxelGrid
from eq_manipulation.spatial.config import CHANNELS
from eq_manipulation.spatial.config import SpatialConfig
from eq_manipulation.spatial.config import STRIDE

Float = NDArray[np.float32]
GREY = .5           # zero of the colour channels


def scene_picture(voxels: VoxelGrid, config: SpatialConfig) -> Float:
    """Makes channels of voxels.

    Args:
        voxels: The cube.
        config: Of the policy.

    Returns:
        (4, size, size, size) float32: red, green and blue less grey, times occupancy, and
        occupancy; all zero where nothing is seen.

    Raises:
        InputError: The voxels have another size or resolution than the policy's.
    """
    shape, cell = voxels.occupancy.shape, voxels.workspace.resolution
    if shape != (config.size,) * 3 or abs(cell - config.resolution) > 1e-6:
        raise InputError(f'the policy takes {config.size} voxels of {config.resolution:g} m along '
                         f'each edge, got {shape} of {cell:g} m', 'bad_layout')
    picture = np.empty((CHANNELS, *shape), np.float32)
    picture[:3] = (voxels.color.transpose(3, 0, 1, 2) - GREY) * voxels.occupancy
    picture[3] = voxels.occupancy
    return picture


def cut_crop(picture: Float, corner: tuple[int, int, int], config: SpatialConfig) -> Float:
    """Cuts the cube around a pick out of a picture, zeros beyond its edges.

    The centre of a feature cell is a corner of voxels, so that a crop of even edge lies symmetric
    about it, and turns of the cube about the pick are exact.

    Args:
        picture: (4, size, size, size).
        corner: iz, iy, ix of the corner of voxels that the crop is centred on.
        config: Of the policy.

    Returns:
        (4, crop, crop, crop) float32.
    """
    half = config.crop // 2
    padded = np.pad(picture, ((0, 0), *((half, half),) * 3))
    z, y, x = corner
    return np.ascontiguousarray(padded[:, z:z + config.crop, y:y + config.crop,
                                       x:x + config.crop])


def pick_corner(cell: tuple[int, int, int]) -> tuple[int, int, int]:
    """Corner of voxels in the centre of a feature cell iz, iy, ix."""
    z, y, x = (STRIDE * index + STRIDE // 2 for index in cell)
    return z, y, x
