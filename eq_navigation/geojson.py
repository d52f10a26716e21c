"""Route graphs of Nav2's Route Server: GeoJSON in and out, with costs and all that is not ours.

Nodes are Points with ``id`` and ``frame``; edges are MultiLineStrings with ``id``, ``startid``,
``endid`` and optionally ``cost`` and ``overridable``. Ids are unique over nodes and edges
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_navigation.graph import GeometricGraph

LARGEST_ID = 2 ** 16 - 1    # ids are uint16 in the Route Server's messages

Double = NDArray[np.float64]
Integer = NDArray[np.int64]
Properties = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, eq=False)
class RouteGraph:
    """A directed graph as the Route Server knows it.

    Attributes:
        node_id: (N,) int64.
        position: (N, 2) float64 [m].
        frame_id: Frame of the places.
        edge_id: (E,) int64.
        edge: (E, 2) int64 rows of `node_id`, from and to.
        cost: (E,) float64; NaN where the file gives none.
        overridable: (E,) bool, whether edge scorers may replace the cost.
        node_properties: What else the file says of each node.
        edge_properties: What else it says of each edge.
    """

    node_id: Integer
    position: Double
    frame_id: str
    edge_id: Integer
    edge: Integer
    cost: Double
    overridable: NDArray[np.bool_]
    node_properties: Properties = field(default=())
    edge_properties: Properties = field(default=())

    def __post_init__(self) -> None:
        """Checks ids, references and costs.

        Raises:
            InputError: They cannot be; the text names which.
        """
        ids = np.concatenate([self.node_id, self.edge_id])
        if len(ids) and not 0 <= ids.min() <= ids.max() <= LARGEST_ID:
            raise InputError(f'ids must lie in 0..{LARGEST_ID}, got {ids.min()}..{ids.max()}',
                             'bad_graph')
        number, count = np.unique(ids, return_counts=True)
        if (count > 1).any():
            raise InputError(f'ids must be unique, repeated are {number[count > 1].tolist()}',
                             'bad_graph')
        if not np.isfinite(self.position).all():
            raise InputError('places of nodes must be finite', 'bad_graph')
        if np.isinf(self.cost).any() or (self.cost < 0).any():
            raise InputError('costs of edges must be 0 or more', 'bad_graph')

    @classmethod
    def from_graph(cls, graph: GeometricGraph, cost: Double, frame_id: str) -> RouteGraph:
        """Numbers the places of a geometric graph, then its edges.

        Args:
            graph: The graph.
            cost: (N, K) of its edges.
            frame_id: Frame of the places.
        """
        source, column = np.nonzero(graph.mask)
        edge = np.stack([source, graph.neighbor[source, column]], -1)
        return cls(np.arange(len(graph)), graph.position, frame_id,
                   len(graph) + np.arange(len(edge)), edge, cost[source, column],
                   np.ones(len(edge), bool))

    def to_graph(self) -> tuple[GeometricGraph, Double]:
        """The geometric graph and (N, K) costs: lengths where the file gives none."""
        graph = GeometricGraph.from_edges(self.position, self.edge)
        order = np.argsort(self.edge[:, 0], kind='stable')     # as `from_edges` does
        cost = graph.length.copy()
        given = cost[graph.mask]
        told = self.cost[order]
        cost[graph.mask] = np.where(np.isnan(told), given, told)
        return graph, cost


def read_geojson(path: Path) -> RouteGraph:
    """Reads a route graph.

    Raises:
        InputError: The file is missing, or something in it cannot be used; the text says where.
    """
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        features = data['features']
        nodes = [one for one in features if one['geometry']['type'] == 'Point']
        edges = [one for one in features if one['geometry']['type'] == 'MultiLineString']
        frames = {str(one['properties'].get('frame', 'map')) for one in nodes}
        node_id = _integers(nodes, 'id')
        position = np.array([one['geometry']['coordinates'][:2] for one in nodes], float)
        ends = np.stack([_integers(edges, 'startid'), _integers(edges, 'endid')], -1)
        cost = np.array([one['properties'].get('cost', np.nan) for one in edges], float)
        overridable = np.array([bool(one['properties'].get('overridable', True))
                                for one in edges], bool)
        edge_id = _integers(edges, 'id')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f'{path}: not a route graph: {error!r}') from error
    if len(frames) > 1:
        raise InputError(f'{path}: all nodes must be in one frame, got {sorted(frames)}')
    row = {int(one): number for number, one in enumerate(node_id)}
    unknown = sorted({int(one) for one in ends.reshape(-1)} - set(row))
    if unknown:
        raise InputError(f'{path}: edges refer to nodes that there are not: {unknown}')
    edge = np.array([row[int(one)] for one in ends.reshape(-1)], np.int64).reshape(-1, 2)
    return RouteGraph(
        node_id, position.reshape(-1, 2), next(iter(frames), 'map'), edge_id, edge, cost,
        overridable, _rest(nodes, ('id', 'frame')),
        _rest(edges, ('id', 'startid', 'endid', 'cost', 'overridable')))


def write_geojson(graph: RouteGraph, path: Path) -> None:
    """Writes a route graph as the Route Server loads it, in one piece."""
    nodes = [_feature('Point', place.tolist(), {'id': int(number), 'frame': graph.frame_id,
                                                **dict(more)})
             for number, place, more in zip(graph.node_id, graph.position,
                                            _padded(graph.node_properties, len(graph.node_id)),
                                            strict=True)]
    edges = []
    for row, more in enumerate(_padded(graph.edge_properties, len(graph.edge_id))):
        start, end = graph.edge[row]
        properties = {'id': int(graph.edge_id[row]), 'startid': int(graph.node_id[start]),
                      'endid': int(graph.node_id[end]),
                      'overridable': bool(graph.overridable[row]), **dict(more)}
        if not np.isnan(graph.cost[row]):
            properties['cost'] = float(graph.cost[row])
        line = [graph.position[start].tolist(), graph.position[end].tolist()]
        edges.append(_feature('MultiLineString', [line], properties))
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps({'type': 'FeatureCollection', 'name': 'graph',
                                   'features': nodes + edges}, indent=1) + '\n', encoding='utf-8')
    partial.replace(path)


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'Feature', 'properties': properties,
            'geometry': {'type': kind, 'coordinates': coordinates}}


def _integers(features: Sequence[Mapping[str, Any]], name: str) -> Integer:
    values = [one['properties'][name] for one in features]
    if any(not isinstance(value, int) or isinstance(value, bool) for value in values):
        raise ValueError(f'{name} must be a whole number')
    return np.array(values, np.int64)


def _rest(features: Sequence[Mapping[str, Any]], ours: tuple[str, ...]) -> Properties:
    return tuple({key: value for key, value in one['properties'].items() if key not in ours}
                 for one in features)


def _padded(properties: Properties, count: int) -> Properties:
    return properties or ({},) * count
