"""The node `lidar_detector`: PointCloud2 in, detections out. All maths is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
import sys
from typing import Any
from typing import Protocol

from eq_core.errors import BackendError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_perception.detection.detector import Detector
from eq_ros import qos
from eq_ros.accounting import Ticket
from eq_ros.box_checks import check_boxes
from eq_ros.detections import detection3d_array
from eq_ros.detections import label_info
from eq_ros.guard import Guard
from eq_ros.health import Level
from eq_ros.keep_latest import KeepLatest
from eq_ros.lifecycle_node import ManagedNode
from eq_ros.lifecycle_node import NodeParameters
from eq_ros.markers import marker_array
from eq_ros.messages import header
from eq_ros.messages import MarkerArray
from eq_ros.messages import missing
from eq_ros.messages import PointCloud2
from eq_ros.messages import vision_msgs
from eq_ros.parameters import parameter
from eq_ros.pointcloud2 import decode
from eq_ros.pointcloud2 import Decoded
from eq_ros.pointcloud2 import DecodeOptions
from eq_ros.process import run
from eq_ros.transport import shared_file

SHIPPED_MODEL = 'models/lidar_detector/manifest.json'
MANY_EMPTY = 10  # clouds in a row without a point that are worth a warning
NANOSECONDS = 1e-9


@dataclass(frozen=True)
class Parameters(NodeParameters):
    """Parameters of the node; `config/lidar_detector.param.yaml` shows them all."""

    model_path: str = parameter('', 'Folder of the model bundle; empty for the shipped model')
    backends: tuple[str, ...] = parameter(
        ('onnxruntime',), 'Inference backends in order of preference')
    threads: int = parameter(1, 'Threads of the inference', minimum=1, maximum=256)
    score_threshold: float = parameter(
        0., 'Lowest score that is published; 0 for the threshold of the model',
        minimum=0., maximum=1.)
    max_points: int = parameter(
        1_000_000, 'Larger clouds are thinned evenly to this many points', minimum=1,
        maximum=10_000_000, live=True)
    max_range: float = parameter(
        1000., 'Points with a coordinate beyond it are removed [m]', minimum=1., maximum=1e6,
        live=True)
    intensity_scale: float = parameter(
        0., 'Raw intensity that counts as 1; 0 for 1 (floats) or the largest value (integers)',
        minimum=0., maximum=1e9, live=True)
    require_intensity: bool = parameter(
        False, 'Whether a cloud without intensity is dropped; else 0 is used', live=True)
    lazy: bool = parameter(
        False, 'Whether clouds are dropped while nobody listens to the answers', live=True)
    max_age: float = parameter(
        0., 'Clouds whose stamp is further from now are dropped, 0 to accept all [s]',
        minimum=0., maximum=3600., live=True)
    max_objects: int = parameter(
        500, 'Most objects that are published for one cloud', minimum=1, maximum=10_000, live=True)
    max_object_size: float = parameter(
        50., 'Objects with a longer side are removed [m]', minimum=1., maximum=1000., live=True)


class DetectorFace(Protocol):
    """The part of `Detector` that the node uses."""

    timing: dict[str, float]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that labels index."""

    def detect(self, points: Points) -> Boxes3D:
        """Detects objects in one scan."""


MakeDetector = Callable[[Parameters], DetectorFace]


def load_detector(parameters: Parameters) -> Detector:
    """Opens the model that the parameters name."""
    path = parameters.model_path or shared_file(SHIPPED_MODEL).parent
    return Detector.from_bundle(path, parameters.backends, parameters.threads,
                                parameters.score_threshold or None)


class LidarDetectorNode(ManagedNode[Parameters]):
    """Answers every cloud with detections, or counts why not."""

    def __init__(self, make_detector: MakeDetector = load_detector, **options: Any) -> None:
        """Declares the parameters.

        Args:
            make_detector: Opens the model at `configure`.
            options: Passed on to rclpy.
        """
        super().__init__('lidar_detector', Parameters, **options)
        self._make_detector = make_detector
        self._guard = Guard(self.log, self.give_up, on_drop=self.health.dropped)
        self._worker: KeepLatest[tuple[Ticket, PointCloud2]] = KeepLatest(
            self._work, self._skip, 'inference')
        self._detector: DetectorFace | None = None
        self._outputs: dict[str, Any] = {}
        self._subscription: Any = None
        self._facts: dict[str, str] = {}
        self._frame_id: str | None = None
        self._empty = 0

    def configure(self, parameters: Parameters) -> None:
        """Opens the model and creates the publishers."""
        self._detector = self._make_detector(parameters)
        session = getattr(self._detector, 'session', None)
        self._facts = {'model': parameters.model_path or 'shipped',
                       'backend': str(getattr(session, 'backend', 'unknown'))}
        for number, note in enumerate(getattr(session, 'notes', ())):
            self.get_logger().warning(note)
            self.health.set(f'backend_{number}', Level.WARN, note)
        for package, lost in missing().items():
            if package == 'vision_msgs':
                self.get_logger().warning(f'{package} is not installed: no {lost}')
                self.health.set(package, Level.WARN, f'{package} is not installed')
        self._advertise('markers', MarkerArray, '~/debug/markers', qos.result(2))
        if vision_msgs is not None:
            self._advertise('objects', vision_msgs.Detection3DArray, '~/output/objects',
                            qos.result())
            self._advertise('labels', vision_msgs.LabelInfo, '~/output/label_info', qos.latched())

    def activate(self) -> None:
        """Publishes the class names and subscribes."""
        if 'labels' in self._outputs and self._detector is not None:
            now = header('', self.get_clock().now().nanoseconds)
            threshold = self.parameters.score_threshold or float(
                getattr(getattr(self._detector, 'config', None), 'score_threshold', 0.))
            self._outputs['labels'].publish(
                label_info(self._detector.class_names, threshold, now))
        self._guard.reset()
        self._frame_id, self._empty = None, 0
        self._worker.start()
        self._subscription = self.create_subscription(
            PointCloud2, '~/input/pointcloud', self._on_cloud, qos.sensor(),
            qos_overriding_options=qos.overridable())

    def deactivate(self) -> None:
        """Unsubscribes and lets the cloud at hand end."""
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None
        if not self._worker.stop():
            raise BackendError('the inference at hand did not end in time')

    def cleanup(self) -> None:
        """Closes the model and the publishers."""
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        session = getattr(self._detector, 'session', None)
        if session is not None:
            session.close()
        self._detector = None
        self._facts = {}

    def time_jumped(self) -> None:
        """Nothing is remembered from one cloud to the next but the row of empty ones."""
        self._empty = 0

    def topics(self) -> list[str]:
        """Topics of the input and the outputs."""
        ends = [*self._outputs.values(), *filter(None, [self._subscription])]
        return [end.topic_name for end in ends]

    def describe(self) -> Mapping[str, str]:
        """Model and backend."""
        return self._facts

    def _advertise(self, key: str, kind: Any, topic: str, profile: Any) -> None:
        """Creates one publisher."""
        self._outputs[key] = self.create_lifecycle_publisher(
            kind, topic, profile, qos_overriding_options=qos.overridable())

    def _on_cloud(self, message: PointCloud2) -> None:
        """Takes a cloud; the work is done in the other thread."""
        self.input_seen()
        self._worker.put((self.accounting.receive(), message))

    def _skip(self, item: tuple[Ticket, PointCloud2], reason: str) -> None:
        """Counts a cloud that a newer one has overtaken."""
        item[0].drop(reason)
        text = 'the model is slower than the sensor' if reason == 'busy' else 'node deactivated'
        self.health.dropped(reason, text)
        self.log.warning(reason, f'input dropped ({reason}): {text}')

    def _work(self, item: tuple[Ticket, PointCloud2]) -> None:
        """Answers one cloud behind the guard."""
        ticket, message = item
        self._guard.run(ticket, lambda: self._answer(ticket, message))

    def _answer(self, ticket: Ticket, message: PointCloud2) -> None:
        """Decodes, detects, encodes, publishes."""
        parameters, detector = self.parameters, self._detector
        if detector is None:
            raise InputError('the node is not configured', 'stopped')
        self._check_header(message, parameters)
        if parameters.lazy and not self._has_listener():
            ticket.drop('no_subscriber')
            return
        with ticket.stage('decode'):
            decoded = decode(message, DecodeOptions(
                parameters.max_points, parameters.max_range, parameters.intensity_scale,
                parameters.require_intensity))
        self._tell(decoded)
        points = decoded.points
        if len(points):
            boxes = detector.detect(points)
            for stage, milliseconds in detector.timing.items():
                ticket.add_stage(stage, milliseconds)
        else:
            boxes = Boxes3D.empty(points.frame_id, points.stamp)
        with ticket.stage('encode'):
            answers = self._encode(boxes, detector.class_names, message, parameters)
        for key, answer in answers.items():
            self._outputs[key].publish(answer)
        ticket.publish()

    def _has_listener(self) -> bool:
        """Whether somebody would see an answer."""
        return any(output.get_subscription_count() for key, output in self._outputs.items()
                   if key != 'labels')

    def _check_header(self, message: PointCloud2, parameters: Parameters) -> None:
        """Refuses a cloud that nobody could place in space or, if asked, in time."""
        frame_id, stamp = message.header.frame_id, message.header.stamp
        if not frame_id:
            raise InputError('the cloud has no frame_id', 'frame')
        if self._frame_id not in (None, frame_id):
            text = f"input frame changed from '{self._frame_id}' to '{frame_id}'"
            self.health.warn('frame', text)
            self.log.warning('frame', text)
        self._frame_id = frame_id
        if parameters.max_age:
            then = stamp.sec * 10**9 + stamp.nanosec
            age = (self.get_clock().now().nanoseconds - then) * NANOSECONDS
            if abs(age) > parameters.max_age:
                raise InputError(f'the stamp is {age:.3f} s old, expected at most '
                                 f'{parameters.max_age:g} s before or after now', 'stale')

    def _tell(self, decoded: Decoded) -> None:
        """Passes on what a user should know about the cloud."""
        for kind, text in decoded.notes.items():
            self.health.warn(kind, text)
            self.log.warning(kind, text)
        self._empty = 0 if decoded.total else self._empty + 1
        if self._empty > MANY_EMPTY:
            self.health.warn('empty', f'{self._empty} empty clouds in a row')
        if self._empty == MANY_EMPTY + 1:
            self.get_logger().warning(f'{self._empty} empty clouds in a row')

    def _encode(self, boxes: Boxes3D, class_names: tuple[str, ...], message: PointCloud2,
                parameters: Parameters) -> dict[str, Any]:
        """Makes the messages that somebody could see."""
        checked = check_boxes(boxes, len(class_names), parameters.max_objects,
                              parameters.max_object_size)
        if checked.degenerate or checked.surplus:
            text = f'{checked.degenerate} impossible and {checked.surplus} surplus boxes removed'
            self.health.warn('boxes', text)
            self.log.warning('boxes', text)
        answers = {}
        if 'objects' in self._outputs:
            answers['objects'] = detection3d_array(checked.boxes, class_names, message.header)
        markers = self._outputs['markers']
        if not answers or markers.get_subscription_count():
            answers['markers'] = marker_array(
                checked.boxes, class_names, message.header, with_velocity=False)
        return answers


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(LidarDetectorNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
