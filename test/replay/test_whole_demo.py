"""The whole demo: all nodes in one graph, all inputs accounted for, a page a capability."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vision_msgs')
pytest.importorskip('open3d', reason='Open3D missing')

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.cli.demo import simulated_street
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.replay.demo_workflow import DemoJob
from eq_eval.replay.demo_workflow import node_lines
from eq_eval.replay.demo_workflow import run_demo
from eq_eval.replay.goals import goals_on
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.whole_graph import LABELLED
from eq_eval.replay.whole_graph import MAP
from eq_eval.replay.whole_graph import OCCUPIED
from eq_eval.replay.whole_graph import Parts
from eq_eval.replay.whole_graph import ROBOT_RADIUS
from eq_navigation.planner import is_valid
from eq_ros import messages
from eq_ros.maps import decode_map

SCANS = 4
NODES = ['lidar_detector', 'panoptic_segmenter', 'semantic_costmap', 'graph_planner',
         'pick_place_policy']
live = pytest.mark.skipif(None in (messages.TFMessage, messages.PlanPickPlace),
                          reason='needs tf2_msgs and eq_msgs')


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('demo')


@pytest.fixture(scope='module')
def result(out: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
           ) -> dict[str, Any]:
    street = simulated_street(tmp_path_factory.mktemp('recordings'), SCANS,
                              lambda done, total, text: None)
    parts = Parts(ReplayOptions(), ReplayOptions(node=SEGMENTER), repository / 'models' / 'kit',
                  seeds=(3,))
    return run_demo(DemoJob(street, out, 'eq demo', parts))


@live
def test_every_node_accounts_for_what_the_one_before_has_said(result: dict[str, Any]) -> None:
    nodes = result['nodes']
    assert list(nodes) == NODES and result['all_accounted'] is True
    for each in nodes.values():
        assert each['accounted'] and each['in_flight'] == 0
        assert each['received'] == each['published'] + sum(each['dropped'].values())
    assert nodes['lidar_detector']['received'] == nodes['panoptic_segmenter']['received'] == SCANS
    assert nodes['semantic_costmap']['received'] == nodes['panoptic_segmenter']['published']
    assert nodes['graph_planner']['dropped'] == {'goal_occupied': 1}    # the one in an obstacle
    assert nodes['graph_planner']['published'] >= 2
    assert nodes['pick_place_policy']['published'] == result['pick_place']['asked'] >= 3
    assert len(node_lines(result)) == len(NODES)
    assert 'DOES NOT HOLD' not in ''.join(node_lines(result))


@live
def test_the_graph_is_one_from_the_clouds_to_the_paths(result: dict[str, Any]) -> None:
    assert set(result['graph']['nodes']) == {
        f'/{name}' for name in ('eq_replay', 'eq_arm', *NODES)}
    topics = {topic['name']: topic for topic in result['graph']['topics']}
    for name, by, to, count in (
            ('/points', 'eq_replay', 'lidar_detector', SCANS),
            ('/points', 'eq_replay', 'panoptic_segmenter', SCANS),
            (LABELLED, 'panoptic_segmenter', 'semantic_costmap', SCANS),
            (MAP, 'semantic_costmap', 'graph_planner', SCANS),
            ('/graph_planner/output/path', 'graph_planner', 'eq_replay',
             result['planning']['published']),
            ('/pick_place_policy/input/points', 'eq_arm', 'pick_place_policy',
             result['pick_place']['asked'])):
        assert f'/{by}' in topics[name]['publishers'] and f'/{to}' in topics[name]['subscribers']
        assert topics[name]['messages'] == count, name


@live
def test_paths_are_free_on_the_map_that_was_made_of_the_points(
        result: dict[str, Any], out: Path) -> None:
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores
    types = get_typestore(Stores.ROS2_KILTED)
    maps = [decode_map(types.deserialize_cdr(record.data, 'nav_msgs/msg/OccupancyGrid'))
            for record in read_messages(out / 'outputs', [MAP])]
    assert len(maps) == SCANS
    world = maps[-1]
    assert result['costmap']['lethal'] == (world.cells == 100).sum() > 500
    paths = json.loads((out / 'paths.json').read_text())[1:]     # the first is on an older map
    free = world.traversable(ROBOT_RADIUS, OCCUPIED)
    assert sum(bool(path['path']) for path in paths) >= 1
    for path in paths:
        assert bool(path['path']) is not bool(path['reason'])
        if path['path']:
            assert is_valid(world, free, np.array(path['path']))


@live
def test_there_is_a_page_for_each_capability(result: dict[str, Any], out: Path) -> None:
    names = ['overview', 'detection', 'panoptic', 'planning', 'pick_place']
    assert list(result['pages']) == names and result['report'] == result['pages']['overview']
    files = {name: Path(path) for name, path in result['pages'].items()}
    for name, file in files.items():
        text = file.read_text()
        for other in files.values():
            assert f'href="{other.name}"' in text
        assert text.count('aria-current="page"') == 1, name
        assert 'http' not in text.replace('http://www.w3.org', '')
        assert 'does not hold' not in text
    overview = files['overview'].read_text()
    for name in NODES:
        assert f'>{name}</text>' in overview and f'>{name}</td>' in overview
    assert json.loads((out / 'result.json').read_text())['nodes'] == result['nodes']


def test_goals_are_where_the_robot_can_go_but_for_the_last() -> None:
    cells = np.zeros((80, 120), np.int8)
    cells[:, 60] = 100                      # a wall, with nothing known beyond a part
    cells[:, 100:] = -1
    cells[60:, :60] = 40
    world = OccupancyMap(cells, .2, (-3., 2., 0.))
    robot, begin = world.centre(np.array(20), np.array(20)), world.centre(np.array(20),
                                                                          np.array(40))
    *reached, taken = goals_on(world, robot, begin, .5, 15)
    assert len(reached) == 3 and np.allclose(reached[-1], begin)
    free = world.traversable(.5, 15)
    for goal in reached:
        row, column, inside = world.locate(goal)
        assert inside and free[row, column] and column < 60 and row < 60
    row, column, _ = world.locate(taken)
    assert world.cells[row, column] == 100
    behind = world.centre(np.array(20), np.array(80))       # it cannot go back through the wall
    assert len(goals_on(world, robot, behind, .5, 15)) == 3
