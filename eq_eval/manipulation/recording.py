"""Records what the oracle of a task shows, on even seeds; those of tests are odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eq_core.errors import ConfigError
from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.manipulation.demonstrations import save_demonstrations
from eq_eval.manipulation.task import PickPlaceTask

SOLVED = .99        # reward of an episode that is worth showing
PATIENCE = 10       # episodes without one worth showing, for each that is wanted


def record(task: PickPlaceTask, episodes: int, path: Path,
           progress: Callable[[int], None] | None = None) -> None:
    """Writes the first episodes of even seed that the oracle solves.

    Args:
        task: What is to be done.
        episodes: How many are wanted.
        path: The npz file.
        progress: Called with the number of episodes recorded.

    Raises:
        ConfigError: The oracle hardly ever solves the task.
    """
    shown: list[Demonstration] = []
    done = 0
    for seed in range(0, 2 * PATIENCE * episodes, 2):
        episode, reward = show_episode(task, seed)
        if reward > SOLVED:
            shown += episode
            done += 1
            if progress is not None:
                progress(done)
        if done == episodes:
            save_demonstrations(path, shown)
            return
    raise ConfigError(f'the oracle of {task.name} solved {done} of {PATIENCE * episodes} episodes')


def show_episode(task: PickPlaceTask, seed: int) -> tuple[list[Demonstration], float]:
    """Lets the oracle act in one episode.

    Returns:
        Every action with the look at the table before it, and the reward of the episode.
    """
    task.reset(seed)
    shown: list[Demonstration] = []
    total = 0.
    for _ in range(task.max_steps):
        action = task.show()
        if action is None:
            break
        shown.append(Demonstration(task.look(), *action, seed))
        reward, over = task.step(*action)
        total += reward
        if over:
            break
    return shown, total
