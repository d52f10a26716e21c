"""A recording: scans in order, whatever the format they lie in."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TypeVar

from eq_core.errors import InputError
from eq_eval.datasets.scan import LabeledScan

Item = TypeVar('Item')


@dataclass(frozen=True, eq=False)
class Recording:
    """Scans of one drive.

    Attributes:
        name: Name of the drive.
        kind: Format, such as ``'kitti_object'`` or ``'rosbag2'``.
        count: Scans that it should hold.
        load: Reads the scans in order; takes the list in which to note what was lost.
        has_boxes: Whether some scans have boxes.
        complete: Whether every object in view has a box, so that precision means something.
        has_velocity: Whether the boxes' velocities are known.
        topic: Topic of the clouds in a bag, empty elsewhere.
        lost: Texts of what the last pass had to leave out, one per scan or file.
    """

    name: str
    kind: str
    count: int
    load: Callable[[list[str]], Iterator[LabeledScan]]
    has_boxes: bool = False
    complete: bool = True
    has_velocity: bool = False
    topic: str = ''
    lost: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Scans that the recording should hold."""
        return self.count

    def scans(self) -> Iterator[LabeledScan]:
        """Reads the scans from the start, and keeps account of the lost ones in `lost`.

        Raises:
            InputError: A file is damaged and the recording was not opened to skip such files.
        """
        self.lost.clear()
        yield from self.load(self.lost)


def read_each(items: Sequence[Item], read: Callable[[int, Item], LabeledScan],
              skip_bad: bool) -> Callable[[list[str]], Iterator[LabeledScan]]:
    """Makes `Recording.load` for a format with one scan per item.

    Args:
        items: What is read, one per scan.
        read: Reads the item at a position.
        skip_bad: Whether a damaged item is noted and left out instead of ending the pass.
    """
    def load(lost: list[str]) -> Iterator[LabeledScan]:
        for index, item in enumerate(items):
            try:
                scan = read(index, item)
            except InputError as error:
                if not skip_bad:
                    raise
                lost.append(str(error))
                continue
            yield scan
    return load
