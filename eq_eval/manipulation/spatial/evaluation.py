"""Lets a spatial policy act in episodes that it was not shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import joined_points
from eq_core.geometry.rgbd import RgbdView
from eq_core.geometry.voxels import voxelize_views
from eq_core.geometry.voxels import voxels_of_points
from eq_eval.manipulation.evaluation import STRICT_ANGLE
from eq_eval.manipulation.evaluation import STRICT_POSITION
from eq_eval.manipulation.spatial.task import TaskInSpace
from eq_eval.manipulation.spatial.tasks import ANGLE
from eq_eval.manipulation.spatial.tasks import POSITION
from eq_eval.manipulation.spatial.template import TemplatePolicy
from eq_eval.manipulation.spatial.world import CUBE
from eq_manipulation.outcome import PickPlace
from eq_manipulation.spatial.gathering import gather
from eq_manipulation.spatial.policy import SpatialPolicy

Float = NDArray[np.float32]
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
        rewards: (E,) what the task itself gave for the action.
    """

    seeds: tuple[int, ...]
    errors: Double
    milliseconds: Double
    rewards: Double

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
                'ms': float(np.median(self.milliseconds)),
                'reward': float(100 * self.rewards.mean())}


def by_voxels(policy: SpatialPolicy, table: Workspace | None = None) -> Decide:
    """Decides from voxels.

    Args:
        policy: Decides.
        table: Box above a table whose bodies have to be gathered; None for those of a cube.
    """
    if table is None:
        return lambda views: policy.plan(voxelize_views(views, CUBE), 1)
    return partial(_on_table, lambda xyz, color: policy.plan(
        voxels_of_points(xyz, color, CUBE), policy.config.candidates), table)


def by_points(policy: TemplatePolicy, table: Workspace | None = None) -> Decide:
    """Decides from points; see `by_voxels`."""
    if table is None:
        return lambda views: policy.plan_points(*joined_points(views))
    return partial(_on_table, policy.plan_points, table)


def _on_table(plan: Callable[[Float, Float], PickPlace], table: Workspace,
              views: Sequence[RgbdView]) -> PickPlace:
    """Plans for gathered bodies; the arm stands on the table and reaches them from above."""
    near = gather(*joined_points(views), table, CUBE)
    answer = plan(near.xyz, near.color)
    order = np.argsort(answer.place[:, 2, 2] <= 0, kind='stable')   # best first, from above
    return replace(answer, pick=near.back(answer.pick), place=near.back(answer.place[order]),
                   place_score=answer.place_score[order])


def evaluate_spatial(decide: Decide, task: TaskInSpace, seeds: Sequence[int],
                     progress: Callable[[int], None] | None = None) -> SpatialResults:
    """Runs one episode for each seed.

    Args:
        decide: From views to poses.
        task: Where it acts.
        seeds: Of the episodes; odd ones are of no demonstration.
        progress: Called with the number of episodes done.
    """
    errors, times, rewards = [], [], []
    for done, seed in enumerate(seeds, 1):
        task.reset(seed)
        views = task.views()
        start = time.perf_counter()
        answer = decide(views)
        times.append(1e3 * (time.perf_counter() - start))
        # The place is measured even where the pick would not hold, so that both can be told apart.
        action = answer.pick[0], answer.place[0]
        errors.append((*task.pick_error(action[0]), *task.place_error(*action)))
        rewards.append(task.step(*action)[0])
        if progress is not None:
            progress(done)
    return SpatialResults(tuple(seeds), np.array(errors), np.array(times), np.array(rewards))
