"""What a policy answers: poses to pick at and to place at, each with a score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import OutputError
from eq_core.errors import PlanningError

Double = NDArray[np.float64]
Heat = NDArray[np.float32]


class ResultCode(IntEnum):
    """Why there is an answer or none; numbers of the action `PlanPickPlace`."""

    NONE = 0
    UNKNOWN = 500
    INVALID_GOAL = 501
    TF_ERROR = 502
    NO_IMAGE = 503
    STALE_IMAGE = 504
    INVALID_DEPTH = 505
    OUTSIDE_WORKSPACE = 506
    LOW_SCORE = 507
    TIMEOUT = 508


class Refusal(PlanningError):
    """Why there is no answer.

    Attributes:
        code: The reason.
    """

    def __init__(self, code: ResultCode, text: str) -> None:
        """Takes the reason and the same in words."""
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, eq=False)
class PickPlace:
    """The answer of a policy to one look at the scene.

    The pose of the tool at the release that belongs to ``pick[0]`` is ``place[0]``; the object
    moves by ``place[0] @ inv(pick[0])``.

    Attributes:
        pick: (K, 4, 4) float64 poses of the tool, best first, frame <- tool; z of the tool is
            the approach seen backwards (up, for a tool that comes from above).
        pick_score: (K,) float64 in [0, 1], probability of a pose and its surroundings.
        place: (K', 4, 4) float64 poses at the release, best first, all of them for ``pick[0]``.
        place_score: (K',) float64 in [0, 1].
        pick_heat: (H, W) float32 probability of each cell of a heightmap, or (D, H, W) of voxels.
        place_heat: Likewise, for ``pick[0]``.
        frame_id: Frame of all poses.
        stamp: Time of what was looked at [ns].
    """

    pick: Double
    pick_score: Double
    place: Double
    place_score: Double
    pick_heat: Heat
    place_heat: Heat
    frame_id: str = ''
    stamp: int = 0

    def __post_init__(self) -> None:
        """Checks shapes and numbers.

        Raises:
            OutputError: A pose is not a rigid motion, or a score is not a probability.
        """
        for name in ('pick', 'place'):
            pose, score = getattr(self, name), getattr(self, f'{name}_score')
            if pose.ndim != 3 or pose.shape[1:] != (4, 4) or score.shape != pose.shape[:1]:
                raise OutputError(f'{name} must be (K, 4, 4) with K scores, got {pose.shape} and '
                                  f'{score.shape}')
            if not np.isfinite(pose).all() or not ((score >= 0) & (score <= 1)).all():
                raise OutputError(f'{name} must be finite, its scores in [0, 1], got {score}')
            turn = pose[:, :3, :3]
            if np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max(initial=0) > 1e-4:
                raise OutputError(f'{name} holds a matrix that is no rotation')
