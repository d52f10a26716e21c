"""What a network is shown at work: the inputs by which the ranges of its activations are found."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.points import Points
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime import Session
from eq_eval.simulation import sample_specs
from eq_eval.simulation import simulate
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.segmenter import Segmenter

Arrays = dict[str, NDArray[Any]]
Show = Callable[[Session, Points], object]


def _detect(bundle: Bundle) -> Show:
    config = DetectorConfig.from_dict(bundle.manifest.config)
    return lambda session, points: Detector(session, config).detect(points)


def _segment(bundle: Bundle) -> Show:
    config = SegmenterConfig.from_dict(bundle.manifest.config)
    return lambda session, points: Segmenter(session, config).segment(points)


# Task of a manifest -> how the whole model looks at a scan.
TASKS: Mapping[str, Callable[[Bundle], Show]] = {
    'lidar_detection': _detect, 'panoptic_segmentation': _segment}


class Recorder(Session):
    """Runs another session and keeps what went in.

    Attributes:
        seen: The inputs of every run.
    """

    def __init__(self, session: Session) -> None:
        """Wraps an open session."""
        super().__init__(session.manifest, session.backend, self._forward)
        self.seen: list[Arrays] = []
        self._session = session

    def _forward(self, inputs: Arrays) -> list[NDArray[Any]]:
        self.seen.append({name: value.copy() for name, value in inputs.items()})
        return list(self._session.run(inputs).values())


def calibration_inputs(bundle: Bundle, count: int, seed: int = 0) -> list[Arrays]:
    """Inputs that the model gets of simulated training scenes, never of those of a test.

    Args:
        bundle: Of a detector or a segmenter.
        count: Scenes, each seen once.
        seed: Number of the draw.

    Raises:
        ConfigError: The model looks at no scans.
    """
    make = TASKS.get(bundle.manifest.task)
    if make is None:
        raise ConfigError(f'int8 needs calibration, which is known for {sorted(TASKS)}, '
                          f'got a model for {bundle.manifest.task}')
    show = make(bundle)
    with open_session(bundle, ['onnxruntime'], accept=False) as session:
        recorder = Recorder(session)
        for spec in sample_specs('train', count, seed, scans_per_sequence=1):
            for scan in simulate(spec):
                show(recorder, scan.points)
    return recorder.seen
