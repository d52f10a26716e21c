"""Route graphs: read, written and read again alike; what cannot be used is named."""

import json

import numpy as np
import pytest

from eq_core.errors import InputError
from eq_navigation.geojson import read_geojson
from eq_navigation.geojson import RouteGraph
from eq_navigation.geojson import write_geojson
from eq_navigation.graph import radius_graph
from eq_navigation.search import shortest_route


def node(number, x, y, **more):
    return {'type': 'Feature', 'properties': {'id': number, 'frame': 'map', **more},
            'geometry': {'type': 'Point', 'coordinates': [x, y]}}


def edge(number, start, end, **more):
    properties = {'id': number, 'startid': start, 'endid': end, **more}
    return {'type': 'Feature', 'properties': properties,
            'geometry': {'type': 'MultiLineString', 'coordinates': [[[0, 0], [1, 1]]]}}


def write(folder, *features):
    path = folder / 'graph.geojson'
    path.write_text(json.dumps({'type': 'FeatureCollection', 'features': features}))
    return path


GOOD = (node(5, 0., 0.), node(2, 3., 4., metadata={'name': 'dock'}), node(9, 6., 8.),
        edge(11, 5, 2, cost=7.5, overridable=False), edge(10, 2, 9),
        edge(12, 9, 5, cost=1., operations={'door': {'type': 'OpenDoor'}}))


def test_nodes_edges_and_costs_are_read_whatever_their_order(tmp_path):
    graph = read_geojson(write(tmp_path, *reversed(GOOD)))
    assert sorted(graph.node_id.tolist()) == [2, 5, 9] and graph.frame_id == 'map'
    ends = {int(number): tuple(graph.node_id[pair].tolist())
            for number, pair in zip(graph.edge_id, graph.edge, strict=True)}
    assert ends == {11: (5, 2), 10: (2, 9), 12: (9, 5)}
    geometric, cost = graph.to_graph()
    rows = {int(number): row for row, number in enumerate(graph.node_id)}
    route = shortest_route(geometric.matrix(np.where(geometric.mask, cost, np.inf)),
                           rows[5], rows[9])
    assert route.cost == pytest.approx(7.5 + 5)     # the second edge costs its length


def test_what_is_written_is_read_again_with_all_that_is_not_ours(tmp_path):
    first = read_geojson(write(tmp_path, *GOOD))
    write_geojson(first, tmp_path / 'again.geojson')
    second = read_geojson(tmp_path / 'again.geojson')
    for name in ('node_id', 'position', 'edge_id', 'edge', 'cost', 'overridable'):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.node_properties == second.node_properties
    assert second.edge_properties[2] == {'operations': {'door': {'type': 'OpenDoor'}}}
    assert second.node_properties[1] == {'metadata': {'name': 'dock'}}


def test_a_graph_of_ours_becomes_one_of_the_route_server(tmp_path):
    place = np.random.default_rng(0).uniform(0, 20, (60, 2))
    graph = radius_graph(place, 5., 4)
    cost = 3 * graph.length
    write_geojson(RouteGraph.from_graph(graph, cost, 'map'), tmp_path / 'graph.geojson')
    again = read_geojson(tmp_path / 'graph.geojson')
    assert len({*again.node_id.tolist(), *again.edge_id.tolist()}) == 60 + graph.mask.sum()
    geometric, costs = again.to_graph()
    np.testing.assert_allclose(geometric.matrix(costs).toarray(), graph.matrix(cost).toarray())


@pytest.mark.parametrize(('features', 'text'), [
    ([*GOOD, node(5, 1., 1.)], r'repeated are \[5\]'), ([*GOOD, edge(9, 5, 2)], 'repeated'),
    ([*GOOD, edge(20, 5, 77)], r'\[77\]'), ([node(70000, 0., 0.)], '65535'),
    ([node(1, float('nan'), 0.)], 'finite'), ([*GOOD, edge(20, 5, 2, cost=-1.)], '0 or more'),
    ([node('a', 0., 0.)], 'whole number'), ([{'geometry': {}}], 'not a route graph'),
    ([node(1, 0., 0.), {**node(2, 0., 0.), 'properties': {'id': 2, 'frame': 'odom'}}],
     'one frame')])
def test_what_cannot_be_used_is_named(tmp_path, features, text):
    with pytest.raises(InputError, match=text):
        read_geojson(write(tmp_path, *features))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match='none'):
        read_geojson(tmp_path / 'none.geojson')
