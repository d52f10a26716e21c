"""The network of edge costs: its law, in torch and as exported, and the planning it is for."""

import numpy as np
import pytest
import torch

from eq_core.errors import InputError
from eq_core.runtime.acceptance import equivariance_errors
from eq_core.runtime.selection import open_session
from eq_eval.planning.evaluation import evaluate_mazes
from eq_eval.planning.maze_tasks import demonstrations
from eq_eval.planning.maze_tasks import learn_mazes
from eq_eval.planning.mazes import free_edges
from eq_eval.planning.mazes import make_mazes
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_planner
from eq_eval.training.export import planner_signature
from eq_eval.training.planner import PlannerBatch
from eq_navigation.config import PlannerConfig
from eq_navigation.costs import LearnedCosts
from eq_navigation.graph import GeometricGraph
from eq_navigation.model import EdgeCost
from eq_navigation.model import PlainEdgeCost
from eq_navigation.model import UNREACHED
from eq_navigation.model import value_iteration
from eq_navigation.search import cost_to_go

CONFIG = PlannerConfig(features=3, channels=8)


def network(dtype=torch.float32):
    torch.manual_seed(2)
    return EdgeCost(CONFIG).to(dtype).eval()


def scattered(count=80, seed=0):
    """A graph of random places, features and edges."""
    rng = np.random.default_rng(seed)
    edges = np.unique(rng.integers(0, count, (5 * count, 2)), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    return GeometricGraph.from_edges(rng.normal(0, 4, (count, 2)), edges,
                                     rng.random((count, CONFIG.features), np.float32))


def costs_of(model, graph):
    dtype = next(model.parameters()).dtype
    feature, offset = (torch.from_numpy(value).to(dtype)
                       for value in (graph.feature, graph.offset()))
    own = feature[:, None].expand(-1, graph.mask.shape[1], -1)
    with torch.no_grad():
        return model(own, feature[graph.neighbor], offset)['cost'].numpy()


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize('mirror', [1, -1])
@pytest.mark.parametrize('degrees', [30, 77, 180])
def test_costs_do_not_change_when_the_graph_is_turned_mirrored_and_moved(
        degrees, mirror, dtype, limit):
    graph, model, angle = scattered(), network(dtype), np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = GeometricGraph(graph.position @ (turn @ np.diag([1, mirror])).T + [30., -80.],
                           graph.neighbor, graph.mask, graph.feature)
    first, second = costs_of(model, graph), costs_of(model, moved)
    assert np.abs(first - second).max() < limit * first.max()
    assert (first[graph.mask] > 0).all() and (first[~graph.mask] == 0).all()


def test_costs_grow_with_the_scale_and_know_no_direction_of_an_edge():
    graph, model = scattered(), network(torch.float64)
    first = costs_of(model, graph)
    large = GeometricGraph(7 * graph.position, graph.neighbor, graph.mask, graph.feature)
    np.testing.assert_allclose(costs_of(model, large), 7 * first, rtol=1e-9)
    matrix = graph.matrix(first).toarray()
    both = (matrix > 0) & (matrix.T > 0)
    assert both.any()
    np.testing.assert_allclose(matrix[both], matrix.T[both])


def test_numbering_nodes_anew_moves_the_costs_with_them():
    graph, model = scattered(), network(torch.float64)
    order = np.random.default_rng(5).permutation(len(graph))
    place = np.argsort(order)
    other = GeometricGraph(graph.position[order], place[graph.neighbor[order]], graph.mask[order],
                           graph.feature[order])
    np.testing.assert_allclose(costs_of(model, other), costs_of(model, graph)[order])


def test_the_exported_graph_obeys_the_law_and_judges_graphs_of_any_size(tmp_path):
    model, signature = network(), planner_signature(CONFIG)
    assert equivariance_error(model, signature, 'C4') < 1e-5
    bundle = export_planner(model, CONFIG, tmp_path / 'bundle', 'random', {}, '')
    inputs, golden = bundle.golden()
    for backend in ('onnxruntime', 'torch'):
        session = open_session(bundle, [backend])
        assert max(equivariance_errors(session, inputs).values()) < 1e-4
        np.testing.assert_allclose(session.run(inputs)['cost'], golden['cost'], rtol=1e-4)
    costs = LearnedCosts.from_bundle(bundle.path)
    for count in (3, 80, 5000):
        graph = scattered(count)
        np.testing.assert_allclose(costs(graph), costs_of(model, graph), rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match='3 features'):
        costs(GeometricGraph(graph.position, graph.neighbor, graph.mask, graph.feature[:, :2]))


def test_values_are_the_negative_costs_of_dijkstra():
    graph = scattered()
    cost = costs_of(network(torch.float64), graph)
    going = value_iteration(torch.from_numpy(cost), torch.from_numpy(graph.neighbor),
                            torch.from_numpy(graph.mask), torch.tensor([5]))
    expected, following = cost_to_go(graph.matrix(cost), 5)
    value = going.amax(1).numpy()
    for node in range(len(graph)):
        if node != 5 and np.isfinite(expected[node]):
            assert value[node] == pytest.approx(-expected[node])
            assert graph.neighbor[node, going[node].argmax()] == following[node]
        elif node != 5:
            assert value[node] < UNREACHED / 2


def test_mazes_have_optimal_moves():
    mazes = make_mazes(6, 16, 3)
    lattice = mazes.lattice()
    assert not mazes.free[:, [0, -1]].any() and not mazes.free[:, :, [0, -1]].any()
    for number in range(len(mazes)):
        cost, _ = cost_to_go(free_edges(lattice, mazes.free[number]), mazes.goal_row(number))
        action = mazes.action[number].reshape(-1)
        shown = np.flatnonzero(action >= 0)
        assert set(shown) == set(np.flatnonzero(np.isfinite(cost) & (cost > 0)))
        np.testing.assert_allclose(cost[lattice.neighbor[shown, action[shown]]], cost[shown] - 1)


def test_a_batch_has_no_edges_between_its_graphs():
    mazes = make_mazes(3, 9, 0)
    batch = PlannerBatch.of(demonstrations(mazes))
    graph_of = torch.arange(3 * 81) // 81
    assert (graph_of[batch.neighbor] == graph_of[:, None])[batch.mask].all()
    assert (batch.goal // 81).tolist() == [0, 1, 2]
    assert batch.weight.sum() == (mazes.action >= 0).sum()


def test_what_walls_are_is_learnt_from_few_mazes_and_holds_in_larger_ones():
    costs, _ = learn_mazes(make_mazes(30, 11, 0), 30, 0)
    small, large = make_mazes(20, 11, 1), make_mazes(10, 31, 1)
    assert evaluate_mazes(costs, small, 10)['success'] > 99
    assert evaluate_mazes(costs, large, 10)['success'] > 97
    # Without learning all cells cost the same, and the straight way leads through walls.
    assert evaluate_mazes(lambda graph: graph.length, small, 10)['success'] < 80


@pytest.mark.parametrize('network', [EdgeCost, PlainEdgeCost])
def test_a_graph_is_judged_as_its_edges_are_and_only_the_twin_cares_how_it_lies(network):
    torch.manual_seed(0)
    model, rng = network(PlannerConfig(3)).double(), np.random.default_rng(0)
    feature = torch.from_numpy(rng.normal(size=(20, 3)))
    neighbor = torch.from_numpy(rng.integers(20, size=(20, 4)))
    offset = torch.from_numpy(rng.normal(size=(20, 4, 2)))
    whole = model.edges(feature, neighbor, offset)
    single = model(feature[:, None].expand(-1, 4, -1), feature[neighbor], offset)['cost']
    torch.testing.assert_close(whole, single)
    turned = torch.stack([-offset[..., 1], offset[..., 0]], -1)
    same = torch.allclose(whole, model.edges(feature, neighbor, turned), rtol=1e-9)
    assert same == (network is EdgeCost)
