"""What the planner answers: a path, or why there is none, in the words of Nav2."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import PlanningError

Double = NDArray[np.float64]


class ErrorCode(IntEnum):
    """Results of `nav2_msgs/action/ComputePathToPose`, with Nav2's numbers."""

    NONE = 0
    UNKNOWN = 200
    INVALID_PLANNER = 201
    TF_ERROR = 202
    START_OUTSIDE_MAP = 203
    GOAL_OUTSIDE_MAP = 204
    START_OCCUPIED = 205
    GOAL_OCCUPIED = 206
    TIMEOUT = 207
    NO_VALID_PATH = 208


@dataclass(frozen=True, eq=False)
class Plan:
    """The answer to one question.

    Attributes:
        poses: (L, 3) x, y, yaw in the frame of the map [m, rad]; empty without a path.
        error_code: `ErrorCode.NONE` with a path, else why there is none.
        error_text: The same in words.
        frame_id: Frame of the map.
        milliseconds: Time it took.
        note: What a user should know of a path that was found otherwise than asked for.
    """

    poses: Double
    error_code: ErrorCode
    error_text: str
    frame_id: str
    milliseconds: float
    note: str = ''

    @property
    def length(self) -> float:
        """Length of the path [m]."""
        return float(np.hypot(*np.diff(self.poses[:, :2], axis=0).T).sum())


class Refusal(PlanningError):
    """Why there is no path.

    Attributes:
        code: The reason.
    """

    def __init__(self, code: ErrorCode, text: str) -> None:
        """Takes the reason and the same in words."""
        super().__init__(text)
        self.code = code
