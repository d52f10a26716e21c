"""Every layer obeys its law, in float32 and float64, before and after export, and in ONNX."""

import io

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import Representation
from eq_core.nn.block import GroupBlock
from eq_core.nn.block import upsample
from eq_core.nn.convolution import GroupConv2d
from eq_core.nn.convolution import HeadConv2d
from eq_core.nn.convolution import LiftingConv2d
from eq_core.nn.export import export_plain
from eq_core.nn.kernels import kernel_basis
from eq_core.nn.normalization import GroupBatchNorm2d
from eq_core.nn.normalization import GroupMaxPool
from eq_core.nn.points import PointLifting
from eq_core.testing import assert_equivariant
from eq_core.testing import equivariance_error
from eq_core.testing import TOLERANCE

EXACT = [PlanarGroup(1), PlanarGroup(2), PlanarGroup(4), PlanarGroup(4, mirrored=True)]
HEADS = ['trivial', 'frequency_1', 'frequency_2']


class Upsample(nn.Module):
    """`upsample` as a module with types."""

    def __init__(self, group):
        super().__init__()
        self.in_type = self.out_type = GroupConv2d(group, 3, 3).in_type

    def forward(self, field):
        return upsample(field)


def randomize_norm(module):
    """Gives batch normalisation statistics that matter."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value, low in ((part.running_mean, -1.), (part.running_var, .5),
                               (part.weight.data, -1.), (part.bias.data, -1.)):
                value.copy_(low + 2 * torch.rand(value.shape, generator=generator))
    return module


def layers(group):
    torch.manual_seed(0)
    yield LiftingConv2d(group, 2, 3, 3, bias=True)
    yield LiftingConv2d(group, 2, 3, 2, stride=2)
    yield GroupConv2d(group, 3, 5, 3, bias=True)
    yield GroupConv2d(group, 3, 5, 1)
    yield GroupConv2d(group, 3, 2, 2, stride=2)
    yield GroupConv2d(group, 3, 2, 4, stride=2)
    yield GroupBatchNorm2d(group, 3)
    yield GroupMaxPool(group, 3)
    yield GroupBlock(group, 3, 4)
    yield Upsample(group)
    for name in HEADS:
        yield HeadConv2d(3, Representation(group, name), 2)


CASES = [(group, number) for group in EXACT for number in range(len(list(layers(group))))]


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize(('group', 'number'), CASES, ids=str)
def test_layer_obeys_its_law(group, number, dtype):
    assert_equivariant(randomize_norm(list(layers(group))[number]), dtype=dtype)


@pytest.mark.parametrize('group', EXACT, ids=str)
def test_exported_layers_obey_the_law_and_compute_the_same_in_onnx(group):
    for layer in layers(group):
        if not hasattr(layer, 'export'):
            continue
        randomize_norm(layer).eval()
        plain = layer.export().eval()
        field = torch.randn(2, layer.in_type.channels, 8, 8)
        expected = layer(field).detach().numpy()
        file = io.BytesIO()
        torch.onnx.export(plain, (field,), file, dynamo=False, input_names=['x'])
        session = onnxruntime.InferenceSession(file.getvalue(),
                                               providers=['CPUExecutionProvider'])

        def run(array, session=session):
            return session.run(None, {'x': array})[0]

        scale = np.abs(expected).max()
        assert np.abs(run(field.numpy()) - expected).max() <= 1e-5 * scale
        error = equivariance_error(run, field.numpy(), layer.in_type, layer.out_type)
        assert error <= TOLERANCE['float32'], layer


def test_a_plain_convolution_violates_the_law():
    """The measuring stick must be able to say no."""
    plain = nn.Conv2d(12, 12, 3, padding=1)
    plain.in_type = plain.out_type = GroupConv2d(PlanarGroup(4), 3, 3).in_type
    with pytest.raises(AssertionError, match='violates its law'):
        assert_equivariant(plain, dtype='float32')


def test_odd_kernel_with_stride_is_refused():
    with pytest.raises(ConfigError, match='odd kernel 3'):
        GroupConv2d(PlanarGroup(4), 1, 1, kernel_size=3, stride=2)


@pytest.mark.parametrize('group', [PlanarGroup(4), PlanarGroup(8), PlanarGroup(3, True)], ids=str)
def test_point_lifting_obeys_its_law(group):
    layer = PointLifting(group, 4, 2, 3).double()
    points = torch.randn(50, 8, dtype=torch.float64)
    regular = torch.as_tensor(Representation.regular(group).matrices)
    answer = layer(points).reshape(50, 3, group.order)
    for element, matrix in enumerate(torch.as_tensor(group.matrices)):
        turned = points.clone()
        turned[:, 4:6], turned[:, 6:8] = points[:, 4:6] @ matrix.T, points[:, 6:8] @ matrix.T
        expected = answer @ regular[element].T
        torch.testing.assert_close(layer(turned).reshape(50, 3, -1), expected)
    torch.testing.assert_close(layer.export()(points), layer(points))


def test_c8_kernels_turn_by_45_degrees_on_a_smooth_field():
    """C8 is not exact on a grid: on a band-limited field it errs by sampling only."""
    group = PlanarGroup(8)
    layer = LiftingConv2d(group, 1, 2, 5).double()
    axis = torch.arange(41, dtype=torch.float64) - 20
    y, x = torch.meshgrid(axis, axis, indexing='ij')

    def field(turn):
        matrix = torch.as_tensor(group.matrices[turn])
        px = matrix[0, 0] * x + matrix[1, 0] * y - 3
        py = matrix[0, 1] * x + matrix[1, 1] * y
        return torch.exp(-(px ** 2 + 2 * py ** 2) / 24)[None, None]

    centre = [layer(field(turn)).reshape(2, 8, 41, 41)[:, :, 20, 20] for turn in range(8)]
    for turn in range(8):
        miss = (centre[turn] - centre[0].roll(turn, 1)).abs().max()
        assert miss < 0.05 * centre[0].abs().max()


def test_exact_basis_is_every_cell_and_its_turns_are_permutations():
    basis = kernel_basis(PlanarGroup(4), 3)
    assert basis.shape == (9, 4, 3, 3)
    assert (basis[:, 0].reshape(9, 9) == np.eye(9)).all()
    assert (basis.sum(0) == 1).all()


def test_repr_states_the_law():
    text = repr(GroupConv2d(PlanarGroup(4), 3, 5))
    assert '3 x regular(C4) -> 5 x regular(C4)' in text


def test_export_plain_replaces_nested_layers():
    model = nn.Sequential(GroupBlock(PlanarGroup(4), 2, 3), nn.Sequential(
        GroupConv2d(PlanarGroup(4), 3, 3)))
    randomize_norm(model).eval()
    plain = export_plain(model)
    field = torch.randn(1, 8, 6, 6)
    torch.testing.assert_close(plain(field), model(field))
    assert not any(isinstance(part, (GroupConv2d, GroupBatchNorm2d)) for part in plain.modules())
