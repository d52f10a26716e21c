"""Streaming evaluation: an answer counts from the moment at which it is ready.

Li et al., Towards Streaming Perception, ECCV 2020: what the sensor sees at a time is compared with
the newest answer that was finished by then, whatever it was computed from. 4DSegStreamer (ICCV
2025) takes this to 4D panoptic segmentation. Here an answer about an older scan is carried to the
points of the newer one by ego-motion and nearest neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from eq_core.errors import InputError
from eq_eval.datasets.scan import LabeledScan
from eq_perception.panoptic.classes import UNLABELED

Answer = tuple[NDArray[Any], NDArray[Any]]  # (N,) train ids and (N,) objects of a scan's points

CARRY_LIMIT = 2.  # [m]; chosen by measurement, see docs/evaluation.md
NONE = -1


@dataclass(frozen=True, eq=False)
class Schedule:
    """What one worker that always takes the newest scan does, and when.

    Attributes:
        ready: (N,) int64 time [ns] at which the answer to each scan is finished, -1 for scans that
            a newer one replaced before the worker was free.
        current: (N,) int64 scan whose answer is current at each scan, -1 before the first.
    """

    ready: NDArray[np.int64]
    current: NDArray[np.int64]

    @property
    def processed(self) -> NDArray[np.int64]:
        """Scans that the worker saw; only they may feed a segmenter that keeps a state."""
        return np.flatnonzero(self.ready != NONE)


def regular_stamps(num_scans: int, rate: float = 10.) -> NDArray[np.int64]:
    """(N,) stamps [ns] of scans that come at a fixed rate [Hz], from 0 on.

    >>> regular_stamps(3, rate=10.)
    array([        0, 100000000, 200000000])
    """
    return np.rint(np.arange(num_scans) * 1e9 / rate).astype(np.int64)


def schedule(stamps: NDArray[np.integer], latency: float | NDArray[np.floating],
             allowance: float = 0.) -> Schedule:
    """Plays the scans to one worker with a slot for one waiting scan.

    A scan that arrives while the worker is busy waits in the slot and replaces the one that waits
    there. An answer that is finished exactly when a scan arrives is current at that scan, and the
    worker takes this newest scan rather than the one that waited.

    Args:
        stamps: (N,) arrival of the scans [ns], ascending.
        latency: Time from the start of the work on a scan to its answer [s]; one for all, or (N,).
        allowance: Time after a scan's arrival at which its answer is asked for [s]. With Li et
            al.'s 0 and any latency at all, a scan gets an older scan's answer; with the period,
            answers that are ready before the next scan count in full.

    Raises:
        InputError: Stamps do not ascend, or a latency is negative or not finite.

    Example:
        Work of 1.5 periods. Scan 1 waits half a period and is ready at 3.0; by then scan 3 has
        replaced scan 2 in the slot.

        >>> schedule(regular_stamps(6), 0.15).current
        array([-1, -1,  0,  1,  1,  3])
    """
    stamps = np.asarray(stamps, np.int64)
    durations = np.broadcast_to(np.asarray(latency, np.float64), stamps.shape)
    if (np.diff(stamps) <= 0).any():
        raise InputError('stamps of scans must ascend', 'bad_stamp')
    if not (np.isfinite(durations) & (durations >= 0)).all():
        raise InputError('a latency must be finite and not negative')
    if not allowance >= 0:
        raise InputError(f'allowance must not be negative, got {allowance}')
    ready = np.full(len(stamps), NONE, np.int64)
    scan, free = 0, np.iinfo(np.int64).min
    while scan < len(stamps):
        # The newest that has arrived; if none waits, the next one to come.
        scan = max(scan, int(np.searchsorted(stamps, free, 'right')) - 1)
        free = max(free, int(stamps[scan])) + round(float(durations[scan]) * 1e9)
        ready[scan] = free
        scan += 1
    processed = np.flatnonzero(ready != NONE)  # finished in this order, too
    asked = stamps + round(allowance * 1e9)
    newest = np.searchsorted(ready[processed], asked, 'right') - 1
    # Scans that arrive within the allowance are not asked about yet.
    newest = np.minimum(newest, np.searchsorted(processed, np.arange(len(stamps)), 'right') - 1)
    return Schedule(ready, np.where(newest >= 0, processed[newest], NONE))


class LabelCarrier:
    """Gives the points of later scans the label of the nearest point of an answered one.

    Only the motion of the sensor is made up for, not that of the objects.

    Args:
        scan: The scan that was answered.
        answer: (N,) train ids and (N,) objects of its points.
        limit: Points without a neighbour within this distance stay unlabelled [m].

    Raises:
        InputError: There is not one label a point.
    """

    def __init__(self, scan: LabeledScan, answer: Answer, limit: float = CARRY_LIMIT) -> None:
        xyz = np.asarray(scan.points.xyz, np.float64)
        if any(labels.shape != (len(xyz),) for labels in answer):
            raise InputError(f'{scan.sequence}, scan {scan.index}: {len(xyz)} points, labels of '
                             f'shape {answer[0].shape} and {answer[1].shape}')
        self._pose = np.asarray(scan.pose, np.float64)
        self._limit = limit
        self._tree = cKDTree(xyz)
        # The tree says N where no neighbour is near enough.
        self._labels = tuple(np.append(labels, labels.dtype.type(0)) for labels in answer)

    def __call__(self, scan: LabeledScan) -> Answer:
        """Labels of another scan: (M,) train ids and (M,) objects."""
        # Into the older scan's frame, so that one tree serves all scans to come.
        motion = np.linalg.solve(self._pose, np.asarray(scan.pose, np.float64))
        xyz = scan.points.xyz @ motion[:3, :3].T + motion[:3, 3]
        _, nearest = self._tree.query(xyz, distance_upper_bound=self._limit)
        semantic, instance = (labels[nearest] for labels in self._labels)
        return semantic, instance


Carry = Callable[[LabeledScan, Answer], Callable[[LabeledScan], Answer]]


def streamed(scans: Iterable[LabeledScan], answers: Mapping[int, Answer], plan: Schedule,
             carry: Carry = LabelCarrier) -> Iterator[Answer]:
    """Yields, scan by scan, the labels that are current: those to compare with the truth.

    Args:
        scans: All scans of a sequence in their order; identity poses stand for unknown motion.
        answers: Scan to train ids and objects of its points, for the scans in `plan.processed`.
        plan: Which answer is current when.
        carry: Called with a scan and its answer, gives what is called with later scans.

    Yields:
        (N,) train ids and (N,) objects for the points of each scan; all unlabelled before the
        first answer.

    Raises:
        InputError: An answer is missing, or does not fit its scan.
    """
    waiting: dict[int, LabeledScan] = {}
    carried, carrier = NONE, None
    for index, (scan, source) in enumerate(zip(scans, plan.current.tolist(), strict=True)):
        waiting[index] = scan
        if source == NONE:
            yield (np.full(len(scan.points), UNLABELED, np.uint8),
                   np.zeros(len(scan.points), np.uint32))
            continue
        if source not in answers:
            raise InputError(f'no answer to scan {source}, which the worker processed')
        waiting = {key: value for key, value in waiting.items() if key >= source}
        if source == index:
            yield answers[index]
            continue
        if carrier is None or carried != source:
            carried, carrier = source, carry(waiting[source], answers[source])
        yield carrier(scan)
