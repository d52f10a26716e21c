"""The node `semantic_costmap`: labelled points and odometry in, maps out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_navigation.costmap_from_points import Costmap
from eq_navigation.costmap_from_points import CostmapConfig
from eq_ros import qos
from eq_ros.accounting import Ticket
from eq_ros.guard import Guard
from eq_ros.guard import one_line
from eq_ros.keep_latest import KeepLatest
from eq_ros.lifecycle_node import ManagedNode
from eq_ros.lifecycle_node import NodeParameters
from eq_ros.map_publisher import map_message
from eq_ros.messages import OccupancyGrid
from eq_ros.messages import Odometry
from eq_ros.messages import PointCloud2
from eq_ros.messages import TFMessage
from eq_ros.odometry import check_steady
from eq_ros.odometry import EgoMotion
from eq_ros.odometry import TfOdometry
from eq_ros.odometry import TopicOdometry
from eq_ros.panoptic import decode_classes
from eq_ros.parameters import parameter
from eq_ros.poses import SECOND
from eq_ros.process import run
from eq_ros.scan_order import Order
from eq_ros.scan_order import ScanOrder
from eq_ros.transforms import Transforms

SOURCES = ('topic', 'tf')
MAX_GAP = 1e6       # [s]; a map holds however long nobody looked
DEFAULT = CostmapConfig()
Item = tuple[Ticket, PointCloud2]


@dataclass(frozen=True)
class Parameters(NodeParameters):
    """Parameters of the node; `config/semantic_costmap.param.yaml` shows them all."""

    odometry_source: str = parameter(
        'tf', 'Where the pose of the sensor comes from', choices=SOURCES)
    odom_frame: str = parameter('odom', 'Frame of the map for the source tf')
    odometry_timeout: float = parameter(
        .2, 'Longest wait for the odometry of a cloud [s]', minimum=0., maximum=10.)
    max_speed: float = parameter(
        50., 'Odometry that moves faster has jumped [m/s]', minimum=.1, maximum=1000.)
    max_disorder: float = parameter(
        .5, 'Clouds older than the newest by more mean that time has jumped back [s]',
        minimum=0., maximum=10.)
    max_range: float = parameter(
        1000., 'Points with a coordinate beyond it are removed [m]', minimum=1., maximum=1e6,
        live=True)
    resolution: float = parameter(
        DEFAULT.resolution, 'Edge of a cell [m]', minimum=.01, maximum=10.)
    width: float = parameter(
        DEFAULT.width, 'Of the map along x, the sensor is in its middle [m]', minimum=1.,
        maximum=2000.)
    height: float = parameter(
        DEFAULT.height, 'Likewise along y [m]', minimum=1., maximum=2000.)
    ground_ids: tuple[int, ...] = parameter(
        DEFAULT.ground_ids, 'Ids of classes that can be driven on')
    ground_costs: tuple[int, ...] = parameter(
        DEFAULT.ground_costs, 'Cost of each, 0 to 99')
    ignored_ids: tuple[int, ...] = parameter(
        DEFAULT.ignored_ids, 'Ids of classes that say nothing')
    min_obstacle_height: float = parameter(
        DEFAULT.min_obstacle_height, 'Lower points above the ground are no obstacles [m]',
        minimum=0., maximum=100.)
    max_obstacle_height: float = parameter(
        DEFAULT.max_obstacle_height, 'Higher ones neither [m]', minimum=.01, maximum=100.)
    minimal_group_size: int = parameter(
        DEFAULT.minimal_group_size, 'Fewer points in cells that touch mark nothing', minimum=1,
        maximum=1000)
    obstacle_min_range: float = parameter(
        DEFAULT.obstacle_min_range, 'Points nearer to the sensor mark nothing [m]', minimum=0.,
        maximum=1000.)
    obstacle_max_range: float = parameter(
        DEFAULT.obstacle_max_range, 'Points farther from the sensor mark nothing [m]',
        minimum=.1, maximum=1000.)
    raytrace_max_range: float = parameter(
        DEFAULT.raytrace_max_range, 'Rays clear nothing beyond [m]', minimum=.1, maximum=1000.)

    def __post_init__(self) -> None:
        """Checks what a range cannot.

        Raises:
            ConfigError: The source of odometry is unknown or names no frame, or the values of the
                costmap do not go together.
        """
        super().__post_init__()
        if self.odometry_source == 'tf' and not self.odom_frame:
            raise ConfigError("parameter 'odom_frame' must name a frame")
        self.costmap()

    def costmap(self) -> CostmapConfig:
        """What the costmap is made of."""
        return CostmapConfig(**{each.name: getattr(self, each.name)
                                for each in fields(CostmapConfig)})


class SemanticCostmapNode(ManagedNode[Parameters]):
    """Answers every cloud with the map as it is known then, or counts why not."""

    def __init__(self, **options: Any) -> None:
        """Declares the parameters.

        Args:
            options: Passed on to rclpy.
        """
        super().__init__('semantic_costmap', Parameters, **options)
        self._transforms = Transforms()
        self._guard = Guard(self.log, self.give_up, on_drop=self.health.dropped)
        self._worker: KeepLatest[Item] = KeepLatest(self._work, self._skip, 'costmap')
        self._order = ScanOrder(0., MAX_GAP)
        self._costmap: Costmap | None = None
        self._topic: TopicOdometry | None = None
        self._ego: EgoMotion | None = None
        self._last: tuple[str, int, NDArray[np.float64]] | None = None  # frame, stamp, pose
        self._frame_id = ''             # of the clouds
        self._forget = False            # whether the next cloud begins a new map
        self._output: Any = None
        self._inputs: list[Any] = []

    def configure(self, parameters: Parameters) -> None:
        """Makes the costmap and the publisher."""
        if parameters.odometry_source == 'tf' and TFMessage is None:
            raise ConfigError("odometry_source is 'tf', but tf2_msgs is not installed")
        self._costmap = Costmap(parameters.costmap())
        self._output = self.create_lifecycle_publisher(
            OccupancyGrid, '~/output/map', qos.latched(),
            qos_overriding_options=qos.overridable())

    def activate(self) -> None:
        """Listens to the odometry, then to the clouds; the map begins anew."""
        parameters = self.parameters
        self._guard.reset()
        self._order = ScanOrder(parameters.max_disorder, MAX_GAP)
        self._forget = True
        source: TopicOdometry | TfOdometry = TfOdometry(self._transforms, parameters.odom_frame)
        kinds = [(PointCloud2, '~/input/pointcloud', self._on_cloud, qos.sensor())]
        if parameters.odometry_source == 'topic':
            source = self._topic = TopicOdometry(self._transforms, parameters.max_speed)
            kinds.insert(0, (Odometry, '~/input/odometry', self._on_odometry, qos.sensor(50)))
        self._ego = EgoMotion(source, parameters.odometry_timeout, parameters.max_speed)
        self._transforms.start(self)
        self._worker.start()
        self._inputs = [self.create_subscription(
            kind, topic, callback, profile, qos_overriding_options=qos.overridable())
            for kind, topic, callback, profile in kinds]

    def deactivate(self) -> None:
        """Takes nothing any more and lets the cloud at hand end."""
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs, self._topic = [], None
        if not self._worker.stop():
            raise BackendError('the cloud at hand did not end in time')
        self._transforms.stop()

    def cleanup(self) -> None:
        """Closes the publisher and forgets the map."""
        if self._output is not None:
            self.destroy_lifecycle_publisher(self._output)
            self._output = None
        self._costmap = None

    def time_jumped(self) -> None:
        """Forgets where the sensor moved and what it saw; the thread of the work begins anew."""
        self._forget = True
        self._order.begin()
        if self._ego is not None:
            self._ego.clear()

    def topics(self) -> list[str]:
        """Topics of the inputs and the output."""
        return [end.topic_name for end in (*self._inputs, self._output) if end is not None]

    def describe(self) -> Mapping[str, str]:
        """Frame of the map and up to when poses are known."""
        last, ego = self._last, self._ego
        newest = None if ego is None else ego.newest(self._frame_id)
        return {'map': 'none' if last is None else f"in '{last[0]}'",
                'odometry_until': '' if newest is None else f'{newest / SECOND:.3f}'}

    def _on_odometry(self, message: Odometry) -> None:
        """Takes a pose of the body."""
        try:
            if self._topic is not None:
                self._topic.take(message)
        except TransformError as error:
            self.health.warn('bad_odometry', one_line(error))
            self.log.warning('bad_odometry', f'odometry ignored: {one_line(error)}')

    def _on_cloud(self, message: PointCloud2) -> None:
        """Takes a cloud; the work is done in the other thread."""
        self.input_seen()
        self._worker.put((self.accounting.receive(), message))

    def _skip(self, item: Item, reason: str) -> None:
        """Counts a cloud that a newer one has overtaken."""
        item[0].drop(reason)
        text = 'clouds come faster than maps' if reason == 'busy' else 'node deactivated'
        self.health.dropped(reason, text)
        self.log.warning(reason, f'input dropped ({reason}): {text}')

    def _work(self, item: Item) -> None:
        """Answers one cloud behind the guard."""
        ticket, message = item
        self._guard.run(ticket, lambda: self._answer(ticket, message))

    def _answer(self, ticket: Ticket, message: PointCloud2) -> None:
        """Checks, decodes, takes into the map, publishes.

        Raises:
            InputError: The cloud cannot be used.
        """
        costmap, ego = self._costmap, self._ego
        if costmap is None or ego is None:
            raise InputError('the node is not configured', 'stopped')
        if not message.header.frame_id:
            raise InputError('the cloud has no frame_id', 'frame')
        self._frame_id = message.header.frame_id
        stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        self._take_its_place(costmap, ego, stamp)
        with ticket.stage('decode'):
            xyz, semantic = decode_classes(message, self.parameters.max_range)
        with ticket.stage('odometry'):
            pose = self._pose(costmap, ego, message.header.frame_id, stamp)
        with ticket.stage('costmap'):
            costmap.update(xyz @ pose[:3, :3].T + pose[:3, 3], semantic, pose[:3, 3])
        with ticket.stage('encode'):
            answer = map_message(costmap.to_map(ego.frame_id, stamp))
        self._output.publish(answer)
        ticket.publish()

    def _take_its_place(self, costmap: Costmap, ego: EgoMotion, stamp: int) -> None:
        """Refuses a late cloud, and begins a new map after a jump of time.

        Raises:
            InputError: The cloud is late or a repetition.
        """
        order = self._order.judge(stamp)
        if order is Order.BACK:
            if self._topic is None:     # messages of odometry begin anew by themselves
                ego.clear()
            self.log.warning('stamp_jump', 'stamps jump back, the map begins anew')
        if order is Order.BACK or self._forget:
            self._forget, self._last = False, None
            costmap.clear()

    def _pose(self, costmap: Costmap, ego: EgoMotion, frame_id: str, stamp: int
              ) -> NDArray[np.float64]:
        """(4, 4) pose of the sensor; the map begins anew where it is not in one piece with it.

        Raises:
            InputError: Nobody knows it: a guess would put walls where there are none.
        """
        try:
            pose = ego.pose(frame_id, stamp)
        except TransformError as error:
            raise InputError(one_line(error), 'tf_error') from error
        try:
            if self._last is not None:
                frame, then, before = self._last
                if frame != ego.frame_id:
                    raise TransformError(f"odometry changes from frame '{frame}' to "
                                         f"'{ego.frame_id}'")
                check_steady(before, pose, stamp - then, self.parameters.max_speed)
        except TransformError as error:
            costmap.clear()
            self.health.warn('odometry', f'the map begins anew: {one_line(error)}')
            self.log.warning('odometry', f'the map begins anew: {one_line(error)}')
        self._last = ego.frame_id, stamp, pose
        return pose


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(SemanticCostmapNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
