"""The exact action of quarter turns and mirrors on feature maps.

Feature maps are indexed ``[..., channel, iy, ix]``; x grows with ix and y with iy, so that a turn
of the world by +90 degrees, (x, y) -> (-y, x), moves cell (iy, ix) to (ix, W - 1 - iy).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import FieldType


def turn_grid(grid: NDArray, group: PlanarGroup, element: int) -> NDArray:
    """Moves the cells of a square map by one group element.

    Args:
        grid: (..., H, H), any dtype; cells row-major [iy, ix].
        group: A group that maps the square grid onto itself (C1, C2, C4, D1, D2, D4).
        element: Index of the element.

    Returns:
        Same shape and dtype, the turned map (a view).

    Raises:
        ConfigError: The group does not map the grid onto itself, or the map is not square.
    """
    if not group.exact_on_grid:
        raise ConfigError(f'{group} does not map the square grid onto itself')
    if grid.shape[-1] != grid.shape[-2]:
        raise ConfigError(f'a map that turns must be square, got {grid.shape[-2:]}')
    mirror, turn = divmod(element, group.rotations)
    if mirror:
        grid = np.flip(grid, -2)
    return np.rot90(grid, -turn * 4 // group.rotations, axes=(-2, -1))


def act_on_field(field: NDArray, field_type: FieldType, element: int) -> NDArray:
    """Acts on a feature map: ``(g f)(x) = rho(g) f(g^-1 x)``.

    Args:
        field: (..., C, H, H) with ``C = field_type.channels``.
        field_type: How the channels turn.
        element: Index of the group element.

    Returns:
        Same shape.

    Raises:
        ConfigError: As in `turn_grid`, or the number of channels does not fit.
    """
    *batch, channels, height, width = field.shape
    if channels != field_type.channels:
        raise ConfigError(f'{field_type} has {field_type.channels} channels, '
                          f'the field has {channels}')
    moved = turn_grid(field, field_type.group, element)
    matrix = field_type.representation.matrices[element].astype(field.dtype)
    split = moved.reshape(*batch, field_type.multiplicity, -1, height, width)
    return np.einsum('de,...mehw->...mdhw', matrix, split).reshape(field.shape)


def turn_cube(grid: NDArray, rotation: NDArray) -> NDArray:
    """Moves the cells of a cube by one of the 24 rotations that map it onto itself.

    Args:
        grid: (..., n, n, n), any dtype, indexed [iz, iy, ix].
        rotation: (3, 3), one of `eq_core.groups.rotation_sets.cube_group`.

    Returns:
        Same shape and dtype, the turned cube (a view).

    Raises:
        ConfigError: The rotation does not map axes onto axes, or the grid is no cube.
    """
    whole = np.rint(rotation)
    if np.abs(whole - rotation).max() > 1e-6 or not (np.abs(whole).sum(0) == 1).all():
        raise ConfigError(f'only rotations of the cube turn its cells, got {rotation.tolist()}')
    if len(set(grid.shape[-3:])) != 1:
        raise ConfigError(f'a grid that turns must be a cube, got {grid.shape[-3:]}')
    source = np.abs(whole).argmax(1)        # axis x, y, z that each axis is taken from
    flipped = [axis for axis in range(3) if whole[axis, source[axis]] < 0]
    lead = grid.ndim - 3
    order = [lead + 2 - int(source[axis]) for axis in (2, 1, 0)]
    moved = np.transpose(grid, (*range(lead), *order))
    return np.flip(moved, tuple(-1 - axis for axis in flipped))
