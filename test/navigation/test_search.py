"""Exact search agrees with networkx, and says when there is no way."""

import networkx
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_matrix

from eq_core.errors import InputError
from eq_navigation.search import cost_to_go
from eq_navigation.search import NONE
from eq_navigation.search import route_within
from eq_navigation.search import shortest_route


def graph(seed=0, count=60):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(count, count, .06, random_state=rng, format='csr')
    matrix.data += .05
    return csr_matrix(matrix)


def test_routes_are_those_of_networkx():
    edges = graph()
    oracle = networkx.from_scipy_sparse_array(edges, create_using=networkx.DiGraph)
    found = 0
    for goal in range(1, 60):
        route = shortest_route(edges, 0, goal)
        if networkx.has_path(oracle, 0, goal):
            assert route.cost == pytest.approx(networkx.dijkstra_path_length(oracle, 0, goal))
            assert route.nodes[0] == 0 and route.nodes[-1] == goal
            legs = [edges[a, b] for a, b in zip(route.nodes, route.nodes[1:], strict=False)]
            assert min(legs) > 0 and sum(legs) == pytest.approx(route.cost)
            assert route_within(edges, 0, goal, route.cost + 1e-9).cost == route.cost
            assert not len(route_within(edges, 0, goal, route.cost - 1e-9).nodes)
            found += 1
        else:
            assert not len(route.nodes) and np.isinf(route.cost)
    assert 5 < found < 59


def test_cost_to_go_follows_edges_backwards():
    edges = graph(1)
    oracle = networkx.from_scipy_sparse_array(edges.T, create_using=networkx.DiGraph)
    cost, following = cost_to_go(edges, 7)
    expected = networkx.single_source_dijkstra_path_length(oracle, 7)
    for node in range(60):
        assert cost[node] == pytest.approx(expected.get(node, np.inf))
        if node in expected and node != 7:
            step = following[node]
            assert cost[node] == pytest.approx(edges[node, step] + cost[step])
        else:
            assert following[node] == NONE


def test_the_way_to_oneself_costs_nothing():
    route = shortest_route(graph(), 3, 3)
    assert route.nodes.tolist() == [3] and route.cost == 0


@pytest.mark.parametrize('bad', [-1., np.nan])
def test_bad_costs_and_rows_are_named(bad):
    edges = graph()
    with pytest.raises(InputError, match='goal'):
        shortest_route(edges, 0, 60)
    edges.data[3] = bad
    with pytest.raises(InputError, match='costs'):
        shortest_route(edges, 0, 1)
