"""The group axioms, the representations, and the action on grids."""

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.groups.grid import act_on_field
from eq_core.groups.grid import turn_grid
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.groups.representation import vectors

GROUPS = [PlanarGroup(n, mirrored) for n in (1, 2, 3, 4, 8) for mirrored in (False, True)]


@pytest.mark.parametrize('group', GROUPS, ids=str)
def test_group_axioms(group):
    compose, inverse, everyone = group.compose, group.inverse, np.arange(group.order)
    assert (compose[0] == everyone).all()
    assert (compose[everyone, inverse] == 0).all()
    assert (compose[compose] == compose[:, compose]).all()     # (g h) k = g (h k)


@pytest.mark.parametrize('group', GROUPS, ids=str)
@pytest.mark.parametrize('name', ['trivial', 'regular', 'frequency_1', 'frequency_2'])
def test_representations_are_homomorphisms(group, name):
    matrices = Representation(group, name).matrices
    product = np.einsum('gij,hjk->ghik', matrices, matrices)
    np.testing.assert_allclose(product, matrices[group.compose], atol=1e-12)


def test_quarter_turns_are_exact_integers():
    matrices = PlanarGroup(4).matrices
    assert (matrices == np.rint(matrices)).all()


@pytest.mark.parametrize('group', [g for g in GROUPS if g.exact_on_grid], ids=str)
def test_turning_a_grid_moves_a_point_as_the_matrix_says(group):
    grid = np.zeros((6, 6))
    grid[4, 1] = 1                                   # y = 1.5, x = -1.5 - ... about the centre
    x, y = 1 - 2.5, 4 - 2.5
    for element in range(group.order):
        tx, ty = group.matrices[element] @ [x, y]
        assert turn_grid(grid, group, element)[round(ty + 2.5), round(tx + 2.5)] == 1


@pytest.mark.parametrize('group', [g for g in GROUPS if g.exact_on_grid], ids=str)
def test_acting_twice_is_acting_with_the_product(group):
    field_type = vectors(group, 2)
    field = np.random.default_rng(0).normal(size=(1, 4, 6, 6))
    for g in range(group.order):
        for h in range(group.order):
            twice = act_on_field(act_on_field(field, field_type, h), field_type, g)
            once = act_on_field(field, field_type, int(group.compose[g, h]))
            np.testing.assert_allclose(twice, once, atol=1e-12)


@pytest.mark.parametrize('name', ['E4', 'C0', '4', 'C4 ', 'C100'])
def test_unknown_group_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=name.strip()):
        PlanarGroup.from_name(name)


def test_a_grid_does_not_turn_by_an_eighth():
    with pytest.raises(ConfigError, match='C8'):
        turn_grid(np.zeros((4, 4)), PlanarGroup(8), 1)
