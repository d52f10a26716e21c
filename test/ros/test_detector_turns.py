"""The node's parameter `turns` reaches the detector."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from eq_core.errors import ConfigError
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_perception.detection.detector import Detector
from eq_perception.detection.turns import TurnedDetector
from eq_perception.nodes.lidar_detector import load_detector
from eq_perception.nodes.lidar_detector import Parameters


@pytest.mark.parametrize(('turns', 'kind'), [(1, Detector), (3, TurnedDetector)])
def test_as_many_directions_as_were_asked_for(turns: int, kind: type) -> None:
    asked = Parameters(backends=('onnxruntime',), turns=turns, score_threshold=.3)
    detector = load_detector(asked, DEFAULT_OPTIONS)
    assert type(detector) is kind and getattr(detector, 'turns', 1) == turns
    assert detector.config.score_threshold == .3
    detector.session.close()


def test_more_than_there_are_is_refused_when_the_model_is_opened() -> None:
    asked = Parameters(backends=('onnxruntime',), turns=17)
    with pytest.raises(ConfigError, match='rotations'):
        load_detector(asked, DEFAULT_OPTIONS)
