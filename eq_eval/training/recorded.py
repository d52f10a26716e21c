"""Part of a real recording, to go on learning from."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
from itertools import islice

from eq_core.errors import InputError
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_perception.panoptic.classes import train_ids


@dataclass(frozen=True, eq=False)
class RecordedScans:
    """Consecutive scans of which some points have a class; only those points are learnt from.

    Boxes of recordings seldom cover all there is, so that what has none would be learnt as empty;
    they are left aside.

    Attributes:
        name: Name of the recording.
        first: Position of the first scan in the recording.
        scans: In their order, without boxes.
    """

    name: str
    first: int
    scans: tuple[LabeledScan, ...]

    @classmethod
    def read(cls, recording: Recording, first: int = 0, count: int | None = None
             ) -> RecordedScans:
        """Reads a part of a recording.

        Args:
            recording: Where the scans are.
            first: Position of the first one.
            count: How many, all that follow if None.

        Raises:
            InputError: There are fewer scans, or one has no labelled point.
        """
        stop = len(recording) if count is None else first + count
        if not first < stop <= len(recording):
            raise InputError(f'{recording.name} has {len(recording)} scans, '
                             f'got {first} to {stop - 1}')
        scans = tuple(dataclasses.replace(scan, boxes=None, num_points=None)
                      for scan in islice(recording.scans(), first, stop))
        for place, scan in enumerate(scans, first):
            if scan.semantic is None or not train_ids(scan.semantic).any():
                raise InputError(f'{recording.name}, scan {place}: no point has a class to learn',
                                 'no_labels')
        return cls(recording.name, first, scans)

    def __len__(self) -> int:
        """Number of scans."""
        return len(self.scans)

    def load(self, indices: Sequence[int]) -> list[LabeledScan]:
        """The scans at some positions in this part."""
        return [self.scans[index] for index in indices]

    def to_list(self) -> list[dict[str, object]]:
        """What a manifest tells, so that nobody tests on these scans."""
        return [{'name': self.name, 'scans': list(range(self.first, self.first + len(self)))}]

    def __str__(self) -> str:
        """Such as ``scans 0 to 7 of semantickitti_00``."""
        return f'scans {self.first} to {self.first + len(self) - 1} of {self.name}'
