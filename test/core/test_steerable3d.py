"""Steerable 3-D layers obey the turns of the cube, field by field, and export to plain ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
import torch

from eq_core.errors import ConfigError
from eq_core.groups.grid import turn_cube
from eq_core.groups.rotation_sets import cube_group
from eq_core.groups.wigner import wigner_matrices
from eq_core.nn.steerable3d import Fields
from eq_core.nn.steerable3d import Gate
from eq_core.nn.steerable3d import intertwiner
from eq_core.nn.steerable3d import SteerableBatchNorm3d
from eq_core.nn.steerable3d import SteerableBlock
from eq_core.nn.steerable3d import SteerableConv3d

HERE, THERE = Fields((3, 2, 2)), Fields((2, 3, 1))


def turned(field: np.ndarray, fields: Fields, rotation: np.ndarray) -> np.ndarray:
    """Moves the cells of (B, C, n, n, n) and turns the fields in them."""
    moved, parts, start = turn_cube(field, rotation), [], 0
    for matrix, count in zip(wigner_matrices(rotation, 2), fields.counts, strict=True):
        part = moved[:, start:start + count * len(matrix)]
        split = part.reshape(len(part), count, len(matrix), *part.shape[2:])
        parts.append(np.einsum('mk,bnkzyx->bnmzyx', matrix, split).reshape(part.shape))
        start += count * len(matrix)
    return np.concatenate(parts, 1)


def drawn(fields: Fields, edge: int = 8) -> np.ndarray:
    """A field at random."""
    return np.random.default_rng(0).standard_normal((2, fields.channels, edge, edge, edge))


@torch.no_grad()
def law_error(module: torch.nn.Module, fields_in: Fields, fields_out: Fields) -> float:
    """Largest error of ``f(g x) = g f(x)`` over the turns of the cube."""
    field, worst = drawn(fields_in), 0.
    upright = module(torch.from_numpy(field)).numpy()
    for rotation in cube_group():
        found = module(torch.from_numpy(turned(field, fields_in, rotation).copy())).numpy()
        worst = max(worst, np.abs(found - turned(upright, fields_out, rotation)).max())
    return worst


@pytest.mark.parametrize(('size', 'stride'), [(1, 1), (3, 1), (5, 1), (2, 2), (4, 2)])
def test_convolutions_turn_with_the_cube(size: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = SteerableConv3d(HERE, THERE, size, stride, bias=True).double()
    torch.nn.init.normal_(layer.bias)
    assert law_error(layer, HERE, THERE) < 1e-5


def test_blocks_turn_with_the_cube_in_training_and_after_it() -> None:
    torch.manual_seed(0)
    block = SteerableBlock(HERE, THERE).double()
    assert law_error(block, HERE, THERE) < 1e-5
    assert law_error(block.eval(), HERE, THERE) < 1e-5


def test_kernels_turn_between_the_turns_of_the_cube_as_far_as_harmonics_do() -> None:
    for low, degree, high in ((1, 1, 1), (1, 2, 1), (2, 1, 2), (0, 2, 2), (2, 2, 1)):
        rotation = Rotation.from_rotvec([.3, -.5, .8]).as_matrix()
        matrices, tensor = wigner_matrices(rotation, 2), intertwiner(low, degree, high)
        found = np.einsum('am,bn,cj,mnj->abc', matrices[high], matrices[low], matrices[degree],
                          tensor)
        np.testing.assert_allclose(found, tensor, atol=1e-12)


def test_exported_blocks_are_plain_and_the_same() -> None:
    torch.manual_seed(0)
    block = SteerableBlock(HERE, THERE, 4, 2)
    field = torch.from_numpy(drawn(HERE)).float()
    block(field)
    block.eval()
    plain = block.export()
    assert type(plain[0]) is torch.nn.Conv3d
    np.testing.assert_allclose(plain(field).detach(), block(field).detach(), atol=1e-5)


def test_normalisation_makes_every_field_of_order_one() -> None:
    norm = SteerableBatchNorm3d(HERE)
    field = torch.from_numpy(drawn(HERE)).float() * 7 + 3
    found = norm(field)
    square = (found ** 2).mean((0, 2, 3, 4))
    np.testing.assert_allclose(square[:3].detach(), 1, atol=1e-3)
    np.testing.assert_allclose(square[3:6].mean().detach() * 3, 3 * 1, atol=.2)
    assert found[:, :3].mean().abs() < 1e-5
    assert Gate(Fields((4, 0, 0)))(field[:, :4]).min() >= 0


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match='size 3'):
        SteerableConv3d(HERE, THERE, 3, 2)
    with pytest.raises(ConfigError, match='counts'):
        Fields((1, -1, 0))
    with pytest.raises(ConfigError, match='only rotations'):
        turn_cube(np.zeros((2, 2, 2)), Rotation.from_euler('z', .3).as_matrix())
    with pytest.raises(ConfigError, match='cube'):
        turn_cube(np.zeros((2, 2, 3)), np.eye(3))


@pytest.mark.parametrize('degrees', [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 2)])
def test_the_sign_of_a_coupling_does_not_hang_on_rounding(degrees: tuple[int, int, int]) -> None:
    """Weights are told relative to it: of entries that are equally large the last is positive."""
    entries = intertwiner(*degrees).ravel()
    largest = np.flatnonzero(np.abs(entries) > np.abs(entries).max() - 1e-6)
    assert len(largest) > 1 and entries[largest[-1]] > 0
