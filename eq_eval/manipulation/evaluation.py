"""Lets a policy act in episodes that it was not shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
import time
from typing import Any
from typing import Protocol

import numpy as np

from eq_core.geometry.heightmap import HeightMap
from eq_eval.manipulation.task import PickPlaceTask
from eq_manipulation.outcome import PickPlace

STRICT_POSITION = .005      # [m]
STRICT_ANGLE = 7.5          # [deg]


class Plans(Protocol):
    """What decides where to pick and to place."""

    def plan(self, heightmap: HeightMap, count: int = 5) -> PickPlace:
        """Poses, best first."""


@dataclass(frozen=True)
class EpisodeResults:
    """What a policy earned.

    Attributes:
        seeds: Of the episodes.
        reward: Of each, in [0, 1].
        error: Position [m] and angle [deg] by which each ended beside the goal; None where the
            task tells none.
        milliseconds: Of every decision.
    """

    seeds: tuple[int, ...]
    reward: tuple[float, ...]
    error: tuple[tuple[float, float] | None, ...]
    milliseconds: tuple[float, ...]

    @property
    def success(self) -> float:
        """Mean reward x 100, as Ravens counts it."""
        return float(100 * np.mean(self.reward))

    @property
    def success_strict(self) -> float | None:
        """Share of episodes that end within 5 mm and 7.5 deg of the goal, x 100."""
        known = [each for each in self.error if each is not None]
        if len(known) != len(self.error):
            return None
        return float(100 * np.mean([position <= STRICT_POSITION and angle <= STRICT_ANGLE
                                    for position, angle in known]))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; ``interval`` is one standard error of the mean of `success`."""
        spread = np.std(self.reward) / np.sqrt(len(self.reward))
        return {'success': self.success, 'success_strict': self.success_strict,
                'interval': float(100 * spread), 'ms': float(np.median(self.milliseconds)),
                'rewards': dict(zip(map(str, self.seeds), self.reward, strict=True))}


def evaluate(policy: Plans, task: PickPlaceTask, seeds: Sequence[int],
             progress: Callable[[int], None] | None = None) -> EpisodeResults:
    """Runs one episode for each seed.

    Args:
        policy: What decides.
        task: Where it acts.
        seeds: Of the episodes; odd ones are of no demonstration.
        progress: Called with the number of episodes done.
    """
    rewards, errors, times = [], [], []
    for done, seed in enumerate(seeds, 1):
        task.reset(seed)
        total = 0.
        for _ in range(task.max_steps):
            heightmap = task.look()
            start = time.perf_counter()
            answer = policy.plan(heightmap, 1)
            times.append(1e3 * (time.perf_counter() - start))
            reward, over = task.step(answer.pick[0], answer.place[0])
            total += reward
            if over:
                break
        rewards.append(float(total))
        errors.append(task.error())
        if progress is not None:
            progress(done)
    return EpisodeResults(tuple(seeds), tuple(rewards), tuple(errors), tuple(times))
