"""Classes and objects of the points of a bag, in a folder beside it.

``point_labels/000012.label`` labels the points of the twelfth cloud in the format of
SemanticKITTI. A ROS message has no place for the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.datasets.semantic_kitti import read_label_file
from eq_eval.datasets.write_semantic_kitti import packed_labels

FOLDER = 'point_labels'


def write_point_labels(scan: LabeledScan, folder: Path) -> None:
    """Writes the labels of one scan.

    Args:
        scan: A scan with `semantic` and `instance`.
        folder: Where the files lie; made if it is not there.

    Raises:
        InputError: The scan has no labels.
    """
    data = packed_labels(scan)
    folder.mkdir(exist_ok=True)
    (folder / f'{scan.index:06d}.label').write_bytes(data)


def with_point_labels(recording: Recording, bag: Path) -> Recording:
    """Gives scans the labels beside their bag; as it is where there are none.

    Args:
        recording: The bag, opened.
        bag: Its folder or one of its files.

    Raises:
        InputError: While reading: a file does not fit its scan.
    """
    folder = (bag if bag.is_dir() else bag.parent) / FOLDER
    if not folder.is_dir():
        return recording

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        for scan in recording.scans():
            file = folder / f'{scan.index:06d}.label'
            if file.exists():
                semantic, instance = read_label_file(file, len(scan.points))
                scan = replace(scan, semantic=semantic, instance=instance)
            yield scan
        lost += recording.lost

    return replace(recording, load=load, lost=[])
