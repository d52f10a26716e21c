"""The graph of nodes and topics as plain geometry, from left to right.

Layers by longest path, then the order in each layer by the mean place of the neighbours: Sugiyama,
Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures, 1981.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NODE, TOPIC, BEND = (178., 54.), (148., 38.), (0., 10.)     # width and height [px]
GAP, SPACE, MARGIN = 28., 12., 6.       # between layers, between rows, around it all [px]
SWEEPS = 12


@dataclass(frozen=True)
class GraphNode:
    """A node.

    Attributes:
        name: Fully qualified name.
        text: What stands below it.
        sound: Whether all is well with it.
        source: Whether it is where the graph begins; what goes back to it is not drawn.
    """

    name: str
    text: str = ''
    sound: bool = True
    source: bool = False


@dataclass(frozen=True)
class GraphTopic:
    """A topic.

    Attributes:
        name: Full name.
        kind: Type of its messages.
        count: Messages.
        publishers: Names of nodes.
        subscribers: Likewise.
    """

    name: str
    kind: str
    count: int
    publishers: tuple[str, ...]
    subscribers: tuple[str, ...]


@dataclass(eq=False)
class _Place:
    """Something in a layer; the middle of its left edge is at (x, y)."""

    key: str
    size: tuple[float, float]
    layer: int
    x: float = 0.
    y: float = 0.


def graph_picture(nodes: Sequence[GraphNode], topics: Sequence[GraphTopic]) -> dict[str, object]:
    """Lays a graph out.

    Args:
        nodes: The nodes.
        topics: The topics between them.

    Returns:
        Width and height, boxes of `nodes` and `topics`, and `edges` as SVG paths.
    """
    links = [(name, topic.name) for topic in topics for name in topic.publishers]
    # What goes back to where the graph begins would make a circle; nobody needs the arrow.
    sources = {node.name for node in nodes if node.source}
    links += [(topic.name, name) for topic in topics for name in topic.subscribers
              if name not in sources]
    layer = _layers([*(node.name for node in nodes), *(topic.name for topic in topics)], links)
    places = {node.name: _Place(node.name, NODE, layer[node.name]) for node in nodes}
    places |= {topic.name: _Place(topic.name, TOPIC, layer[topic.name]) for topic in topics}
    chains = [_chain(places, *link) for link in links]
    rows = _ordered(list(places.values()), chains)
    width, height = _arrange(rows, chains)
    return {
        'width': round(width), 'height': round(height),
        'nodes': [{**_box(places[node.name]), 'name': node.name.strip('/'), 'text': node.text,
                   'sound': node.sound} for node in nodes],
        'topics': [{**_box(places[topic.name]), 'name': topic.name, 'label': _short(topic.name),
                    'kind': topic.kind, 'count': topic.count} for topic in topics],
        'edges': [{'path': _path(chain), 'text': f'{chain[0].key} to {chain[-1].key}'}
                  for chain in chains]}


def _short(name: str) -> str:
    """A private topic without the name of its node, which stands beside it."""
    parts = name.strip('/').split('/')
    return name if len(parts) < 3 else '~/' + '/'.join(parts[-2:])


def _layers(names: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Layer of each name: one beyond the last of what leads to it."""
    layer = dict.fromkeys(names, 0)
    for _ in names:     # enough for any graph without a circle; one with a circle ends as well
        for begin, end in links:
            layer[end] = min(max(layer[end], layer[begin] + 1), len(names))
    return layer


def _chain(places: dict[str, _Place], begin: str, end: str) -> list[_Place]:
    """The way of an edge, with a bend in every layer that it passes."""
    first, last = places[begin], places[end]
    bends = [_Place(f'{begin}>{end}>{layer}', BEND, layer)
             for layer in range(first.layer + 1, last.layer)]
    places.update({bend.key: bend for bend in bends})
    return [first, *bends, last]


def _ordered(places: Sequence[_Place], chains: Sequence[Sequence[_Place]]) -> list[list[_Place]]:
    """The layers, each in an order that lets few edges cross."""
    rows: defaultdict[int, list[_Place]] = defaultdict(list)
    for place in places:
        rows[place.layer].append(place)
    near = _neighbours(chains)
    for sweep in range(SWEEPS):
        for number in sorted(rows, reverse=sweep % 2 == 1):
            rank = {place.key: index / max(len(row) - 1, 1) for row in rows.values()
                    for index, place in enumerate(row)}
            rows[number].sort(key=lambda place: _mean(
                [rank[other.key] for other in near[place.key]], rank[place.key]))
    return [rows[number] for number in sorted(rows)]


def _arrange(rows: Sequence[Sequence[_Place]], chains: Sequence[Sequence[_Place]]
             ) -> tuple[float, float]:
    """Gives everything its place; width and height of the whole."""
    near, x = _neighbours(chains), MARGIN
    for row in rows:
        widest = max(place.size[0] for place in row)
        for place in row:
            place.x = x
            if not place.size[0]:       # an edge stays level as far as the layer reaches
                place.size = widest, place.size[1]
        _stack(row, [0.] * len(row))
        x += widest + GAP
    for sweep in range(SWEEPS):
        for row in rows[::-1] if sweep % 2 else rows:
            _stack(row, [_mean([other.y for other in near[place.key]], place.y)
                         for place in row])
    top = min(place.y - place.size[1] / 2 for row in rows for place in row) - MARGIN
    for row in rows:
        for place in row:
            place.y -= top
    return x - GAP + MARGIN, MARGIN + max(place.y + place.size[1] / 2
                                          for row in rows for place in row)


def _stack(row: Sequence[_Place], wanted: Sequence[float]) -> None:
    """Puts the places of a layer as near to where they want to be as their order lets them."""
    low, floor = [], -1e9
    for place, y in zip(row, wanted, strict=True):
        low.append(max(y, floor + place.size[1] / 2))
        floor = low[-1] + place.size[1] / 2 + SPACE
    # Pushed down only, all would sink; half of the push goes up.
    shift = sum(wanted) / len(row) - sum(low) / len(row)
    for place, y in zip(row, low, strict=True):
        place.y = y + shift


def _neighbours(chains: Sequence[Sequence[_Place]]) -> Mapping[str, list[_Place]]:
    near: defaultdict[str, list[_Place]] = defaultdict(list)
    for chain in chains:
        for first, second in pairwise(chain):
            near[first.key].append(second)
            near[second.key].append(first)
    return near


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _box(place: _Place) -> dict[str, float]:
    width, height = place.size
    return {'x': round(place.x, 1), 'y': round(place.y - height / 2, 1), 'width': width,
            'height': height}


def _path(chain: Sequence[_Place]) -> str:
    """A smooth line from right edge to left edge, level at every bend."""
    x, y = chain[0].x + chain[0].size[0], chain[0].y
    words = [f'M{x:.1f},{y:.1f}']
    for place in chain[1:]:
        reach = (place.x - x) / 2
        words.append(f'C{x + reach:.1f},{y:.1f} {place.x - reach:.1f},{place.y:.1f} '
                     f'{place.x:.1f},{place.y:.1f}')
        x, y = place.x + place.size[0], place.y
        if place is not chain[-1]:
            words.append(f'L{x:.1f},{y:.1f}')
    return ' '.join(words)
