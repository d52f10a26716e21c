"""The last look at poses before a robot moves: a wrong pick is worse than none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import HeightMap
from eq_manipulation.outcome import PickPlace
from eq_manipulation.outcome import Refusal
from eq_manipulation.outcome import ResultCode

ROUNDING = 1e-6     # [cells]; poses lie on corners of cells, where a bit decides between two


def fit_poses(answer: PickPlace, heightmap: HeightMap, threshold: float) -> PickPlace:
    """Leaves out poses that must not be given out.

    Args:
        answer: Of a policy.
        heightmap: What the policy looked at.
        threshold: Lowest score.

    Returns:
        The same without poses that score too low, lie outside the workspace, or stand where
        nothing was seen, so that their height is unknown.

    Raises:
        Refusal: The best pick or the best place is such a one: then the others are no better, and
            all places are for the best pick.
    """
    kept = {}
    for name in ('pick', 'place'):
        poses, scores = getattr(answer, name), getattr(answer, f'{name}_score')
        if not len(poses):
            raise Refusal(ResultCode.LOW_SCORE, f'the policy found no {name}')
        faults = [_fault(pose, score, heightmap, threshold)
                  for pose, score in zip(poses, scores, strict=True)]
        if faults[0] is not None:
            code, text = faults[0]
            raise Refusal(code, f'the best {name} {text}')
        fit = np.array([fault is None for fault in faults])
        kept[name], kept[f'{name}_score'] = poses[fit], scores[fit]
    return replace(answer, **kept)


def _fault(pose: NDArray[np.float64], score: float, heightmap: HeightMap, threshold: float
           ) -> tuple[ResultCode, str] | None:
    """What is wrong with a pose, or None."""
    xyz, space = pose[:3, 3], heightmap.workspace
    at = ', '.join(f'{value:.3f}' for value in xyz)
    if score < threshold:
        return (ResultCode.LOW_SCORE, f'scores {score:.3f}, expected at least {threshold:g}')
    if not space.contains(xyz):     # NaN is nowhere
        return (ResultCode.OUTSIDE_WORKSPACE, f'at ({at}) m lies outside the workspace '
                f'{space.lower} to {space.upper} m')
    column, row = np.floor(space.cell(xyz)[:2] + .5 + ROUNDING).astype(np.int64)
    if not heightmap.seen[min(row, space.shape[1] - 1), min(column, space.shape[2] - 1)]:
        return ResultCode.INVALID_DEPTH, f'at ({at}) m stands where nothing was seen'
    return None
