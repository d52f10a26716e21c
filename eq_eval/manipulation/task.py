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

    def reset(self, seed: int) -> None:
        """Sets an episode up."""

    def look(self) -> HeightMap:
        """Looks at the table as it is now; rendering is slow, so only who asks pays for it."""

    def show(self) -> tuple[Double, Double] | None:
        """What the oracle would do.

        Returns:
            Poses (4, 4) of the tool at the pick and at the release; None if nothing is left to do.
        """

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Acts.

        Returns:
            The reward that this action earned (those of an episode add up to at most 1), and
            whether the episode is over.
        """

    def error(self) -> tuple[float, float] | None:
        """How far the object is from where it belongs.

        Returns:
            Position [m] and angle [deg], in space; None if the task knows no such thing.
        """

    def close(self) -> None:
        """Lets go of the simulator."""
