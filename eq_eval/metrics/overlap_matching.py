"""KITTI's assignment of detections to truths by overlap, with states that may be ignored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COUNTED, IGNORED, OTHER = 0, 1, -1


@dataclass(frozen=True, eq=False)
class OverlapScan:
    """One scan seen by one class and difficulty.

    Attributes:
        overlap: (D, G) IoU of detections and truths.
        score: (D,) of the detections.
        truth_state: (G,) `COUNTED`, `IGNORED` (neither hit nor miss) or `OTHER` (not there).
        found_state: (D,) the same for the detections.
    """

    overlap: Array
    score: Array
    truth_state: NDArray[np.int64]
    found_state: NDArray[np.int64]

    def candidates(self, min_overlap: float) -> list[tuple[int, NDArray[np.intp]]]:
        """Truths in order, each with the detections that overlap it enough."""
        fits = (self.overlap > min_overlap) & (self.found_state != OTHER)[:, None]
        return [(int(truth), np.flatnonzero(fits[:, truth]))
                for truth in np.flatnonzero(self.truth_state != OTHER)]


def matched_scores(scan: OverlapScan, min_overlap: float) -> Array:
    """Scores of the detections that take a truth when the best-scored one takes it.

    Args:
        scan: Overlaps and states.
        min_overlap: IoU beyond which a detection fits.

    Returns:
        (T,) one score per truth that was hit and counts.
    """
    taken: set[int] = set()
    scores = []
    for truth, fitting in scan.candidates(min_overlap):
        free = [int(found) for found in fitting if int(found) not in taken]
        if not free:
            continue
        best = max(free, key=lambda found: (scan.score[found], -found))
        taken.add(best)
        if scan.truth_state[truth] == COUNTED and scan.found_state[best] == COUNTED:
            scores.append(float(scan.score[best]))
    return np.array(scores, np.float64)


def count_at_thresholds(scan: OverlapScan, min_overlap: float,
                        thresholds: Array) -> tuple[Array, Array]:
    """Hits and false alarms among the detections that score at least each threshold.

    Args:
        scan: Overlaps and states.
        min_overlap: IoU beyond which a detection fits.
        thresholds: (K,) scores.

    Returns:
        (K,) hits and (K,) false alarms.
    """
    candidates = [row for row in scan.candidates(min_overlap) if len(row[1])]
    counted = scan.score[scan.found_state == COUNTED]
    hits, alarms = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    for position, threshold in enumerate(thresholds):
        hit, excused = _assign(scan, candidates, threshold)
        hits[position] = hit
        alarms[position] = (counted >= threshold).sum() - hit - excused
    return hits, alarms


def _assign(scan: OverlapScan, candidates: list[tuple[int, NDArray[np.intp]]],
            threshold: float) -> tuple[int, int]:
    """Gives each truth the free detection that overlaps it most.

    Returns:
        Hits, and detections that count but took an ignored truth.
    """
    taken: set[int] = set()
    hits = excused = 0
    for truth, fitting in candidates:
        free = [int(found) for found in fitting
                if scan.score[found] >= threshold and int(found) not in taken]
        counted = [found for found in free if scan.found_state[found] == COUNTED]
        if counted:
            best = max(counted, key=lambda found: (scan.overlap[found, truth], -found))
            hit = scan.truth_state[truth] == COUNTED
            hits += int(hit)
            excused += int(not hit)
        elif free:
            best = free[0]  # an ignored detection excuses the miss
        else:
            continue
        taken.add(best)
    return hits, excused
