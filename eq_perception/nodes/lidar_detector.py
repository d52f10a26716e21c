"""The node `lidar_detector`: PointCloud2 in, detections out. All maths is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import sys
from typing import Any
from typing import Protocol

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.backend import SessionOptions
from eq_perception.detection.detector import Detector
from eq_perception.detection.turns import over_turns
from eq_perception.detection.turns import TurnedDetector
from eq_ros.accounting import Ticket
from eq_ros.cloud_node import CloudNode
from eq_ros.cloud_node import CloudParameters
from eq_ros.cloud_node import Labels
from eq_ros.messages import Header
from eq_ros.parameters import parameter
from eq_ros.process import run
from eq_ros.shipped_models import heading_folder
from eq_ros.transport import shared_file

SHIPPED_MODEL = 'models/lidar_detector/manifest.json'


@dataclass(frozen=True)
class Parameters(CloudParameters):
    """Parameters of the node; `config/lidar_detector.param.yaml` shows them all."""

    turns: int = parameter(
        1, 'Directions in which each cloud is seen, and the answers averaged; as many times the '
        'work', minimum=1, maximum=16)


class DetectorFace(Protocol):
    """The part of `Detector` that the node uses."""

    timing: dict[str, float]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that labels index."""

    def detect(self, points: Points) -> Boxes3D:
        """Detects objects in one scan."""


MakeDetector = Callable[[Parameters], DetectorFace]


def load_detector(parameters: Parameters, options: SessionOptions) -> Detector | TurnedDetector:
    """Opens the model that the parameters name."""
    path = parameters.model_path or shared_file(SHIPPED_MODEL).parent
    detector = Detector.from_bundle(
        path, parameters.backends, parameters.threads, parameters.score_threshold or None,
        parameters.precision, options, heading_folder(parameters.heading_model_path))
    return over_turns(detector, parameters.turns)


class LidarDetectorNode(CloudNode[Parameters, DetectorFace]):
    """Answers every cloud with detections, or counts why not."""

    def __init__(self, make_detector: MakeDetector | None = None, **options: Any) -> None:
        """Declares the parameters.

        Args:
            make_detector: Opens the model at `configure`; the real one if None.
            options: Passed on to rclpy.
        """
        super().__init__('lidar_detector', Parameters, make_detector or (
            lambda parameters: load_detector(parameters, self.session_options(parameters))),
            **options)

    def labels(self, model: DetectorFace) -> Labels:
        """Names of the classes."""
        config = getattr(model, 'config', None)
        return Labels(model.class_names, threshold=self.parameters.score_threshold or float(
            getattr(config, 'score_threshold', 0.)))

    def answer(self, model: DetectorFace, points: Points, header: Header, ticket: Ticket
               ) -> dict[str, Any]:
        """Detects and encodes."""
        boxes = Boxes3D.empty(points.frame_id, points.stamp)
        if len(points):
            boxes = model.detect(points)
            ticket.add_stages(model.timing)
        with ticket.stage('encode'):
            return self.encode_objects(boxes, model.class_names, header)


def main(arguments: list[str] | None = None) -> int:
    """Runs the node as a process."""
    return run(LidarDetectorNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
