"""The picture of a graph: nothing overlaps, every edge runs to the right, and any graph ends."""

from __future__ import annotations

from itertools import combinations
import re
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from eq_eval.report.graph_picture import graph_picture
from eq_eval.report.graph_picture import GraphNode
from eq_eval.report.graph_picture import GraphTopic

NAMES = [f'/node_{letter}' for letter in 'abcdef']
NODES = [GraphNode(name, 'all is well', source=name == '/node_a') for name in NAMES]
some = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
topics = st.lists(st.tuples(some, some), max_size=8)


def picture(ends: list[tuple[list[str], list[str]]]) -> dict[str, Any]:
    return graph_picture(NODES, [
        GraphTopic(f'/topic_{number}', 'std_msgs/msg/Empty', number, tuple(by), tuple(to))
        for number, (by, to) in enumerate(ends)])


@settings(max_examples=60, deadline=None)
@given(topics)
def test_boxes_do_not_overlap_and_lie_in_the_picture(ends: Any) -> None:
    view = picture(ends)
    boxes = view['nodes'] + view['topics']
    assert len(boxes) == len(NAMES) + len(ends)
    for first, second in combinations(boxes, 2):
        assert any(one[low] + one[size] <= other[low] + .2 for one, other in (
            (first, second), (second, first)) for low, size in (('x', 'width'), ('y', 'height')))
    for box in boxes:
        assert 0 <= box['x'] and box['x'] + box['width'] <= view['width'] + 1
        assert 0 <= box['y'] and box['y'] + box['height'] <= view['height'] + 1


def test_every_edge_leads_to_the_right_and_ends_at_its_boxes() -> None:
    view = picture([(['/node_a'], ['/node_b', '/node_d']), (['/node_b'], ['/node_c', '/node_a']),
                    (['/node_c'], ['/node_d'])])
    place = {box['name'].strip('/'): box for box in view['nodes'] + view['topics']}
    assert len(view['edges']) == 7          # none back to where the graph begins
    for edge in view['edges']:
        begin, end = (place[name.strip('/')] for name in edge['text'].split(' to '))
        numbers = [float(word) for word in re.findall(r'-?[\d.]+', edge['path'])]
        assert (numbers[0], numbers[-2]) == (begin['x'] + begin['width'], end['x'])
        assert begin['y'] < numbers[1] < begin['y'] + begin['height']
        assert end['y'] < numbers[-1] < end['y'] + end['height']
        assert numbers[0::2] == sorted(numbers[0::2])
    assert place['node_d']['x'] > place['node_c']['x'] > place['node_b']['x']


def test_private_topics_are_shown_without_the_node_that_stands_beside_them() -> None:
    view = graph_picture(NODES, [
        GraphTopic('/points', 'a', 3, ('/node_a',), ('/node_b',)),
        GraphTopic('/node_b/output/map', 'b', 2, ('/node_b',), ())])
    assert [topic['label'] for topic in view['topics']] == ['/points', '~/output/map']
    assert [topic['count'] for topic in view['topics']] == [3, 2]
