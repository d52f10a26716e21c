"""The base of nodes that answer clouds: one model, one answer or one counted reason a cloud.

A node built on it says how its model is opened, what else it publishes and how it answers; all
that can go wrong around that is dealt with here, once.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Generic
from typing import Protocol
from typing import TypeVar

from eq_core.errors import BackendError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_ros import qos
from eq_ros.accounting import Ticket
from eq_ros.box_checks import check_boxes
from eq_ros.detections import detection3d_array
from eq_ros.detections import label_info
from eq_ros.guard import Guard
from eq_ros.health import Level
from eq_ros.inference import InferenceNode
from eq_ros.inference import InferenceParameters
from eq_ros.keep_latest import KeepLatest
from eq_ros.markers import marker_array
from eq_ros.messages import Header
from eq_ros.messages import header
from eq_ros.messages import MarkerArray
from eq_ros.messages import missing
from eq_ros.messages import PointCloud2
from eq_ros.messages import vision_msgs
from eq_ros.parameters import parameter
from eq_ros.pointcloud2 import decode
from eq_ros.pointcloud2 import Decoded
from eq_ros.pointcloud2 import DecodeOptions

MANY_EMPTY = 10  # clouds in a row without a point that are worth a warning
NANOSECONDS = 1e-9


@dataclass(frozen=True)
class CloudParameters(InferenceParameters):
    """Parameters of every node that answers clouds."""

    model_path: str = parameter('', 'Folder of the model bundle; empty for the shipped model')
    heading_model_path: str = parameter(
        '', 'Folder of the bundle that tells directions; empty for the shipped one, `none` for no '
        'second look')
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


@dataclass(frozen=True)
class Labels:
    """What is said of the classes once.

    Attributes:
        names: Names of the classes.
        ids: Their numbers; in order from 0 if None.
        threshold: Lowest score that is published.
    """

    names: Sequence[str]
    ids: Sequence[int] | None = None
    threshold: float = 0.


class Model(Protocol):
    """What every model has; `session` too, if an inference session is behind it."""

    timing: dict[str, float]


P = TypeVar('P', bound=CloudParameters)
M = TypeVar('M', bound=Model)


class CloudNode(InferenceNode[P], Generic[P, M]):
    """Answers every cloud, or counts why not.

    Attributes:
        outputs: Publishers by key; `objects`, `labels` and `markers` are there already.
        frame_id: Frame of the last cloud, empty before the first.
    """

    def __init__(self, name: str, kind: type[P], open_model: Callable[[P], M],
                 **options: Any) -> None:
        """Declares the parameters.

        Args:
            name: Name of the node.
            kind: Dataclass of its parameters.
            open_model: Opens the model at `configure`.
            options: Passed on to rclpy.
        """
        super().__init__(name, kind, **options)
        self.outputs: dict[str, Any] = {}
        self.frame_id = ''
        self._open_model = open_model
        self._guard = Guard(self.log, self.recover, on_drop=self.health.dropped)
        self._worker: KeepLatest[tuple[Ticket, PointCloud2]] = KeepLatest(
            self._work, self._skip, 'inference')
        self._model: M | None = None
        self._subscription: Any = None
        self._facts: dict[str, str] = {}
        self._empty = 0

    def advertise_more(self) -> None:
        """Creates further publishers by `advertise`."""

    def labels(self, model: M) -> Labels:
        """What is said of the classes."""
        raise NotImplementedError

    def answer(self, model: M, points: Points, header: Header, ticket: Ticket) -> dict[str, Any]:
        """Answers one scan; called in the thread of the work.

        Args:
            model: What `open_model` opened.
            points: The scan, which may be empty.
            header: Header of the cloud, for the answers.
            ticket: Takes the times of the stages.

        Returns:
            Messages by the key of their publisher.
        """
        raise NotImplementedError

    def advertise(self, key: str, kind: Any, topic: str, profile: Any) -> None:
        """Creates one publisher."""
        self.outputs[key] = self.create_lifecycle_publisher(
            kind, topic, profile, qos_overriding_options=qos.overridable())

    def configure(self, parameters: P) -> None:
        """Opens the model and creates the publishers."""
        self._model = self._open_model(parameters)
        self.tell_sessions(filter(None, [getattr(self._model, 'session', None)]))
        self._facts = {'model': parameters.model_path or 'shipped', 'backend': 'unknown',
                       **self.engine_facts}
        for package, lost in missing().items():
            if package == 'vision_msgs':
                self.get_logger().warning(f'{package} is not installed: no {lost}')
                self.health.set(package, Level.WARN, f'{package} is not installed')
        self.advertise('markers', MarkerArray, '~/debug/markers', qos.result(2))
        if vision_msgs is not None:
            self.advertise('objects', vision_msgs.Detection3DArray, '~/output/objects',
                           qos.result())
            self.advertise('labels', vision_msgs.LabelInfo, '~/output/label_info', qos.latched())
        self.advertise_more()

    def activate(self) -> None:
        """Publishes the class names and subscribes."""
        if 'labels' in self.outputs and self._model is not None:
            now = header('', self.get_clock().now().nanoseconds)
            labels = self.labels(self._model)
            self.outputs['labels'].publish(
                label_info(labels.names, labels.threshold, now, labels.ids))
        self._guard.reset()
        self.frame_id, self._empty = '', 0
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
        for publisher in self.outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self.outputs.clear()
        session = getattr(self._model, 'session', None)
        if session is not None:
            session.close()
        self._model = None
        self._facts = {}

    def time_jumped(self) -> None:
        """Nothing is remembered here from one cloud to the next but the row of empty ones."""
        self._empty = 0

    def topics(self) -> list[str]:
        """Topics of the input and the outputs."""
        ends = [*self.outputs.values(), *filter(None, [self._subscription])]
        return [end.topic_name for end in ends]

    def describe(self) -> Mapping[str, str]:
        """Model and backend."""
        return self._facts

    def has_listener(self, *keys: str) -> bool:
        """Whether somebody would see an answer under one of the keys."""
        return any(self.outputs[key].get_subscription_count() for key in keys)

    def warn(self, kind: str, text: str) -> None:
        """Says in the diagnostics and, at times, in the log what can go on."""
        self.health.warn(kind, text)
        self.log.warning(kind, text)

    def encode_objects(self, boxes: Boxes3D, class_names: Sequence[str], header: Header,
                       with_velocity: bool = False) -> dict[str, Any]:
        """Makes the messages of objects that somebody could see, after a last look at them.

        Raises:
            OutputError: The boxes hold nonsense.
        """
        parameters = self.parameters
        checked = check_boxes(boxes, len(class_names), parameters.max_objects,
                              parameters.max_object_size)
        if checked.degenerate or checked.surplus:
            self.warn('boxes', f'{checked.degenerate} impossible and {checked.surplus} surplus '
                      'boxes removed')
        answers = {}
        if 'objects' in self.outputs:
            answers['objects'] = detection3d_array(checked.boxes, class_names, header)
        if not answers or self.has_listener('markers'):
            answers['markers'] = marker_array(checked.boxes, class_names, header, with_velocity)
        return answers

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
        """Checks, decodes, answers, publishes."""
        parameters, model = self.parameters, self._model
        if model is None:
            raise InputError('the node is not configured', 'stopped')
        self._check_header(message, parameters)
        if parameters.lazy and not self.has_listener(*(self.outputs.keys() - {'labels'})):
            ticket.drop('no_subscriber')
            return
        with ticket.stage('decode'):
            decoded = decode(message, DecodeOptions(
                parameters.max_points, parameters.max_range, parameters.intensity_scale,
                parameters.require_intensity))
        self._tell(decoded)
        answers = self.answer(model, decoded.points, message.header, ticket)
        for key, answer in answers.items():
            self.outputs[key].publish(answer)
        ticket.publish()

    def _check_header(self, message: PointCloud2, parameters: P) -> None:
        """Refuses a cloud that nobody could place in space or, if asked, in time."""
        frame_id, stamp = message.header.frame_id, message.header.stamp
        if not frame_id:
            raise InputError('the cloud has no frame_id', 'frame')
        if self.frame_id not in ('', frame_id):
            self.warn('frame', f"input frame changed from '{self.frame_id}' to '{frame_id}'")
        self.frame_id = frame_id
        if parameters.max_age:
            then = stamp.sec * 10**9 + stamp.nanosec
            age = (self.get_clock().now().nanoseconds - then) * NANOSECONDS
            if abs(age) > parameters.max_age:
                raise InputError(f'the stamp is {age:.3f} s old, expected at most '
                                 f'{parameters.max_age:g} s before or after now', 'stale')

    def _tell(self, decoded: Decoded) -> None:
        """Passes on what a user should know about the cloud."""
        for kind, text in decoded.notes.items():
            self.warn(kind, text)
        self._empty = 0 if decoded.total else self._empty + 1
        if self._empty > MANY_EMPTY:
            self.health.warn('empty', f'{self._empty} empty clouds in a row')
        if self._empty == MANY_EMPTY + 1:
            self.get_logger().warning(f'{self._empty} empty clouds in a row')
