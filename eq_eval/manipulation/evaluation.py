"""Lets a policy act in episodes that it was not shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
import json
from pathlib import Path
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
class Episode:
    """What a policy did in one episode.

    Attributes:
        seed: Of the episode.
        reward: In [0, 1].
        error: Position [m] and angle [deg] by which it ended beside the goal; None where the task
            tells none.
        milliseconds: Of every decision.
    """

    seed: int
    reward: float
    error: tuple[float, float] | None
    milliseconds: tuple[float, ...]

    @property
    def strict(self) -> bool | None:
        """Whether it ended within 5 mm and 7.5 deg of the goal."""
        return None if self.error is None else (self.error[0] <= STRICT_POSITION
                                                and self.error[1] <= STRICT_ANGLE)


def summarize(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Joins episodes.

    Returns:
        ``success``: mean reward x 100, as Ravens counts it; ``interval``: one standard error of
        it; ``success_strict``: share of strict ones x 100, None where a task tells no errors;
        ``ms``: median of a decision; ``rewards`` by seed.
    """
    rewards = np.array([each.reward for each in episodes])
    strict = [each.strict for each in episodes if each.strict is not None]
    return {'success': float(100 * rewards.mean()),
            'success_strict': (float(100 * np.mean(strict)) if len(strict) == len(episodes)
                               else None),
            'interval': float(100 * rewards.std() / np.sqrt(len(rewards))),
            'ms': float(np.median([ms for each in episodes for ms in each.milliseconds])),
            'rewards': {str(each.seed): each.reward for each in episodes}}


def evaluate(policy: Plans, task: PickPlaceTask, seeds: Sequence[int],
             progress: Callable[[int], None] | None = None, kept: Path | None = None
             ) -> list[Episode]:
    """Runs one episode for each seed.

    Args:
        policy: What decides.
        task: Where it acts.
        seeds: Of the episodes; odd ones are of no demonstration.
        progress: Called with the number of episodes done.
        kept: File that takes every episode when it is over; those in it are not run again, so
            that a long evaluation goes on where it was stopped.
    """
    known = {} if kept is None else _read(kept)
    episodes = []
    for done, seed in enumerate(seeds, 1):
        if seed not in known:
            known[seed] = _run(policy, task, seed)
            if kept is not None:
                with kept.open('a', encoding='utf-8') as file:
                    file.write(json.dumps(asdict(known[seed])) + '\n')
        episodes.append(known[seed])
        if progress is not None:
            progress(done)
    return episodes


def _run(policy: Plans, task: PickPlaceTask, seed: int) -> Episode:
    task.reset(seed)
    total, times = 0., []
    for _ in range(task.max_steps):
        heightmap = task.look()
        start = time.perf_counter()
        answer = policy.plan(heightmap, 1)
        times.append(1e3 * (time.perf_counter() - start))
        reward, over = task.step(answer.pick[0], answer.place[0])
        total += reward
        if over:
            break
    return Episode(seed, float(total), task.error(), tuple(times))


def _read(path: Path) -> dict[int, Episode]:
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
    return {row['seed']: Episode(row['seed'], row['reward'],
                                 None if row['error'] is None else tuple(row['error']),
                                 tuple(row['milliseconds'])) for row in rows}
