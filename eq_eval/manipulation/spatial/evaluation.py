"""Lets a spatial policy act in episodes that it was not shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.rgbd import joined_points
from eq_core.geometry.rgbd import RgbdView
from eq_core.geometry.voxels import voxelize_views
from eq_eval.manipulation.evaluation import STRICT_ANGLE
from eq_eval.manipulation.evaluation import STRICT_POSITION
from eq_eval.manipulation.spatial.tasks import ANGLE
from eq_eval.manipulation.spatial.tasks import POSITION
from eq_eval.manipulation.spatial.tasks import SpatialTask
from eq_eval.manipulation.spatial.template import TemplatePolicy
from eq_eval.manipulation.spatial.world import CUBE
from eq_manipulation.outcome import PickPlace
from eq_manipulation.spatial.policy import SpatialPolicy

Double = NDArray[np.float64]
Decide = Callable[[Sequence[RgbdView]], PickPlace]


@dataclass(frozen=True, eq=False)
class SpatialResults:
    """What was measured in unseen episodes.

    Attributes:
        seeds: Of the episodes.
        errors: (E, 4) position [m] and angle [deg] of the pick beside the nearest grasp, and of
            the object beside the nearest goal after the motion.
        milliseconds: (E,) of every decision.
    """

    seeds: tuple[int, ...]
    errors: Double
    milliseconds: Double

    @staticmethod
    def _within(errors: Double, position: float, angle: float) -> NDArray[np.bool_]:
        return np.asarray((errors[:, 0] <= position) & (errors[:, 1] <= angle))

    def to_dict(self) -> dict[str, Any]:
        """As JSON.

        ``place`` and ``place_strict`` are of the object's motion alone, ``success`` and
        ``success_strict`` need the pick to hold as well.
        """
        pick = self._within(self.errors[:, :2], POSITION, ANGLE)
        loose = self._within(self.errors[:, 2:], POSITION, ANGLE)
        strict = self._within(self.errors[:, 2:], STRICT_POSITION, STRICT_ANGLE)
        mean = {name: float(100 * part.mean()) for name, part in (
            ('pick', pick), ('place', loose), ('place_strict', strict), ('success', pick & loose),
            ('success_strict', pick & strict))}
        median = np.median(self.errors, 0)
        return {**mean, 'interval': float(100 * (pick & loose).std() / np.sqrt(len(pick))),
                'pick_mm': float(1e3 * median[0]), 'pick_deg': float(median[1]),
                'place_mm': float(1e3 * median[2]), 'place_deg': float(median[3]),
                'ms': float(np.median(self.milliseconds))}


def by_voxels(policy: SpatialPolicy) -> Decide:
    """Decides from voxels."""
    return lambda views: policy.plan(voxelize_views(views, CUBE), 1)


def by_points(policy: TemplatePolicy) -> Decide:
    """Decides from points."""
    return lambda views: policy.plan_points(*joined_points(views))


def evaluate_spatial(decide: Decide, task: SpatialTask, seeds: Sequence[int],
                     progress: Callable[[int], None] | None = None) -> SpatialResults:
    """Runs one episode for each seed.

    Args:
        decide: From views to poses.
        task: Where it acts.
        seeds: Of the episodes; odd ones are of no demonstration.
        progress: Called with the number of episodes done.
    """
    errors, times = [], []
    for done, seed in enumerate(seeds, 1):
        task.reset(seed)
        views = task.views()
        start = time.perf_counter()
        answer = decide(views)
        times.append(1e3 * (time.perf_counter() - start))
        pick = task.pick_error(answer.pick[0])
        # Measured even where the pick would not hold, so that both can be told apart.
        motion = answer.place[0] @ np.linalg.inv(answer.pick[0])
        errors.append((*pick, *task.error_of(motion @ task.object.pose)))
        if progress is not None:
            progress(done)
    return SpatialResults(tuple(seeds), np.array(errors), np.array(times))
