"""The lifting layer: turning the ring of cameras acts on the fields it gives, for every target."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import regular
from eq_core.groups.representation import Representation
from eq_core.groups.representation import vectors
from eq_eval.training.export import onnx_graph
from eq_eval.training.export import Signature
from eq_navigation.config import ViewPlannerConfig
from eq_navigation.lifting import MultiViewLifting
from eq_navigation.lifting import restriction
from eq_navigation.lifting import so2_fields
from eq_navigation.model import value_iteration
from eq_navigation.view_model import ViewCost
from eq_navigation.view_model import with_stop

TARGETS = {
    'C4': [regular(PlanarGroup(4), 5)],
    'C8': [regular(PlanarGroup(8), 3)],
    'D4': [regular(PlanarGroup(4, mirrored=True), 3)],
    'SO(2)': so2_fields(2, 3, 2, 1, 1),
    'D8 vectors and C4': [vectors(PlanarGroup(8, mirrored=True), 2), regular(PlanarGroup(4), 1)]}
DTYPES = [(torch.float32, 1e-5), (torch.float64, 1e-12)]
VIEWS = np.random.default_rng(0).random((3, 4, 3, 16, 24), np.float32)


def network(out_types, equivariant=True, dtype=torch.float32):
    torch.manual_seed(1)
    return MultiViewLifting(16, 24, 6, out_types, equivariant).to(dtype).eval()


def dense_action(out_types, turns):
    """What `turns` quarter turns to the left do to all channels, as one matrix."""
    blocks = [np.kron(np.eye(each.multiplicity), restriction(each.representation)[turns])
              for each in out_types]
    return torch.block_diag(*map(torch.from_numpy, blocks)).numpy()


def law_error(function, out_types):
    """Largest violation of the law over C4, relative to the largest answer."""
    upright = function(VIEWS)
    # What was in front is on the left after a quarter turn of the world to the left.
    return max(np.abs(function(np.roll(VIEWS, turns, 1))
                      - upright @ dense_action(out_types, turns).T).max()
               for turns in range(1, 4)) / np.abs(upright).max()


def in_torch(model):
    dtype = next(model.parameters()).dtype

    def function(views):
        with torch.no_grad():
            return model(torch.from_numpy(views).to(dtype)).numpy()
    return function


class Named(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, views):
        return {'field': self.model(views)}


def exported(model, outputs):
    """Runs the exported graph, outputs side by side."""
    invariant = {'kind': 'invariant'}
    graph = onnx_graph(model, Signature({'views': VIEWS},
                                        dict.fromkeys(['views', *outputs], invariant)))
    session = onnxruntime.InferenceSession(graph, providers=['CPUExecutionProvider'])
    return lambda views: np.concatenate(session.run(list(outputs), {'views': views}), 1), graph


@pytest.mark.parametrize(('dtype', 'limit'), DTYPES)
@pytest.mark.parametrize('target', TARGETS)
def test_turning_the_cameras_acts_on_the_fields(target, dtype, limit):
    out_types = TARGETS[target]
    assert law_error(in_torch(network(out_types, dtype=dtype)), out_types) < limit


@pytest.mark.parametrize('target', TARGETS)
def test_the_exported_graph_obeys_the_law_and_is_made_of_plain_layers(target):
    model = network(TARGETS[target])
    function, graph = exported(Named(model), ['field'])
    assert law_error(function, TARGETS[target]) < 1e-5
    np.testing.assert_allclose(function(VIEWS), in_torch(model)(VIEWS), atol=1e-5)
    operations = {node.op_type for node in onnx.load_model_from_string(graph).graph.node}
    assert operations <= {'Conv', 'Gemm', 'MatMul', 'Relu', 'Reshape', 'Transpose', 'Mul', 'Sub',
                          'Add'}


@pytest.mark.parametrize('target', TARGETS)
def test_the_plain_twin_breaks_the_law_at_equal_operations(target):
    out_types = TARGETS[target]
    model, twin = network(out_types), network(out_types, equivariant=False)
    assert law_error(in_torch(twin), out_types) > .1
    assert model.linear.export().weight.shape == twin.linear.weight.shape


@pytest.mark.parametrize('target', TARGETS)
def test_the_linear_map_is_the_general_one(target):
    """Projecting any dense matrix on the maps that commute with C4 gives nothing new."""
    out_types = TARGETS[target]
    layer = network(out_types, dtype=torch.float64).linear
    turns = range(4)
    into = [np.kron(np.eye(6), restriction(Representation.regular(PlanarGroup(4)))[turn])
            for turn in turns]
    outof = [dense_action(out_types, turn) for turn in turns]
    rows, columns = layer.weight().shape
    projection = sum(np.kron(left, right) for left, right in zip(outof, into, strict=True)) / 4
    assert np.linalg.matrix_rank(projection) == sum(each.numel() for each in layer.coefficients)
    weight = layer.weight().detach().numpy().reshape(-1)
    np.testing.assert_allclose(projection @ weight, weight, atol=1e-12)
    assert projection.shape == (rows * columns,) * 2


def test_a_group_without_quarter_turns_is_refused():
    with pytest.raises(ConfigError, match='C6 has no quarter turns'):
        network([regular(PlanarGroup(6), 1)])


def test_images_of_other_sizes_than_multiples_of_four_are_refused():
    with pytest.raises(ConfigError, match='multiples of 4'):
        MultiViewLifting(18, 24, 6, TARGETS['C4'])


@pytest.mark.parametrize(('dtype', 'limit'), DTYPES)
def test_costs_of_moves_turn_with_the_heading_and_that_of_stopping_stays(dtype, limit):
    law = [regular(PlanarGroup(4), 1), *so2_fields(1)]
    for equivariant in (True, False):
        torch.manual_seed(0)
        model = ViewCost(ViewPlannerConfig(equivariant=equivariant)).to(dtype).eval()

        def function(views, model=model):
            with torch.no_grad():
                answer = model(torch.from_numpy(views).to(dtype))
            return np.concatenate([answer['move'], answer['stop']], 1)
        assert (function(VIEWS) > 0).all()
        assert (law_error(function, law) < limit) == equivariant
        onnx_function, _ = exported(model.float(), ['move', 'stop'])
        assert (law_error(onnx_function, law) < 1e-5) == equivariant


def test_values_travel_from_the_place_where_it_is_best_to_stop():
    # Three places in a row, moves left and right; stopping is cheap at the last only.
    neighbor = torch.tensor([[1, 0, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]])
    mask = torch.tensor([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]], dtype=torch.bool)
    joined, there = with_stop(neighbor, mask)
    cost = torch.ones(4, 5)
    cost[:, 4] = torch.tensor([9., 9., .5, 0.])
    going = value_iteration(cost, joined, there, torch.tensor([3]))
    assert going[:3].argmax(1).tolist() == [0, 0, 4]
    np.testing.assert_allclose(going[:3].amax(1).numpy(), [-2.5, -1.5, -.5])
