"""Costs from driven paths: what is read, what is shown, and that the planner learns the habit."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.cli.main import app
from eq_eval.planning.driven_paths import coarsened
from eq_eval.planning.driven_paths import demonstrate
from eq_eval.planning.driven_paths import read_paths
from eq_eval.planning.driven_tasks import drive
from eq_navigation.costs import LearnedCosts
from eq_navigation.planner import Planner
from eq_navigation.planner import PlanningConfig


def hall(turned=False):
    """A hall with pillars, cells of 0.1 m."""
    cells = np.zeros((60, 90), np.int8)
    cells[[0, -1]] = cells[:, [0, -1]] = 100
    for row, column in ((20, 30), (40, 30), (30, 55), (12, 60), (48, 62)):
        cells[row:row + 3, column:column + 3] = 100
    return OccupancyMap(cells, .1, (4., -2., 1.1) if turned else (0., 0., 0.))


def test_paths_are_read_as_a_replay_writes_them(tmp_path):
    file = tmp_path / 'paths.json'
    file.write_text(json.dumps([{'goal': [1, 2], 'path': [[0, 0], [1, 2]]}, {'path': []},
                                {'path': [[3, 3]]}]))
    paths = read_paths(file)
    assert len(paths) == 1 and paths[0].tolist() == [[0, 0], [1, 2]]
    for text in ('{', '[1]', '[{"way": 1}]', '[{"path": [[1, 2], [3]]}]',
                 '[{"path": [[NaN, 1], [1, 1]]}]'):
        file.write_text(text)
        with pytest.raises(InputError, match='paths.json'):
            read_paths(file)


def test_blocks_are_as_occupied_as_the_most_occupied_cell():
    cells = np.array([[0, 0, -1, 0, 9], [0, 30, 0, 0, 9], [100, -1, 0, 0, 9], [0, 0, 0, 0, 9]])
    coarse = coarsened(OccupancyMap(cells, .1), 2, 65)
    assert coarse.cells.tolist() == [[30, -1], [100, 0]] and coarse.resolution == .2


@pytest.mark.parametrize('turned', [False, True])
def test_each_cell_on_the_way_shows_the_next_one(turned):
    world = hall(turned)
    local = np.array([[1.1, 1.1], [4.1, 1.5], [8.1, 2.5]])
    path = local @ world._turn.T + world.origin[:2]
    shown = demonstrate(world, [path], PlanningConfig())[0]
    graph, node = shown.graph, int(np.square(shown.graph.position - path[0]).sum(1).argmin())
    walked = [node]
    while shown.action[node] >= 0:
        node = int(graph.neighbor[node, shown.action[node]])
        walked.append(node)
    assert node == shown.goal and len(walked) == (shown.action >= 0).sum() + 1
    fine = np.concatenate([np.linspace(a, b, 200) for a, b in zip(path, path[1:], strict=False)])
    apart = np.linalg.norm(graph.position[walked][:, None] - fine, axis=-1).min(1)
    assert apart.max() < .15
    np.testing.assert_allclose(graph.position[walked[-1]], path[-1], atol=.15)


def test_paths_that_show_nothing_are_refused():
    with pytest.raises(InputError, match='none of 1 paths'):
        demonstrate(hall(), [np.array([[50., 50.], [60., 50.]])], PlanningConfig())


def test_the_command_learns_to_keep_the_distance_that_was_kept(tmp_path):
    world = hall()
    ways = drive(world, 4, np.random.default_rng(0))
    (tmp_path / 'paths.json').write_text(json.dumps(
        [{'path': path.tolist()} for *_, path in ways]))
    picture = np.where(world.cells[::-1] == 100, 0, 254).astype(np.uint8)
    (tmp_path / 'hall.pgm').write_bytes(b'P5\n90 60\n255\n' + picture.tobytes())
    (tmp_path / 'hall.yaml').write_text('image: hall.pgm\nresolution: 0.1\norigin: [0, 0, 0]\n'
                                        'negate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.2\n')
    result = CliRunner().invoke(app, [
        'train', 'planner', '--map', str(tmp_path / 'hall.yaml'), '--paths',
        str(tmp_path / 'paths.json'), '--out', str(tmp_path / 'run'), '--threads', '1', '--json'])
    assert result.exit_code == 0, result.output
    learned = Planner(costs=LearnedCosts.from_bundle(tmp_path / 'run' / 'bundle'))
    turned = hall(True)
    clearance = turned.clearance(turned.obstacles())

    def kept(path):
        row, column, _ = turned.locate(path)
        return float(clearance[row, column].mean())
    shortest, gained = Planner(), []
    for start, goal, driven in drive(turned, 5, np.random.default_rng(7)):
        plans = [planner.plan(turned, start, goal).poses[:, :2] for planner in (learned, shortest)]
        gained.append([kept(driven), *map(kept, plans)])
    driver, ours, short = np.mean(gained, axis=0)
    assert ours > short + .5 * (driver - short) > short
