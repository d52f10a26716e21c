"""What a task of pick and place in space must offer to be learned and evaluated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView

Double = NDArray[np.float64]


class TaskInSpace(Protocol):
    """A simulated scene with one object to be put somewhere; its seed fixes every episode.

    Attributes:
        name: Name of the task.
        tilt: How object and target may be turned.
        shapes: Whether objects are the same or varied.
        table: Box above the table that holds all bodies; None where a cube holds them already.
    """

    name: str
    tilt: str
    shapes: str
    table: Workspace | None

    def reset(self, seed: int) -> None:
        """Sets an episode up."""

    def views(self) -> list[RgbdView]:
        """What the cameras see."""

    def show(self) -> tuple[Double, Double] | None:
        """What the oracle would do: poses (4, 4) of the tool; None if nothing is left to do."""

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Acts; returns the reward, at most 1, and whether the episode is over."""

    def pick_error(self, pick: Double) -> tuple[float, float]:
        """How far a pick is from the nearest one that would hold [m, deg]."""

    def place_error(self, pick: Double, place: Double) -> tuple[float, float]:
        """How far from its goal the object is after moving with the tool [m, deg]."""

    def close(self) -> None:
        """Lets go of the simulator."""
