"""Message passing on graphs: its law, in torch and as exported, and what it learns."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import regular
from eq_core.groups.representation import scalars
from eq_eval.planning.extent import Extent
from eq_eval.planning.maze_tasks import demonstrations
from eq_eval.planning.mazes import make_mazes
from eq_eval.planning.policies import answer
from eq_eval.planning.policies import operations
from eq_eval.planning.policies import policy_losses
from eq_eval.planning.policy_tasks import networks
from eq_eval.planning.policy_tasks import plans_turned
from eq_eval.planning.tasks import run_task
from eq_eval.planning.vin import ValueIterationNetwork
from eq_eval.training.export import onnx_graph
from eq_eval.training.export import Signature
from eq_eval.training.planner import PlannerBatch
from eq_navigation.config import MessagePassingConfig
from eq_navigation.graph import GeometricGraph
from eq_navigation.losses import displacement_loss
from eq_navigation.message_passing import iterations_for
from eq_navigation.message_passing import MessagePassing
from eq_navigation.message_passing import MessagePassingPlanner
from eq_navigation.message_passing import neighbor_scores
from eq_navigation.search import cost_to_go

GROUPS = ['C4', 'D4', 'C8']
PRECISIONS = [(torch.float32, 1e-4), (torch.float64, 1e-11)]


@pytest.fixture(params=PRECISIONS, ids=['float32', 'float64'])
def limit(request):
    """Accepted relative error; tensors and networks are made in its precision."""
    torch.set_default_dtype(request.param[0])
    yield request.param[1]
    torch.set_default_dtype(torch.float32)


def network(group, iterations=12):
    torch.manual_seed(3)
    config = MessagePassingConfig(group, features=3, hidden=3, iterations=iterations,
                                  directions=PlanarGroup.from_name(group).rotations)
    return MessagePassingPlanner(config).eval()


def scattered(count=60, seed=0):
    """Random places and features, and from none to some edges at each."""
    rng = np.random.default_rng(seed)
    edges = np.unique(rng.integers(0, count, (4 * count, 2)), axis=0)
    edges = edges[(edges[:, 0] != edges[:, 1]) & (edges[:, 0] > 0)]
    return GeometricGraph.from_edges(rng.normal(0, 1, (count, 2)), edges,
                                     rng.random((count, 3), np.float32))


def inputs(graph):
    real = torch.get_default_dtype()
    return (torch.from_numpy(graph.feature).to(real), torch.from_numpy(graph.neighbor),
            torch.from_numpy(graph.mask), torch.from_numpy(graph.offset()).to(real))


def moved(graph, matrix, shift=(30., -8.)):
    return GeometricGraph(graph.position @ matrix.T + shift, graph.neighbor, graph.mask,
                          graph.feature)


def directions_after(group, element):
    """Where each of the N directions goes."""
    mirror, turn = divmod(element, group.rotations)
    ahead = np.arange(group.rotations)
    return ((-ahead if mirror else ahead) + turn) % group.rotations


def violation(run, graph, group):
    """Largest violation of the law over a group, relative to how much nodes differ."""
    upright, worst = run(graph), 0.
    for element, matrix in enumerate(group.matrices):
        expected = {'displacement': upright['displacement'] @ matrix.T,
                    'scores': np.empty_like(upright['scores'])}
        expected['scores'][:, directions_after(group, element)] = upright['scores']
        turned = run(moved(graph, matrix))
        worst = max(worst, *(np.abs(turned[name] - expected[name]).max()
                             / np.ptp(upright[name], 0).max() for name in upright))
    return worst


def in_torch(model):
    def run(graph):
        with torch.no_grad():
            return {name: value.numpy() for name, value in model(*inputs(graph)).items()}
    return run


@pytest.mark.parametrize('group', GROUPS)
@torch.no_grad()
def test_a_round_of_messages_obeys_its_law(group, limit):
    symmetry, graph = PlanarGroup.from_name(group), scattered()
    layer = MessagePassing(scalars(symmetry, 3), regular(symmetry, 2), regular(symmetry, 2))
    upright = layer(*inputs(graph)).reshape(len(graph), 2, -1)
    action = torch.as_tensor(regular(symmetry, 1).representation.matrices).to(upright)
    for element, matrix in enumerate(symmetry.matrices):
        turned = layer(*inputs(moved(graph, matrix))).reshape(upright.shape)
        error = (turned - upright @ action[element].T).abs().max() / upright.abs().max()
        assert error < limit


@pytest.mark.parametrize('group', GROUPS)
def test_the_answer_turns_and_is_mirrored_and_does_not_move_with_the_graph(group, limit):
    run = in_torch(network(group))
    assert violation(run, scattered(), PlanarGroup.from_name(group)) < limit


def test_numbering_nodes_and_neighbours_anew_renumbers_the_answer(limit):
    graph, run, rng = scattered(), in_torch(network('D4')), np.random.default_rng(5)
    order, columns = rng.permutation(len(graph)), rng.permutation(graph.mask.shape[1])
    place = np.argsort(order)
    other = GeometricGraph(graph.position[order], place[graph.neighbor[order]][:, columns],
                           graph.mask[order][:, columns], graph.feature[order])
    for name, value in run(graph).items():
        np.testing.assert_allclose(run(other)[name], value[order],
                                   atol=limit * np.abs(value).max())


def test_what_stands_where_no_edge_is_does_not_matter(limit):
    graph, run = scattered(), in_torch(network('C4'))
    rng = np.random.default_rng(0)
    neighbor = np.where(graph.mask, graph.neighbor, rng.integers(0, len(graph), graph.mask.shape))
    other = replace(graph, neighbor=neighbor)
    assert not graph.mask[0].any()
    for name, value in run(graph).items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(run(other)[name], value)


def test_absolute_positions_and_a_plain_network_are_seen_to_break_the_law():
    """The measuring stick must be able to say no."""
    model, graph = network('C4'), scattered()

    def with_positions(graph):
        placed = np.concatenate([graph.position, graph.feature[:, :1]], 1).astype(np.float32)
        return in_torch(model)(replace(graph, feature=placed))
    assert violation(with_positions, graph, PlanarGroup(4)) > .01
    plain = in_torch(MessagePassingPlanner(replace(model.config.plain_twin(), iterations=12)))
    assert violation(plain, graph, PlanarGroup(4)) > .01


@pytest.mark.parametrize('group', GROUPS)
def test_the_exported_graph_computes_the_same_and_obeys_the_law(group):
    model, graph = network(group, 4), scattered()
    names = ('feature', 'neighbor', 'mask', 'offset')
    example = dict(zip(names, (value.numpy() for value in inputs(graph)), strict=True))
    signature = Signature(example, {name: {} for name in (*names, 'displacement', 'scores')})
    session = onnxruntime.InferenceSession(onnx_graph(model, signature),
                                           providers=['CPUExecutionProvider'])

    def run(graph):
        values = session.run(None, dict(zip(names, (value.numpy() for value in inputs(graph)),
                                            strict=True)))
        return dict(zip(('displacement', 'scores'), values, strict=True))
    for name, value in in_torch(model)(graph).items():
        np.testing.assert_allclose(run(graph)[name], value, atol=1e-4 * np.abs(value).max())
    assert violation(run, graph, PlanarGroup.from_name(group)) < 1e-3


def test_a_value_travels_one_edge_in_an_iteration():
    path = np.stack([np.arange(30.), np.zeros(30)], -1)
    ahead = np.stack([np.arange(29), np.arange(1, 30)], -1)
    graph = GeometricGraph.from_edges(path, np.concatenate([ahead, ahead[:, ::-1]]),
                                      np.zeros((30, 3), np.float32))
    marked = replace(graph, feature=np.eye(30, 3, dtype=np.float32))
    model, reach = network('C4').double(), []
    for steps in (1, 5, 9):
        with torch.no_grad():
            first, second = (model(*(value.double() if value.is_floating_point() else value
                                     for value in inputs(each)), iterations=steps)['scores']
                             for each in (graph, marked))
        reach.append(int(torch.nonzero((first - second).abs().sum(1))[-1]))
    assert np.diff(reach).tolist() == [4, 4]
    assert iterations_for(15 ** 2) == 30 and iterations_for(101) == 21


def test_scores_go_to_the_neighbour_that_lies_in_their_direction():
    offset = torch.tensor([[[1., .1], [-.2, 3.], [-1., 0.], [.1, -2.], [0., 0.]]])
    mask = torch.tensor([[True, True, True, True, False]])
    going = neighbor_scores(torch.tensor([[1., 2., 3., 4.]]), offset, mask)
    assert going[0, :4].tolist() == [1, 2, 3, 4] and going[0, 4] < -1e8


def test_directions_that_a_group_does_not_permute_are_refused():
    with pytest.raises(ConfigError, match='a multiple of 4 for C4'):
        MessagePassingConfig('C4', directions=6)
    with pytest.raises(ConfigError, match='must be 4 for D4'):
        MessagePassingConfig('D4', directions=8)


def test_the_plain_twin_takes_as_many_operations():
    shown = demonstrations(make_mazes(1, 9, 0))[0]
    builds = networks(9)
    assert operations(builds['C1'](), shown) == pytest.approx(operations(builds['C4'](), shown),
                                                              rel=.01)


def test_a_maze_is_learnt_by_heart_and_both_outputs_point_the_way():
    mazes = make_mazes(1, 7, 4)
    shown = demonstrations(mazes)
    batch, graph = PlannerBatch.of(shown), shown[0].graph
    torch.manual_seed(0)
    model = networks(7)['C4']()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        policy_losses(model, batch)['total'].backward()
        optimizer.step()
    with torch.no_grad():
        said = answer(model, batch)
    going = neighbor_scores(said['scores'], batch.offset, batch.mask)
    there = shown[0].action >= 0
    assert (going.argmax(1).numpy() == shown[0].action)[there].mean() > .95
    nearest = (batch.offset - said['displacement'][:, None]).square().sum(-1).argmin(1).numpy()
    assert (nearest == shown[0].action)[there].mean() > .9
    assert len(graph) == 49


def test_displacements_are_measured_where_somebody_went_only():
    offset = torch.tensor([[[1., 0.], [0., 1.]], [[2., 0.], [0., 0.]]])
    said = torch.tensor([[0., 3.], [100., 100.]])
    loss = displacement_loss(said, offset, torch.tensor([1, 0]), torch.tensor([1., 0.]))
    assert loss == 4


def test_turned_mazes_are_planned_on_and_the_plans_turned_back():
    mazes = make_mazes(3, 10, 2)
    best = [cost_to_go(graph.matrix(graph.length), mazes.goal_row(number))[0]
            for number in range(3) for graph in [mazes.graph(mazes.lattice(), number)]]

    def planner(some):
        return [cost_to_go(some.lattice().matrix(some.lattice().length), some.goal_row(number))[1]
                for number in range(len(some))]
    for distance, plan in zip(best, plans_turned(planner, mazes), strict=True):
        going = plan >= 0
        assert going.sum() == 99
        np.testing.assert_array_equal(distance[plan[going]], distance[going] - 1)


@torch.no_grad()
def test_vin_moves_with_the_map():
    torch.manual_seed(0)
    model, world = ValueIterationNetwork(15, iterations=2), torch.zeros(15, 15, 2)
    world[5:9, 5:9] = torch.rand(4, 4, 2)

    def plan(world):
        return model(world.reshape(-1, 2))['scores'].reshape(15, 15, 4)
    first, inside = plan(world), slice(4, 10)       # values have come 3 cells far
    shifted = plan(world.roll((1, -1), (0, 1))).roll((-1, 1), (0, 1))
    torch.testing.assert_close(shifted[inside, inside], first[inside, inside])


def test_the_benchmark_tells_apart_what_turns_and_what_does_not(tmp_path):
    extent = Extent(seeds=(0,), test_maps=20, starts=5, policy_maps=(4,), policy_steps=3)
    result = run_task('MP', tmp_path, extent, print)
    rows = {row['network']: row for row in result['rows']}
    assert rows.keys() == {'C4', 'C1', 'VIN', 'edge-Bellman'}
    assert rows['C4']['success'] == rows['C4']['turned'] and rows['C4']['kept'] > 99.9
    assert rows['C1']['kept'] < 99 and rows['VIN']['kept'] < 99
    assert result['success'] == result['by_maps']['C4']['4']
