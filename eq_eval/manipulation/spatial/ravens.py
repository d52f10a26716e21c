"""Block insertion of Ravens in six degrees of freedom, measured in all six.

The check of Ravens looks at x, y and yaw. Here the pose that the block is asked to take is
compared with that of its fixture, in SE(3): after the motion itself even the oracle's block is
about 1 cm off, since the arm of Ravens lets go where it first feels something.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import Workspace
from eq_core.geometry.rgbd import RgbdView
from eq_eval.manipulation.ravens import RavensTask
from eq_eval.manipulation.ravens import WORKSPACE

SIXDOF = 'block-insertion-sixdof'
CLEAR = .004    # points below are the table's [m]
# Top of the block in its own frame: two bars [m].
TOP = .02
BARS = np.array([[[-.015, -.015], [.065, .015]], [[-.015, -.015], [.015, .065]]])

Double = NDArray[np.float64]


class RavensInSpace:
    """The task as a `TaskInSpace`.

    Attributes:
        name: Name of the task.
        tilt: Always ``'any'``: fixtures are tilted by up to 45 degrees about x and y.
        shapes: Always ``'same'``.
        table: Box above the table.
    """

    name, tilt, shapes = SIXDOF, 'any', 'same'
    table: Workspace | None = Workspace((*WORKSPACE.lower[:2], CLEAR), WORKSPACE.upper, CLEAR)

    def __init__(self) -> None:
        """Starts the simulator.

        Raises:
            ConfigError: Ravens or its models are not there.
        """
        self._task = RavensTask(SIXDOF)

    def reset(self, seed: int) -> None:
        """Sets an episode up."""
        self._task.reset(seed)

    def views(self) -> list[RgbdView]:
        """What the three cameras of Ravens see."""
        return self._task.views()

    def show(self) -> tuple[Double, Double] | None:
        """What the oracle of Ravens would do."""
        return self._task.show()

    def step(self, pick: Double, place: Double) -> tuple[float, bool]:
        """Lets the arm of Ravens pick and place; the reward is that of its own check."""
        return self._task.step(pick, place)

    def pick_error(self, pick: Double) -> tuple[float, float]:
        """How far a pick is from the block's top [m], and its tool from upright on it [deg]."""
        block, _ = self._task.object_and_target()
        at = block[:3, :3].T @ (pick[:3, 3] - block[:3, 3])
        aside = np.linalg.norm(at[:2] - at[:2].clip(BARS[:, 0], BARS[:, 1]), axis=-1).min()
        upright = np.clip(block[:3, 2] @ pick[:3, 2], -1, 1)
        return float(np.hypot(aside, at[2] - TOP)), float(np.degrees(np.arccos(upright)))

    def place_error(self, pick: Double, place: Double) -> tuple[float, float]:
        """How far the block is from its fixture after moving with the tool [m, deg]."""
        block, fixture = self._task.object_and_target()
        moved = place @ np.linalg.inv(pick) @ block
        turn = np.clip((np.trace(fixture[:3, :3].T @ moved[:3, :3]) - 1) / 2, -1, 1)
        return (float(np.linalg.norm(moved[:3, 3] - fixture[:3, 3])),
                float(np.degrees(np.arccos(turn))))

    def close(self) -> None:
        """Ends the simulator."""
        self._task.close()
