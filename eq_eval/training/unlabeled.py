"""Pairs of consecutive scans whose labels are not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from eq_core.errors import InputError
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scene_flow import with_poses
from eq_eval.training.scenes import SCANS_PER_SEQUENCE

Pair = tuple[LabeledScan, LabeledScan]      # a scan and the next one


@dataclass(frozen=True, eq=False)
class UnlabeledScans:
    """Scans of recordings, without their labels.

    Attributes:
        sequences: Consecutive scans with poses, for each recording.
        names: Names of the recordings.
    """

    sequences: tuple[tuple[LabeledScan, ...], ...]
    names: tuple[str, ...]

    @classmethod
    def read(cls, recordings: Sequence[Recording]) -> UnlabeledScans:
        """Reads all scans; poses that a recording does not tell are found by registration.

        Raises:
            InputError: A recording has less than two scans.
        """
        sequences = []
        for recording in recordings:
            scans = [replace(scan, boxes=None, semantic=None, instance=None, num_points=None)
                     for scan in recording.scans()]
            if len(scans) < 2:
                raise InputError(f'{recording.name} has {len(scans)} scans, and pairs are learnt '
                                 'from')
            sequences.append(tuple(with_poses(scans)))
        return cls(tuple(sequences), tuple(each.name for each in recordings))

    def __len__(self) -> int:
        """Number of pairs."""
        return sum(len(scans) - 1 for scans in self.sequences)

    def pair(self, rng: np.random.Generator) -> Pair:
        """Draws a pair."""
        sizes = np.array([len(scans) - 1 for scans in self.sequences])
        scans = self.sequences[rng.choice(len(sizes), p=sizes / sizes.sum())]
        first = int(rng.integers(len(scans) - 1))
        return scans[first], scans[first + 1]

    def to_list(self) -> list[dict[str, object]]:
        """What a manifest tells, so that nobody tests on these scans."""
        return [{'name': name, 'scans': list(range(len(scans)))}
                for name, scans in zip(self.names, self.sequences, strict=True)]

    def __str__(self) -> str:
        """Such as ``16 unlabelled scans of semantickitti_00``."""
        return ', '.join(f'{len(scans)} unlabelled scans of {name}'
                         for name, scans in zip(self.names, self.sequences, strict=True))


def simulated_pair(store: ScanStore, rng: np.random.Generator) -> Pair:
    """Draws two consecutive scans of a scene, with its tracked boxes for what moves."""
    sequence, first = int(rng.integers(len(store))), int(rng.integers(SCANS_PER_SEQUENCE - 1))
    earlier, later = store.load(sequence, [first, first + 1])
    return earlier, later
