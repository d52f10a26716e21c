"""Map files: what map_server reads, and MovingAI's maps with their published optimal lengths."""

import numpy as np
from PIL import Image
import pytest

from eq_core.errors import InputError
from eq_eval.datasets.map_file import problem_ends
from eq_eval.datasets.map_file import read_map
from eq_eval.datasets.map_file import read_problems
from eq_navigation.cells import CellGraph
from eq_navigation.cells import Cells
from eq_navigation.search import route_within

SETTINGS = 'image: {image}\nresolution: 0.05\norigin: [-1.0, 2.0, 0.5]\nnegate: {negate}\n' \
           'occupied_thresh: 0.65\nfree_thresh: 0.196\n{more}'


def write(folder, shades, negate=0, more='', image='map.pgm'):
    Image.fromarray(np.array(shades, np.uint8)).save(folder / 'map.pgm')
    path = folder / 'map.yaml'
    path.write_text(SETTINGS.format(image=image, negate=negate, more=more))
    return path


def test_shades_become_occupancy_and_the_first_row_is_the_top(tmp_path):
    world = read_map(write(tmp_path, [[0, 254], [205, 254], [254, 100]]))
    assert world.cells.tolist() == [[0, -1], [-1, 0], [100, 0]]
    assert world.resolution == .05 and world.origin == (-1., 2., .5)


def test_shades_may_be_negated_or_scaled(tmp_path):
    assert read_map(write(tmp_path, [[0, 255]], 1)).cells.tolist() == [[0, 100]]
    scaled = read_map(write(tmp_path, [[0, 255, 148]], more='mode: scale\n')).cells
    assert scaled[0, 0] == 100 and scaled[0, 1] == 0 and 40 < scaled[0, 2] < 60


@pytest.mark.parametrize('more', ['mode: raw\n', 'free_thresh: much\n'])
def test_bad_settings_are_named(tmp_path, more):
    with pytest.raises(InputError, match=r'map\.yaml'):
        read_map(write(tmp_path, [[0, 255]], more=more))


def test_a_missing_image_or_map_is_named(tmp_path):
    with pytest.raises(InputError, match='map_server'):
        read_map(write(tmp_path, [[0]], image='other.pgm'))
    with pytest.raises(InputError, match='no such map'):
        read_map(tmp_path / 'none.yaml')


def test_moving_ai_maps_and_scenarios_are_read(tmp_path):
    (tmp_path / 'a.map').write_text('type octile\nheight 2\nwidth 3\nmap\n.@T\nG.S\n')
    assert read_map(tmp_path / 'a.map').cells.tolist() == [[0, 100, 100], [0, 0, 0]]
    (tmp_path / 'a.map.scen').write_text('version 1\n0\ta.map\t3\t2\t0\t0\t2\t1\t3.0\n\n')
    problem, = read_problems(tmp_path / 'a.map.scen')
    assert problem.start == (0, 0) and problem.goal == (2, 1) and problem.length == 3
    (tmp_path / 'a.map.scen').write_text('version 1\n0\ta.map\t3\t2\t0\n')
    with pytest.raises(InputError, match='line 2'):
        read_problems(tmp_path / 'a.map.scen')
    (tmp_path / 'a.map').write_text('type octile\nheight 3\nwidth 3\nmap\n.@T\nG.S\n')
    with pytest.raises(InputError, match='3 rows'):
        read_map(tmp_path / 'a.map')


@pytest.mark.parametrize('name', ['arena2', 'den312d', 'Berlin_0_256', 'maze512-32-0'])
def test_exact_search_finds_the_published_lengths(shared_data, name):
    folder = shared_data / 'maps' / 'movingai'
    world = read_map(folder / f'{name}.map')
    graph = CellGraph(Cells(world, world.traversable()))
    for problem in read_problems(folder / f'{name}.map.scen')[::97]:
        start, goal = (graph.node(*map(int, world.locate(place)[:2]))
                       for place in problem_ends(world, problem))
        route = route_within(graph.edges, start, goal, problem.length + 1)
        rounded = float(f'{route.cost:.6g}')    # some files have no more digits
        assert min(abs(route.cost - problem.length), abs(rounded - problem.length)) < 1e-4
