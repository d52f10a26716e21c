"""Messages become what they say, and whatever cannot be shown is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from shown_messages import ALL
from shown_messages import cloud
from shown_messages import detections
from shown_messages import GRID
from shown_messages import HEAT
from shown_messages import image
from shown_messages import message
from shown_messages import STAMP
from shown_messages import status
from shown_messages import transforms
from shown_messages import world

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_eval.viewers.colours import hues
from eq_eval.viewers.colours import point_colours
from eq_eval.viewers.frames import Frames
from eq_eval.viewers.from_messages import items_of
from eq_eval.viewers.from_messages import KINDS
from eq_eval.viewers.from_messages import links
from eq_eval.viewers.from_messages import TRANSFORMS
from eq_eval.viewers.things import BoxSet
from eq_eval.viewers.things import CellGrid
from eq_eval.viewers.things import PointSet
from eq_eval.viewers.things import PoseSet
from eq_eval.viewers.things import Status
from eq_eval.viewers.viewer import open_viewer
from eq_eval.viewers.viewer import VIEWERS
from eq_ros.node_interfaces import INTERFACES

PLAIN = {'geometry_msgs/Twist', 'vision_msgs/LabelInfo', 'visualization_msgs/MarkerArray'}


def test_every_output_of_a_node_is_shown_but_words_commands_and_drawings() -> None:
    """Drawings are of boxes and paths, which are shown themselves."""
    given = {topic.kind for each in INTERFACES.values() for topic in each.outputs}
    assert {kind.replace('/', '/msg/') for kind in given - PLAIN} <= set(KINDS)
    assert set(ALL) == set(KINDS)


@pytest.mark.parametrize('kind', ALL)
def test_items_carry_frame_and_time_of_their_message(kind: str) -> None:
    item, = items_of(kind, ALL[kind])
    header = ALL[kind].transforms[0].header if kind == TRANSFORMS else ALL[kind].header
    assert (item.frame_id, item.stamp) == (header.frame_id, STAMP)


def test_a_cloud_keeps_places_and_labels() -> None:
    thing = items_of('sensor_msgs/msg/PointCloud2', cloud())[0].thing
    assert isinstance(thing, PointSet)
    np.testing.assert_array_equal(thing.xyz, np.arange(1., 10).reshape(3, 3))
    np.testing.assert_array_equal(thing.fields['semantic'], [10, 40, 10])
    assert thing.fields['instance'].dtype == np.uint32
    colours = point_colours(thing)
    assert (colours[0] == colours[2]).all() and (colours[0] != colours[1]).any()


def test_boxes_have_their_best_class_and_poses_without_a_size_are_poses() -> None:
    thing = items_of('vision_msgs/msg/Detection3DArray', detections(4., 2.))[0].thing
    assert isinstance(thing, BoxSet)
    assert thing.texts == ('car 0.75', 'car #1 0.75') and thing.names == ('car', 'car')
    np.testing.assert_array_equal(thing.size, [[4, 2, 1], [2, 1, .5]])
    np.testing.assert_allclose(np.linalg.norm(thing.rotation, axis=1), 1.)
    assert isinstance(items_of('vision_msgs/msg/Detection3DArray', detections(0., 0.))[0].thing,
                      PoseSet)
    none = items_of('vision_msgs/msg/Detection3DArray', detections())[0].thing
    assert isinstance(none, BoxSet) and none.center.shape == (0, 3)


def test_maps_and_heatmaps_are_as_they_came() -> None:
    grid = items_of('nav_msgs/msg/OccupancyGrid', world())[0].thing
    assert isinstance(grid, CellGrid)
    np.testing.assert_array_equal(grid.cells, GRID)
    np.testing.assert_allclose((*grid.origin, grid.resolution), (1., 2., np.pi / 2, .5))
    colours = grid.rgba()
    assert len({tuple(colours[place]) for place in ((0, 0), (0, 1), (0, 2), (1, 0))}) == 4
    np.testing.assert_array_equal(
        items_of('sensor_msgs/msg/Image', image())[0].thing.pixels, HEAT)


def test_numbers_are_those_that_are_numbers_and_are_counted_or_measured() -> None:
    said = status(latency_p99_ms='3.5', state='active', model='7', **{'dropped.busy': '2'})
    told = items_of('diagnostic_msgs/msg/DiagnosticArray', said)[0].thing
    assert isinstance(told, Status) and (told.level, told.message) == (1, 'slow')
    assert told.numbers() == {'latency_p99_ms': 3.5, 'dropped.busy': 2.}
    assert told.values['state'] == 'active'


def test_transforms_are_links_of_frames_that_hang_from_one() -> None:
    link, = links(transforms(), static=True)
    assert (link.frame_id, link.thing.child, link.thing.static) == ('base_link', 'lidar', True)
    frames = Frames()
    frames.add('base_link', 'lidar')
    frames.add('odom', 'base_link')
    assert {frames.root(name) for name in ('lidar', 'base_link', 'odom')} == {'odom'}
    frames.add('lidar', 'odom')     # nonsense, but no reason to hang
    assert frames.root('odom') in ('odom', 'lidar', 'base_link')


def test_messages_that_lie_are_refused() -> None:
    lying = image()
    lying.width = 4
    with pytest.raises(InputError, match='too short'):
        items_of('sensor_msgs/msg/Image', lying)
    with pytest.raises(InputError):
        items_of('nav_msgs/msg/OccupancyGrid', message(data=[], info=world().info))


def test_colours_of_numbers_do_not_depend_on_what_else_is_there() -> None:
    some, more = hues(np.array([3, 0, 5])), hues(np.array([5, 9, 3, 3]))
    np.testing.assert_array_equal(some[[0, 2]], more[[2, 0]])
    np.testing.assert_array_equal(some[1], (128, 128, 128))


def test_a_viewer_that_is_not_there_is_named_with_its_package(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('eq_eval.viewers.viewer.find_spec', lambda name: None)
    for name, (_, package, _) in VIEWERS.items():
        with pytest.raises(ConfigError, match=f'pip install .* {package}$'):
            open_viewer(name)
    with pytest.raises(ConfigError, match="one of foxglove, rerun, got 'paper'"):
        open_viewer('paper')
