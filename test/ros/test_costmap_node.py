"""The live costmap: labelled clouds become maps, and each one that does not has a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
from graph import Graph
from test_odometry import odometry

from eq_core.geometry.points import Points
from eq_ros import messages
from eq_ros import qos
from eq_ros.maps import decode_map
from eq_ros.panoptic import encode_panoptic

NAME = '/semantic_costmap'
SECOND = 10**9
ROAD, CAR = 40, 10


def labelled(stamp: float, car: float | None = 3., frame_id: str = 'lidar') -> Any:
    """Road around a sensor that is 1.7 m above it, and a car some way ahead."""
    x, y = np.meshgrid(*[np.arange(-6, 6, .1) + .03] * 2)
    xyz = np.stack([x.ravel(), y.ravel(), np.full(x.size, -1.7)], -1)
    semantic = np.full(len(xyz), ROAD)
    if car is not None:
        xyz[np.abs(xyz[:, :2] - (car, 0.)).max(1) < .5, 2] += 1.
        semantic[xyz[:, 2] > -1.] = CAR
    count = len(xyz)
    return messages.pointcloud2(encode_panoptic(
        Points.from_xyz(xyz, np.zeros(count), frame_id, round(stamp * SECOND)), semantic,
        np.zeros(count, int), np.ones(count)))


class Mapper:
    """The other end of the node."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.maps = graph, []
        node = graph.node
        node.create_subscription(messages.OccupancyGrid, f'{NAME}/output/map', self.maps.append,
                                 qos.latched())
        self.odometry = node.create_publisher(messages.Odometry, f'{NAME}/input/odometry',
                                              qos.result(50))

    def start(self, *arguments: str) -> None:
        graph = self.graph
        graph.start('-p', 'odometry_source:=topic', '-p', 'odometry_timeout:=5.0', *arguments,
                    script='eq_navigation.nodes.semantic_costmap', name=NAME)
        graph.wait(lambda: graph.values.get('state') == 'active', 'active')
        graph.wait(lambda: graph.input.get_subscription_count() > 0, 'heard')
        graph.wait(lambda: self.odometry.get_subscription_count() > 0, 'odometry')
        graph.wait(lambda: graph.node.count_publishers(f'{NAME}/output/map') > 0, 'maps')

    def tell(self, stamp: float, x: float) -> None:
        """Says where the sensor is, and waits until that is known."""
        self.odometry.publish(odometry(stamp, x, body='lidar'))
        self.graph.wait(lambda: self.graph.values.get('odometry_until') == f'{stamp:.3f}', 'pose')

    def send(self, message: Any) -> Any:
        """The map after a cloud, or None if it was dropped."""
        seen, before = len(self.maps), self.graph.count('published')
        self.graph.send_each([message])
        if self.graph.count('published') == before:
            return None
        self.graph.wait(lambda: len(self.maps) > seen, 'map')
        return decode_map(self.maps[-1])


@pytest.fixture
def mapper(graph: Graph) -> Mapper:
    return Mapper(graph)


def cost(world: Any, x: float, y: float) -> int:
    row, column, inside = world.locate(np.array([x, y]))
    return int(world.cells[row, column]) if inside else -2


def test_clouds_become_one_map_in_the_frame_of_the_odometry(mapper: Mapper) -> None:
    mapper.start()
    mapper.tell(1., 10.)
    world = mapper.send(labelled(1.))
    assert (world.frame_id, world.stamp) == ('odom', SECOND)
    assert cost(world, 13., .03) == 100 and cost(world, 11., .03) == 0
    assert cost(world, 30., .03) == -1
    mapper.tell(1.1, 12.)           # the car has driven on, and so has the sensor
    world = mapper.send(labelled(1.1, car=4.))
    assert cost(world, 13., .03) == 0 and cost(world, 16., .03) == 100
    assert cost(world, 4.1, .03) == 0                               # seen only before
    mapper.graph.settled()
    assert mapper.graph.balance() == 0


def test_every_cloud_without_a_map_has_a_reason(mapper: Mapper) -> None:
    graph = mapper.graph
    mapper.start('-p', 'odometry_timeout:=0.0')
    assert mapper.send(labelled(1.)) is None                        # nobody knows where it was
    mapper.tell(1.1, 0.)
    assert mapper.send(labelled(1.1)) is not None
    plain = labelled(1.2)
    plain.fields = [field for field in plain.fields if field.name != 'semantic']
    for message in (labelled(1.05), plain, labelled(1.3, frame_id='')):
        assert mapper.send(message) is None
    assert {name: count for name, count in graph.values.items() if 'dropped' in name} == {
        f'dropped.{reason}': '1' for reason in ('tf_error', 'out_of_order', 'missing_field',
                                                'frame')}
    graph.settled()
    assert graph.balance() == 0


def test_the_map_begins_anew_when_time_or_odometry_jumps(mapper: Mapper) -> None:
    mapper.start('-p', 'max_speed:=20.0')
    mapper.tell(100., 0.)
    assert cost(mapper.send(labelled(100.)), 3., .03) == 100
    mapper.tell(50., 0.)
    world = mapper.send(labelled(50., car=-3.))
    assert cost(world, -3., .03) == 100 and cost(world, 3., .03) == 0
    mapper.tell(50.1, 30.)                                          # 300 m/s
    assert mapper.send(labelled(50.1)) is None
    mapper.tell(50.2, 30.)
    world = mapper.send(labelled(50.2))
    assert cost(world, 33., .03) == 100 and cost(world, -3., .03) < 0
    mapper.graph.wait_report('the map begins anew')
    mapper.graph.settled()
    assert mapper.graph.balance() == 0


def test_parameters_that_do_not_go_together_are_named(mapper: Mapper) -> None:
    for arguments, text in ((('ground_costs:=[0]',), 'ground_costs'),
                            (('odometry_source:=guess',), 'odometry_source'),
                            (('width:=2000.0', 'resolution:=0.1'), 'width and height')):
        graph = mapper.graph
        words = [word for argument in arguments for word in ('-p', argument)]
        process = graph.start(*words, script='eq_navigation.nodes.semantic_costmap', name=NAME)
        graph.wait_report(text)
        process.terminate()
        process.wait()
