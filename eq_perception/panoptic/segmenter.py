"""Five lines from a scan to a class and a stable object for every point.

Example::

    segmenter = Segmenter.from_bundle('models/panoptic_segmenter')
    scan = segmenter.segment(Points.from_xyz(xyz, intensity, stamp=stamp), pose)
    car = scan.semantic == CLASS_NAMES.index('car')
    ids = np.unique(scan.instance[car])
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_core.runtime.selection import open_session
from eq_core.runtime.session import Session
from eq_perception.detection.heading import HeadingEstimator
from eq_perception.detection.postprocess import decode
from eq_perception.detection.preprocess import pillarize
from eq_perception.detection.preprocess import Pillars
from eq_perception.detection.preprocess import stack_sweeps
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.memory import ClassMemory
from eq_perception.panoptic.postprocess import assign
from eq_perception.panoptic.postprocess import CLASS_OF_BOX
from eq_perception.panoptic.postprocess import classify
from eq_perception.panoptic.postprocess import evidence_of
from eq_perception.panoptic.postprocess import probability_of
from eq_perception.panoptic.postprocess import settle
from eq_perception.panoptic.preprocess import padded
from eq_perception.panoptic.preprocess import pillar_cells
from eq_perception.panoptic.preprocess import point_rows
from eq_perception.panoptic.preprocess import PointRows
from eq_perception.panoptic.preprocess import spread
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracker import Tracker


@dataclass(frozen=True, eq=False)
class PanopticScan:
    """The answer for one scan.

    Attributes:
        points: The scan.
        semantic: (N,) uint8 train ids, see `classes.CLASS_NAMES`.
        instance: (N,) uint32 object of each point, stable over time; 0 for none.
        probability: (N,) float32, of the class.
        objects: Tracked objects in the frame of the scan; `track_id` are the instances. Those
            that were seen often enough to be believed, unless their points say that they are of a
            class that is not tracked, such as a parked bicycle.
    """

    points: Points
    semantic: NDArray[np.uint8]
    instance: NDArray[np.uint32]
    probability: NDArray[np.float32]
    objects: Boxes3D


class Segmenter:
    """Online 4D panoptic segmentation; numpy in, numpy out, no ROS, no torch.

    Attributes:
        config: Grid, thresholds.
        session: The open inference session.
        heading: What looks at the boxes again to tell their directions, if anything does.
        tracker: What remembers the objects.
        timing: Duration of the stages of the last call [ms].
        dropped_pillars: Pillars of the last call that did not fit the network's input.
    """

    def __init__(self, session: Session, config: SegmenterConfig, sweeps: int = 1,
                 tracker: TrackerConfig | None = None,
                 heading: HeadingEstimator | None = None) -> None:
        """Joins an open session with its configuration.

        Args:
            session: Runs the network.
            config: What the network was built with.
            sweeps: Scans that are stacked while poses are known.
            tracker: Settings of the tracker.
            heading: What looks at the boxes again to tell their directions, if anything does.
        """
        self.session, self.config, self.heading = session, config, heading
        self.tracker = Tracker(tracker if tracker is not None else TrackerConfig())
        self.timing: dict[str, float] = {}
        self.dropped_pillars = 0
        self._memory = ClassMemory()
        self._past: deque[tuple[Points, NDArray[np.float64]]] = deque(maxlen=max(sweeps - 1, 0))

    @classmethod
    def from_bundle(cls, path: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, sweeps: int = 1, score_threshold: float | None = None,
                    precision: str = 'fp32', options: SessionOptions = DEFAULT_OPTIONS,
                    heading: str | Path | None = None) -> Segmenter:
        """Opens a model bundle, after it has passed its acceptance test.

        Args:
            path: Bundle directory.
            backends: Names in order of preference.
            threads: Threads of the inference engine.
            sweeps: Scans that are stacked while poses are known, 1 to the model's `max_sweeps`.
            score_threshold: Replaces the bundle's for objects.
            precision: Of the graph: ``'fp32'``, or ``'fp16'`` or ``'int8'`` if the bundle has it.
            options: What may be done to open a session: build engines, fall back.
            heading: Bundle directory of the model that tells directions; without it they are
                what the segmenter itself says.

        Raises:
            BundleError: The bundle is incomplete or altered.
            BackendError: No backend can run it, or it failed acceptance on all of them.
            ConfigError: The bundle's configuration, the threshold or the precision is wrong.
            InputError: `sweeps` is more than the model takes.
        """
        bundle = Bundle.load(path)
        config = SegmenterConfig.from_dict(bundle.manifest.config)
        if score_threshold is not None:
            config = replace(config, detector=replace(config.detector,
                                                      score_threshold=score_threshold))
        if not 1 <= sweeps <= config.detector.max_sweeps:
            raise InputError(f'sweeps must be in 1..{config.detector.max_sweeps}, got {sweeps}')
        return cls(open_session(bundle, backends, threads, precision=precision, options=options),
                   config, sweeps, heading=None if heading is None else (
                       HeadingEstimator.from_bundle(heading, backends, threads, options)))

    def reset(self) -> None:
        """Forgets past scans and objects, as after a jump in time; ids are not used again."""
        self._past.clear()
        self._memory.reset()
        self.tracker.reset()

    def segment(self, points: Points, pose: NDArray[np.float64] | None = None) -> PanopticScan:
        """Segments the next scan of a sequence.

        Args:
            points: The scan, in the sensor's gravity-aligned frame, later than the one before.
            pose: (4, 4) odom <- sensor at its stamp; without it the scan is looked at alone, and
                objects are followed in the sensor's frame.

        Returns:
            Classes, objects and tracks. Turning the sequence by an element of the model's group
            turns the tracks and leaves classes and ids.

        Raises:
            InputError: A coordinate or the pose is not finite, or the stamp lies before the last.
            BackendError: Inference failed.
            OutputError: The model answered with NaN or a wrong shape.
        """
        clock = [perf_counter()]
        if not np.isfinite(points.xyz.sum()):
            raise InputError('points must be finite', 'not_finite')
        pillars = self._pillars(points, pose)
        rows = point_rows(points, pillars, self.config)
        features, row = padded(rows, self.config)
        inputs: dict[str, NDArray[Any]] = {
            'pillar_points': pillars.points, 'pillar_index': pillars.index,
            'pillar_cells': pillar_cells(pillars, self.config.detector),
            'pillar_columns': rows.columns, 'point_features': features, 'point_row': row}
        clock.append(perf_counter())
        fields = self.session.run(inputs)
        clock.append(perf_counter())
        boxes = replace(decode(fields, pillars.ground, self.config.detector),
                        frame_id=points.frame_id, stamp=points.stamp)
        boxes = boxes.select(boxes.score >= self.config.instance_score)
        if self.heading is not None:
            boxes = self.heading.direct(points, boxes, self.config.detector.class_names,
                                        pose is not None and bool(self._past))
        semantic, probability, owner = self._points(points, pose, rows, fields, boxes)
        classes = settle(semantic, probability, owner, boxes)
        semantic = np.where(owner >= 0, np.append(classes, 0)[owner], semantic)
        clock.append(perf_counter())
        # A box without points of an object is none. The velocities of the shipped weights are not
        # worth measuring with yet; positions are.
        seen = np.flatnonzero(classes)
        tracks = self.tracker.update(boxes.select(seen), pose, points.stamp)
        ids = np.zeros(len(boxes) + 1, np.uint32)
        ids[seen] = self.tracker.assignment
        others = ids[:-1][~np.isin(classes, CLASS_OF_BOX)]
        objects = tracks.select(self.tracker.confirmed & ~np.isin(tracks.track_id, others))
        clock.append(perf_counter())
        self.timing = dict(zip(('preprocess', 'inference', 'postprocess', 'tracking'),
                               1e3 * np.diff(clock), strict=True))
        if pose is not None and self._past.maxlen:
            self._past.appendleft((points, pose))
        return PanopticScan(points, semantic, ids[owner], probability, objects)

    def _points(self, points: Points, pose: NDArray[np.float64] | None, rows: PointRows,
                fields: Mapping[str, NDArray[Any]], objects: Boxes3D
                ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        """Class, probability and object (row of `objects`, -1 for none) of every point."""
        kept, count = rows.kept, len(points)
        evidence = evidence_of(fields['semantics'][:len(kept)])
        semantic = classify(evidence)
        owner = assign(points, spread(semantic, kept, count), rows.head_cell,
                       fields['instance_offset'], objects, self.config)
        if pose is None:
            self._memory.reset()
        else:       # objects move: their points neither ask nor tell
            still = owner[kept] < 0
            self._memory.recall(points.xyz[kept], pose, evidence, still)
            semantic = classify(evidence)
        probability = probability_of(semantic, evidence)
        semantic, probability = (spread(column, kept, count)
                                 for column in (semantic, probability))
        return semantic, probability, owner

    def _pillars(self, points: Points, pose: NDArray[np.float64] | None) -> Pillars:
        """Groups the scan, with past ones behind it while poses are known."""
        scan = replace(points, time_offset=np.zeros_like(points.time_offset))
        if pose is None:
            self._past.clear()
        elif self._past:
            scan = stack_sweeps([points, *(past for past, _ in self._past)],
                                [pose, *(known for _, known in self._past)])
        pillars = pillarize(scan, self.config.detector)
        self.dropped_pillars = pillars.dropped
        return pillars
