"""Linear maps of single feature vectors obey their laws, tied, exported and in both precisions."""

import numpy as np
import pytest
import torch
from torch import nn

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import FieldType
from eq_core.groups.representation import regular
from eq_core.groups.representation import Representation
from eq_core.groups.representation import scalars
from eq_core.groups.representation import vectors
from eq_core.nn.linear import GroupLinear

GROUPS = ['C1', 'C4', 'D4', 'C8', 'D3']
OTHERS = ['trivial', 'regular', 'frequency_1', 'frequency_2']


def act(field_type, element, features):
    """Acts on the channels of (N, C) features."""
    matrix = torch.as_tensor(field_type.representation.matrices[element]).to(features)
    split = features.reshape(len(features), field_type.multiplicity, -1)
    return (split @ matrix.T).reshape(features.shape)


def law_error(layer, in_type, out_type, dtype):
    features = torch.randn(20, in_type.channels, dtype=dtype)
    answer = layer(features)
    return max(float((layer(act(in_type, element, features))
                      - act(out_type, element, answer)).abs().max() / answer.abs().max())
               for element in range(in_type.group.order))


@pytest.fixture(params=[(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=['f32', 'f64'])
def precision(request):
    torch.set_default_dtype(request.param[0])
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize('to_regular', [True, False])
@pytest.mark.parametrize('name', OTHERS)
@pytest.mark.parametrize('group', GROUPS)
@torch.no_grad()
def test_maps_from_and_to_regular_fields_obey_their_law(group, name, to_regular, precision):
    torch.manual_seed(0)
    dtype, limit = precision
    symmetry = PlanarGroup.from_name(group)
    other, hidden = FieldType(Representation(symmetry, name), 3), regular(symmetry, 2)
    layer = GroupLinear(other, hidden) if to_regular else GroupLinear(hidden, other)
    if layer.bias is not None:
        layer.bias.normal_()
    assert law_error(layer, layer.in_type, layer.out_type, dtype) < limit
    plain = layer.export()
    assert type(plain) is nn.Linear
    features = torch.randn(5, layer.in_type.channels)
    torch.testing.assert_close(plain(features), layer(features))


def test_between_regular_fields_weights_depend_on_the_relative_element_alone():
    group = PlanarGroup(4, mirrored=True)
    weight = GroupLinear(regular(group, 1), regular(group, 1)).weight().detach().numpy()
    relative = group.compose[group.inverse]     # [g, h] -> g^-1 h
    for element in range(group.order):
        assert np.unique(weight[relative == element]).size == 1
    assert np.unique(weight).size == group.order


@torch.no_grad()
def test_on_the_trivial_group_it_is_any_linear_map():
    group = PlanarGroup(1)
    layer = GroupLinear(regular(group, 3), vectors(group, 2))
    assert layer.coefficients.numel() == layer.weight().numel() and len(layer.bias) == 4


@torch.no_grad()
def test_a_plain_layer_is_seen_to_break_the_law():
    hidden = regular(PlanarGroup(4), 2)
    assert law_error(nn.Linear(8, 8), hidden, hidden, torch.float32) > .1


@pytest.mark.parametrize('types', [
    (scalars(PlanarGroup(4), 1), vectors(PlanarGroup(4), 1)),
    (regular(PlanarGroup(4), 1), regular(PlanarGroup(8), 1))])
def test_types_that_no_such_map_joins_are_refused(types):
    with pytest.raises(ConfigError, match='one of them regular'):
        GroupLinear(*types)
