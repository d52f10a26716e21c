"""What a task of pick and place must offer to be learned and evaluated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import HeightMap

Double = NDArray[np.float64]


class PickPlaceTask(Protocol):
    """A simulated table with something to do on it; every episode is fixed by its seed.

    Attributes:
        name: Name of the task.
        max_steps: Actions after which an episode is over.
    """

    name: str
    max_steps: int

    def reset(self, seed: int) -> HeightMap:
        """Sets an episode up and looks at the table."""

    def show(self) -> tuple[Double, Double] | None:
        """Poses (4, 4) of the tool, pick and place, that the oracle would act with; None if it
        has nothing left to do."""

    def step(self, pick: Double, place: Double) -> tuple[HeightMap, float, bool]:
        """Acts: the table afterwards, the reward earned by this action (the rewards of an episode
        add up to at most 1), and whether the episode is over."""

    def close(self) -> None:
        """Lets go of the simulator."""
