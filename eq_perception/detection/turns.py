"""A detector that sees every scan in several directions and joins what it finds.

Averaging a function over a set of frames that moves with its input makes it equivariant (Puny et
al., Frame Averaging, ICLR 2022, eq. 3). The network's own turns are such that averaging over them
changes nothing, so one turn of each coset is enough: with the group C4 and three turns the scan is
seen at 0, 30 and 60 degrees, and the whole turns exactly with the scene in steps of 30 degrees
(C12). It takes as many times as long as there are turns.

Example::

    detector = over_turns(Detector.from_bundle('models/lidar_detector'), 3)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
import copy
from dataclasses import replace
import math
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.groups.group import PlanarGroup
from eq_core.runtime.session import Session
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.fusion import by_score
from eq_perception.detection.fusion import fuse
from eq_perception.detection.postprocess import suppress

POLAR_STRIDE = 8    # sectors by which a polar network's answer turns exactly


class TurnedDetector:
    """LiDAR 3D object detector that averages over turns; stands in for a `Detector`.

    Law: with G the turns that are exact for the network (see `exact_rotations`), turning the scan
    by 2 pi k / (|G| turns) turns the boxes, up to points that rounding moves over a cell's border.
    This holds on the whole square range, too, for the square turns with each coset.

    Each score is the sum of those of the turns over the number of turns in which the object's
    centre is within range: what few of them see is doubtful.

    Attributes:
        config: Grid, classes, thresholds.
        session: The open inference session.
        heading: What looks at the joined boxes again to tell their directions, if anything does.
        turns: Directions in which a scan is seen.
        timing: Duration of the stages of the last call, all turns together [ms].
        dropped_pillars: Most pillars of a turn of the last call that did not fit the network's
            input.
    """

    def __init__(self, detector: Detector, turns: int) -> None:
        """Wraps a detector.

        Args:
            detector: Of any group; it is not changed.
            turns: Directions, at least 1.

        Raises:
            ConfigError: There are too few turns or too many.
        """
        if turns < 1:
            raise ConfigError(f'turns must be at least 1, got {turns}')
        self.config: DetectorConfig = detector.config
        self.session: Session = detector.session
        self.heading = detector.heading
        self.turns = turns
        self.timing: dict[str, float] = {}
        self.dropped_pillars = 0
        self._poses = np.tile(np.eye(4), (turns, 1, 1))
        self._poses[:, :2, :2] = PlanarGroup(
            exact_rotations(self.config) * turns).matrices[:turns]
        # The mean may reach the threshold where a single turn does not; what is cut off below
        # this changes no mean by more than as much.
        self._detector = copy.copy(detector)
        self._detector.heading = None   # one look at the joined boxes is enough
        self._detector.config = replace(
            self.config, score_threshold=self.config.score_threshold / turns)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that `Boxes3D.label` indexes."""
        return self.config.class_names

    def detect(self, points: Points, *past: Points,
               poses: Sequence[NDArray[np.float64]] | None = None) -> Boxes3D:
        """Detects objects in one LiDAR scan; see `Detector.detect`.

        Raises:
            InputError: A coordinate is not finite, or there are more sweeps than the model takes.
            BackendError: Inference failed.
            OutputError: The model answered with NaN or a wrong shape.
        """
        timing: dict[str, float] = defaultdict(float)
        answers, dropped = [], 0
        for pose in self._poses:
            back = pose.T
            scans = [_turned(scan, pose) for scan in (points, *past)]
            answer = self._detector.detect(
                *scans, poses=None if poses is None else [each @ back for each in poses])
            answers.append(answer.transformed(back))
            for stage, milliseconds in self._detector.timing.items():
                timing[stage] += milliseconds
            dropped = max(dropped, self._detector.dropped_pillars)
        inferred = perf_counter()
        boxes = self.join(answers)
        if self.heading is not None:
            boxes = self.heading.direct(points, boxes, self.class_names, bool(past))
        timing['postprocess'] += 1e3 * (perf_counter() - inferred)
        self.timing, self.dropped_pillars = dict(timing), dropped
        return boxes

    def join(self, answers: Sequence[Boxes3D]) -> Boxes3D:
        """Joins the answers of all turns and keeps the good ones as `decode` does.

        Args:
            answers: One entry per turn, turned back into the frame of the scan.
        """
        config = self.config
        boxes, count = fuse(answers, config.nms_iou)
        boxes = replace(boxes, score=boxes.score / np.maximum(count, self._views(boxes)))
        boxes = boxes.select(by_score(boxes))
        boxes = boxes.select(boxes.score >= config.score_threshold)
        return suppress(boxes, config.nms_iou).select(slice(config.max_objects))

    def _views(self, boxes: Boxes3D) -> NDArray[np.int64]:
        """(N,) number of turns in which the centres are within range."""
        grid = self.config.head_grid
        inside = [grid.locate(boxes.center @ pose[:3, :3].T)[1] for pose in self._poses]
        return np.asarray(np.sum(inside, axis=0), np.int64)


def over_turns(detector: Detector, turns: int) -> Detector | TurnedDetector:
    """The detector itself for one turn, else one that averages over several.

    Raises:
        ConfigError: There are too few turns or too many.
    """
    return detector if turns == 1 else TurnedDetector(detector, turns)


def exact_rotations(config: DetectorConfig) -> int:
    """Order of the group of turns that the network obeys to the last digit.

    The square grid carries quarter turns only, whatever the group; the polar one has its symmetry
    in the grid.
    """
    if config.grid == 'polar':
        return config.grid_size // POLAR_STRIDE
    return math.gcd(4, PlanarGroup.from_name(config.group).rotations)


def _turned(points: Points, pose: NDArray[np.float64]) -> Points:
    """The scan, turned; as it is for no turn, since a product would lose the sign of zeros."""
    return points if np.array_equal(pose, np.eye(4)) else points.transformed(pose)
