"""The node `panoptic_segmenter`: PointCloud2 and odometry in, classes and tracks out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
import sys
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import TransformError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.backend import SessionOptions
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.segmenter import PanopticScan
from eq_perception.panoptic.segmenter import Segmenter
from eq_perception.tracking.checks import check_pose
from eq_ros import qos
from eq_ros.accounting import Ticket
from eq_ros.cloud_node import CloudNode
from eq_ros.cloud_node import CloudParameters
from eq_ros.cloud_node import Labels
from eq_ros.guard import one_line
from eq_ros.health import Level
from eq_ros.messages import Header
from eq_ros.messages import Odometry
from eq_ros.messages import PointCloud2
from eq_ros.messages import pointcloud2
from eq_ros.messages import TFMessage
from eq_ros.odometry import EgoMotion
from eq_ros.odometry import TfOdometry
from eq_ros.odometry import TopicOdometry
from eq_ros.panoptic import encode_panoptic
from eq_ros.parameters import parameter
from eq_ros.process import run
from eq_ros.scan_order import Order
from eq_ros.scan_order import ScanOrder
from eq_ros.shipped_models import heading_folder
from eq_ros.trails import Trails
from eq_ros.transforms import Transforms
from eq_ros.transport import shared_file

SHIPPED_MODEL = 'models/panoptic_segmenter/manifest.json'
SOURCES = ('none', 'topic', 'tf')
NANOSECONDS = 1e-9


@dataclass(frozen=True)
class Parameters(CloudParameters):
    """Parameters of the node; `config/panoptic_segmenter.param.yaml` shows them all."""

    sweeps: int = parameter(
        1, 'Scans that are stacked while the odometry is known', minimum=1, maximum=10)
    odometry_source: str = parameter(
        'none', 'Where the pose of the sensor comes from', choices=SOURCES)
    odom_frame: str = parameter('odom', 'Frame in which poses do not jump, for the source tf')
    odometry_timeout: float = parameter(
        0.05, 'Longest wait for the odometry of a cloud [s]', minimum=0., maximum=1.)
    max_speed: float = parameter(
        50., 'Odometry that moves faster has jumped [m/s]', minimum=0.1, maximum=1000.)
    max_disorder: float = parameter(
        0.5, 'Clouds older than the newest by more mean that time has jumped back [s]',
        minimum=0., maximum=10.)
    max_gap: float = parameter(
        3., 'Clouds newer than the newest by more begin a new sequence [s]', minimum=0.1,
        maximum=3600.)

    def __post_init__(self) -> None:
        """Checks what a range cannot.

        Raises:
            ConfigError: The source of odometry is unknown or names no frame.
        """
        super().__post_init__()
        if self.odometry_source == 'tf' and not self.odom_frame:
            raise ConfigError("parameter 'odom_frame' must name a frame")


class SegmenterFace(Protocol):
    """The part of `Segmenter` that the node uses."""

    config: SegmenterConfig
    timing: dict[str, float]

    def segment(self, points: Points, pose: NDArray[np.float64] | None) -> PanopticScan:
        """Segments the next scan of a sequence."""

    def reset(self) -> None:
        """Forgets past scans and objects."""


MakeSegmenter = Callable[[Parameters], SegmenterFace]


def load_segmenter(parameters: Parameters, options: SessionOptions) -> Segmenter:
    """Opens the model that the parameters name."""
    path = parameters.model_path or shared_file(SHIPPED_MODEL).parent
    return Segmenter.from_bundle(path, parameters.backends, parameters.threads, parameters.sweeps,
                                 parameters.score_threshold or None, parameters.precision, options,
                                 heading_folder(parameters.heading_model_path))


class PanopticSegmenterNode(CloudNode[Parameters, SegmenterFace]):
    """Answers every cloud with a class and an object a point, or counts why not."""

    def __init__(self, make_segmenter: MakeSegmenter | None = None, **options: Any) -> None:
        """Declares the parameters.

        Args:
            make_segmenter: Opens the model at `configure`; the real one if None.
            options: Passed on to rclpy.
        """
        super().__init__('panoptic_segmenter', Parameters, make_segmenter or (
            lambda parameters: load_segmenter(parameters, self.session_options(parameters))),
            **options)
        self._transforms = Transforms()
        self._topic: TopicOdometry | None = None
        self._ego: EgoMotion | None = None
        self._odometry: Any = None
        self._order = ScanOrder(0., 0.)
        self._trails = Trails()
        self._mode = 'single scan'

    def advertise_more(self) -> None:
        """Creates the publisher of the labelled points."""
        if self.parameters.odometry_source == 'tf' and TFMessage is None:
            raise ConfigError("odometry_source is 'tf', but tf2_msgs is not installed")
        self.advertise('points', PointCloud2, '~/output/pointcloud', qos.result(2))

    def labels(self, model: SegmenterFace) -> Labels:
        """Names of the classes of points and their ids in the field `semantic`."""
        return Labels(CLASS_NAMES, RAW_OF_TRAIN.tolist(),
                      self.parameters.score_threshold or model.config.detector.score_threshold)

    def activate(self) -> None:
        """Listens to the odometry, then to the clouds."""
        parameters = self.parameters
        self._order = ScanOrder(parameters.max_disorder, parameters.max_gap)
        source: TopicOdometry | TfOdometry | None = None
        if parameters.odometry_source == 'topic':
            source = self._topic = TopicOdometry(self._transforms, parameters.max_speed)
            self._odometry = self.create_subscription(
                Odometry, '~/input/odometry', self._on_odometry, qos.sensor(50),
                qos_overriding_options=qos.overridable())
        elif parameters.odometry_source == 'tf':
            source = TfOdometry(self._transforms, parameters.odom_frame)
        if source is not None:
            self._transforms.start(self)
        self._ego = None if source is None else EgoMotion(
            source, parameters.odometry_timeout, parameters.max_speed)
        super().activate()

    def deactivate(self) -> None:
        """Listens no more; what was known of the time before means nothing later."""
        super().deactivate()
        if self._odometry is not None:
            self.destroy_subscription(self._odometry)
            self._odometry = None
        self._transforms.stop()
        self.health.clear('odometry')

    def time_jumped(self) -> None:
        """Makes the next cloud the first of a sequence; the thread of the work resets the rest."""
        super().time_jumped()
        self._order.begin()
        if self._ego is not None:
            self._ego.clear(self.get_clock().now().nanoseconds)

    def topics(self) -> list[str]:
        """Topics of the inputs and the outputs."""
        more = [] if self._odometry is None else [self._odometry.topic_name]
        return super().topics() + more

    def describe(self) -> Mapping[str, str]:
        """Model, backend, what is known of poses, and how many listen to the points."""
        points = self.outputs.get('points')
        newest = None if self._ego is None else self._ego.newest(self.frame_id)
        return {**super().describe(), 'mode': self._mode,
                'listeners': str(0 if points is None else points.get_subscription_count()),
                'odometry_until': '' if newest is None else f'{newest * NANOSECONDS:.3f}'}

    def answer(self, model: SegmenterFace, points: Points, header: Header, ticket: Ticket
               ) -> dict[str, Any]:
        """Segments and encodes the next scan; a late one is refused."""
        self._take_its_place(model, points.stamp)
        with ticket.stage('odometry'):
            pose = self._pose(points)
        if len(points):
            scan = model.segment(points, pose)
            objects = scan.objects
            ticket.add_stages(model.timing)
        else:
            scan, objects = _nothing(points), Boxes3D.empty(points.frame_id, points.stamp)
        with ticket.stage('encode'):
            answers = self.encode_objects(objects, model.config.detector.class_names, header,
                                          with_velocity=pose is not None)
            answers['points'] = pointcloud2(encode_panoptic(
                points, RAW_OF_TRAIN[scan.semantic], scan.instance, scan.probability))
            self._draw_trails(answers, objects, pose, header)
        return answers

    def _on_odometry(self, message: Odometry) -> None:
        """Takes a pose of the body."""
        try:
            if self._topic is not None:
                self._topic.take(message)
        except TransformError as error:
            self.warn('bad_odometry', f'odometry ignored: {one_line(error)}')

    def _take_its_place(self, model: SegmenterFace, stamp: int) -> None:
        """Refuses a late scan, and forgets what came before a new beginning.

        Raises:
            InputError: The scan is late or a repetition.
        """
        order = self._order.judge(stamp)
        if order is Order.NEXT:
            return
        model.reset()
        self._trails.clear()
        if order is Order.BACK and self._ego is not None:
            self._ego.clear(stamp)
        if order is not Order.FIRST:
            self.warn('stamp_jump', f'stamps jump {order.value}, objects are forgotten')

    def _pose(self, points: Points) -> NDArray[np.float64] | None:
        """Pose of the sensor in the odometry's frame, or None for single-scan mode."""
        if self._ego is None:
            return None
        try:
            pose = self._ego.pose(points.frame_id, points.stamp)
            check_pose(pose)
        except TransformError as error:
            text = f'single-scan mode: {one_line(error)}'
            self.health.set('odometry', Level.WARN, text)
            self.log.warning('odometry', text)
            self._mode = 'single scan'
            return None
        self.health.clear('odometry')
        self._mode = 'sequence'
        return pose

    def _draw_trails(self, answers: dict[str, Any], objects: Boxes3D,
                     pose: NDArray[np.float64] | None, header: Header) -> None:
        """Adds the ways of the objects to the markers, where there is a frame to draw them in."""
        if pose is None or self._ego is None:
            self._trails.clear()
            return
        self._trails.add(objects.transformed(pose))
        if 'markers' in answers:
            answers['markers'].markers.append(self._trails.marker(
                Header(frame_id=self._ego.frame_id, stamp=header.stamp)))


def _nothing(points: Points) -> PanopticScan:
    """The answer for a scan without points."""
    return PanopticScan(points, np.zeros(0, np.uint8), np.zeros(0, np.uint32),
                        np.zeros(0, np.float32), Boxes3D.empty(points.frame_id, points.stamp))


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(PanopticSegmenterNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
