"""The layout for Foxglove is one that its app exports, and shows what the nodes have."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

import pytest

from eq_ros.node_interfaces import INTERFACES
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import options
from eq_ros.node_kinds import STACK

KINDS = (*STACK, FOLLOWER)
SHOWN = {       # types of messages by types of panels that show them
    '3D': {'sensor_msgs/PointCloud2', 'visualization_msgs/MarkerArray', 'nav_msgs/OccupancyGrid',
           'nav_msgs/Path', 'nav_msgs/Odometry', 'geometry_msgs/PoseStamped',
           'geometry_msgs/PoseArray',
           'vision_msgs/Detection3DArray'},     # where `eq view` serves it as a scene
    'Image': {'sensor_msgs/Image'}, 'Plot': {'geometry_msgs/Twist'},
    'DiagnosticSummary': {'diagnostic_msgs/DiagnosticArray'},
    'DiagnosticStatusPanel': {'diagnostic_msgs/DiagnosticArray'}}
OTHERS = {'RosOut', 'Tab', 'TopicGraph'}
STATUS = re.compile(r'/diagnostics\.status\[:\]\{name=="(\w+): pipeline"\}'
                    r'\.values\[:\]\{key=="(\w+)"\}\.value')


@pytest.fixture(scope='module')
def layout(repository: Path) -> dict[str, Any]:
    return json.loads((repository / 'config/foxglove/eq_stack.json').read_text())


def kinds_of_topics() -> dict[str, str]:
    """Types by full names, as `eq up stack` and `stack.launch.py` have them."""
    remapped = {each.topic: each.default for each in options(STACK).values()
                if each.topic and not each.default.startswith('~')}
    found = {}
    for kind in KINDS:
        for topic in (*INTERFACES[kind.name].inputs, *INTERFACES[kind.name].outputs):
            own = topic.name in {each.topic for each in kind.arguments} and kind in STACK
            name = remapped.get(topic.name, topic.name) if own else topic.name
            found[f'/{name.replace("~", kind.name)}'.replace('//', '/')] = topic.kind
    return found


def panels(tree: Any) -> Iterator[str]:
    """Panels in a tree of splits, which is checked."""
    if isinstance(tree, str):
        yield tree
        return
    assert set(tree) == {'direction', 'first', 'second', 'splitPercentage'}
    assert tree['direction'] in ('row', 'column') and 0 < tree['splitPercentage'] < 100
    yield from panels(tree['first'])
    yield from panels(tree['second'])


def topics(kind: str, config: dict[str, Any]) -> Iterator[str]:
    """Topics that a panel shows."""
    yield from config.get('topics', {})
    yield from filter(None, [config.get('imageMode', {}).get('imageTopic')])
    if kind != 'RosOut':
        yield from filter(None, [config.get('topicToRender')])
    for path in config.get('paths', ()):
        if not path['value'].startswith('/diagnostics.'):
            yield path['value'].partition('.')[0]


def test_every_panel_is_placed_once_and_has_a_configuration(layout: dict[str, Any]) -> None:
    assert set(layout) == {'configById', 'globalVariables', 'userNodes', 'playbackConfig',
                           'layout'}
    placed = list(panels(layout['layout']))
    for config in layout['configById'].values():
        for tab in config.get('tabs', ()):
            placed += panels(tab['layout'])
    assert sorted(placed) == sorted(layout['configById'])
    assert {panel.partition('!')[0] for panel in placed} == {*SHOWN, *OTHERS}


def test_every_topic_is_one_of_a_node_and_of_a_type_that_the_panel_shows(
        layout: dict[str, Any]) -> None:
    known, seen = kinds_of_topics(), set()
    for panel, config in layout['configById'].items():
        kind = panel.partition('!')[0]
        for topic in topics(kind, config):
            assert topic in known, (panel, topic)
            assert known[topic] in SHOWN[kind], (panel, topic)
            seen.add(topic)
    # whatever a node draws is shown
    assert {name for name in known if name.endswith(('markers', 'heatmap', '/path'))
            and not name.startswith('/path_follower')} <= seen


def test_goals_are_published_where_the_planner_listens(layout: dict[str, Any]) -> None:
    known = kinds_of_topics()
    goals = {config['publish']['poseTopic'] for config in layout['configById'].values()
             if 'poseTopic' in config.get('publish', {})}
    assert goals == {options(STACK)['planner_input_goal'].default.join(('/', ''))}
    assert {known[goal] for goal in goals} == {'geometry_msgs/PoseStamped'}


def test_plots_of_the_diagnostics_name_nodes_and_keys_that_there_are(
        repository: Path, layout: dict[str, Any]) -> None:
    told = (repository / 'docs/lidar_detector.md').read_text()
    paths = [path['value'] for config in layout['configById'].values()
             for path in config.get('paths', ()) if path['value'].startswith('/diagnostics')]
    matches = [STATUS.fullmatch(path) for path in paths]
    assert all(matches)
    assert {match[1] for match in matches} == {kind.name for kind in KINDS}
    for key in {match[2] for match in matches}:
        assert f'`{key.replace("inference", "<stage>")}`' in told
