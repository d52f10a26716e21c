"""The other end of the node `panoptic_segmenter`: listens to its points, gives it odometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graph import cloud
from graph import Graph
import numpy as np
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from test_odometry import odometry
from test_transforms import transform

from eq_ros import messages
from eq_ros import qos
from eq_ros.point_layout import read_layout

NAME = '/panoptic_segmenter'
SECOND = 10**9
CAR, BICYCLE = 10, 11  # raw ids: the fake model's way to say that it had no pose, and that it had


@dataclass(frozen=True)
class Labelled:
    """What one answer says of its points."""

    stamp: float
    semantic: set[int]
    instance: set[int]
    probability: float


def read(message: Any) -> Labelled:
    """Reads an answer of the fake model."""
    stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
    if not message.width:
        return Labelled(stamp, set(), set(), 0.)
    layout = read_layout(message)
    column = {name: layout.column(field) for name, field in layout.fields.items()}
    return Labelled(stamp, set(column['semantic'].tolist()), set(column['instance'].tolist()),
                    float(column['probability'].mean()))


class PanopticGraph:
    """A graph with the fake segmenter in it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.points: list[Any] = []
        node = graph.node
        # Made before the graph's own ends, which know when all of them are connected.
        node.create_subscription(messages.PointCloud2, f'{NAME}/output/pointcloud',
                                 self.points.append, qos.result())
        self._odometry = node.create_publisher(
            messages.Odometry, f'{NAME}/input/odometry', qos.result(50))
        if messages.TFMessage is not None:
            self._tf = node.create_publisher(messages.TFMessage, '/tf', QoSProfile(depth=100))
            self._static = node.create_publisher(messages.TFMessage, '/tf_static', QoSProfile(
                depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL))

    def start(self, *arguments: str, script: str = 'fake_panoptic_segmenter.py') -> Any:
        """Starts the node and waits until it takes clouds and all ends know each other."""
        process = self.graph.start('-p', 'input_timeout:=0.0', *arguments, script=script,
                                   name=NAME)
        graph, node = self.graph, self.graph.node
        graph.wait_active()
        graph.wait(lambda: node.count_publishers(f'{NAME}/output/pointcloud') > 0, 'points')
        if any('odometry_source:=topic' in argument for argument in arguments):
            graph.wait(lambda: self._odometry.get_subscription_count() > 0, 'odometry')
        if any('odometry_source:=' in argument for argument in arguments) and (
                messages.TFMessage is not None):
            graph.wait(lambda: self._tf.get_subscription_count() > 0, 'tf')
            graph.wait(lambda: self._static.get_subscription_count() > 0, 'tf_static')
        return process

    def send(self, *stamps: float, **options: Any) -> list[Labelled]:
        """Sends clouds one after the other; what came back since the last call."""
        seen, before = len(self.points), self.graph.count('published')
        self.graph.send_each([cloud(stamp=round(stamp * SECOND), **options) for stamp in stamps])
        count = self.graph.count('published') - before
        self.graph.wait(lambda: len(self.points) == seen + count, 'answers')
        return [read(message) for message in self.points[seen:]]

    def until(self, semantic: int, start: float, step: float) -> Labelled:
        """Sends clouds until one is answered with a class; its answer."""
        answers: list[Labelled] = []
        self.graph.wait(lambda: answers.extend(self.send(start + step * len(answers))) or (
            answers[-1].semantic == {semantic}), f'class {semantic}')
        return answers[-1]

    def odometry(self, *poses: tuple[float, float], expected: float | None = None,
                 **options: Any) -> None:
        """Sends the body's x at some times [s] and waits until the node knows."""
        for stamp, x in poses:
            self._odometry.publish(odometry(stamp, x, **options))
        self.known_until(poses[-1][0] if expected is None else expected)

    def known_until(self, stamp: float) -> None:
        """Waits until the node knows poses up to a time [s]."""
        self.graph.wait(lambda: self.graph.values.get('odometry_until') == f'{stamp:.3f}', 'pose')

    def static(self, parent: str, child: str, x: float) -> None:
        """Says for good where a frame is."""
        self._static.publish(messages.TFMessage(transforms=[
            transform(parent, child, shifted(x))]))

    def tf(self, parent: str, child: str, *poses: tuple[float, float]) -> None:
        """Says where a frame is at some times [s]."""
        self._tf.publish(messages.TFMessage(transforms=[
            transform(parent, child, shifted(x), stamp) for stamp, x in poses]))


def shifted(x: float) -> np.ndarray:
    """A pose without turn."""
    pose = np.eye(4)
    pose[0, 3] = x
    return pose
