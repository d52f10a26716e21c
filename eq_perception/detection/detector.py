"""Five lines from a scan to boxes.

Example::

    detector = Detector.from_bundle('models/lidar_detector')
    boxes = detector.detect(Points.from_xyz(xyz, intensity))
    names = [detector.class_names[label] for label in boxes.label]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_core.runtime.selection import open_session
from eq_core.runtime.session import Session
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.heading import HeadingEstimator
from eq_perception.detection.postprocess import decode
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import stack_sweeps

TASK = 'lidar_detection'


class Detector:
    """LiDAR 3D object detector; numpy in, boxes out, no ROS, no torch.

    Attributes:
        config: Grid, classes, thresholds.
        session: The open inference session.
        heading: What looks at the boxes again to tell their directions, if anything does.
        timing: Duration of the stages of the last call [ms].
        dropped_pillars: Pillars of the last call that did not fit the network's input.
    """

    def __init__(self, session: Session, config: DetectorConfig,
                 heading: HeadingEstimator | None = None) -> None:
        """Joins an open session with its configuration and what looks again."""
        self.session, self.config, self.heading = session, config, heading
        self.timing: dict[str, float] = {}
        self.dropped_pillars = 0

    @classmethod
    def from_bundle(cls, path: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, score_threshold: float | None = None,
                    precision: str = 'fp32', options: SessionOptions = DEFAULT_OPTIONS,
                    heading: str | Path | None = None) -> Detector:
        """Opens a model bundle, after it has passed its acceptance test.

        Args:
            path: Bundle directory.
            backends: Names in order of preference.
            threads: Threads of the inference engine.
            score_threshold: Replaces the bundle's.
            precision: Of the graph: ``'fp32'``, or ``'fp16'`` or ``'int8'`` if the bundle has it.
            options: What may be done to open a session: build engines, fall back.
            heading: Bundle directory of the model that tells directions; without it they are
                what the detector itself says.

        Raises:
            BundleError: The bundle is incomplete or altered.
            BackendError: No backend can run it, or it failed acceptance on all of them.
            ConfigError: A bundle is of something else, or its configuration, the threshold or the
                precision is wrong.
        """
        bundle = Bundle.load(path)
        if bundle.manifest.task != TASK:
            raise ConfigError(f'{path} must be a model of {TASK}, got {bundle.manifest.task!r}')
        config = DetectorConfig.from_dict(bundle.manifest.config)
        if score_threshold is not None:
            config = replace(config, score_threshold=score_threshold)
        return cls(open_session(bundle, backends, threads, precision=precision, options=options),
                   config, None if heading is None else HeadingEstimator.from_bundle(
                       heading, backends, threads, options))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that `Boxes3D.label` indexes."""
        return self.config.class_names

    def detect(self, points: Points, *past: Points,
               poses: Sequence[NDArray[np.float64]] | None = None) -> Boxes3D:
        """Detects objects in one LiDAR scan, optionally with past scans stacked behind it.

        Args:
            points: The newest scan, in the sensor's gravity-aligned frame.
            past: Earlier scans, newest first; velocities are meaningful only with them.
            poses: odom <- sensor, (4, 4), of `points` and each of `past`; identity if None.

        Returns:
            Boxes in the frame and with the stamp of `points`. Turning the scan by an element of
            the model's group turns them.

        Raises:
            InputError: A coordinate is not finite, or there are more sweeps than the model takes.
            BackendError: Inference failed.
            OutputError: The model answered with NaN or a wrong shape.
        """
        started = perf_counter()
        if len(past) >= self.config.max_sweeps:
            raise InputError(f'at most {self.config.max_sweeps} sweeps, got {1 + len(past)}')
        if not np.isfinite(points.xyz.sum()):
            raise InputError('points must be finite', 'not_finite')
        scan = replace(points, time_offset=np.zeros_like(points.time_offset))
        if past:
            scan = stack_sweeps([points, *past], None if poses is None else list(poses))
        pillars = pillarize(scan, self.config)
        self.dropped_pillars = pillars.dropped
        prepared = perf_counter()
        fields = self.session.run({'pillar_points': pillars.points,
                                   'pillar_index': pillars.index})
        inferred = perf_counter()
        boxes = decode(fields, pillars.ground, self.config)
        if self.heading is not None:
            boxes = self.heading.direct(points, boxes, self.class_names, bool(past))
        decoded = perf_counter()
        self.timing = {'preprocess': 1e3 * (prepared - started),
                       'inference': 1e3 * (inferred - prepared),
                       'postprocess': 1e3 * (decoded - inferred)}
        return replace(boxes, frame_id=points.frame_id, stamp=points.stamp)
