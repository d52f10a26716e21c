"""Opens what is to be played: whole, or what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
import shutil

from eq_core.errors import InputError
from eq_eval.datasets.bag_metadata import is_bag
from eq_eval.datasets.borrowed_labels import with_labels_of
from eq_eval.datasets.files import require
from eq_eval.datasets.ground_truth import FILE_NAME
from eq_eval.datasets.ground_truth import truth_file
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.rosbag import DEFAULT_OPTIONS
from eq_eval.replay.point_labels import with_point_labels
from eq_eval.replay.raw_clouds import raw_clouds
from eq_eval.replay.raw_clouds import RawCloud
from eq_eval.replay.salvage import check_bag
from eq_eval.replay.salvage import salvage_bag
from eq_ros.pointcloud2 import DecodeOptions


@dataclass(frozen=True, eq=False)
class Source:
    """A recording that is ready to be played.

    Attributes:
        recording: The scans.
        clouds: Makes, for one pass, what gives the bytes of a scan as they lie in the bag, or
            None.
        lost: Scans that were lost before, while salvaging.
        damages: What is wrong with the recording.
    """

    recording: Recording
    clouds: Callable[[], RawCloud]
    lost: int = 0
    damages: tuple[str, ...] = ()


def open_source(path: Path, out: Path, topic: str | None = None, salvage: bool = False,
                options: DecodeOptions = DEFAULT_OPTIONS, labels: Path | None = None) -> Source:
    """Opens a recording; a damaged bag is refused before anything is started.

    Args:
        path: Bag, file or folder of any format that `open_recording` knows.
        out: Folder of the replay; takes the salvaged bag, if there is one.
        topic: Topic of the clouds in a bag.
        salvage: Whether to play what can be read of a damaged recording.
        options: How the clouds of a bag are decoded.
        labels: Another recording of the same scans that has labels.

    Raises:
        InputError: The recording is damaged and `salvage` is not set, or nothing is left of it.
    """
    source = _open(_bag_in(require(path)), out, topic, salvage, options)
    if labels is None:
        return source
    return replace(source, recording=with_labels_of(source.recording, open_recording(labels)))


def _open(path: Path, out: Path, topic: str | None, salvage: bool, options: DecodeOptions,
          ) -> Source:
    try:
        check_bag(path)
        # A ROS 1 bag is looked through when it is opened; it is not salvaged by its reader.
        recording = open_recording(path, topic, salvage and path.suffix != '.bag', options)
    except InputError:
        if not salvage or not is_bag(path):
            raise
        return _salvaged(path, out / 'salvaged', topic, options)
    return Source(with_point_labels(recording, path),
                  lambda: raw_clouds(path, recording, salvage) or _nothing)


def _bag_in(path: Path) -> Path:
    """The one bag in a folder, or the path itself."""
    if path.is_file() or is_bag(path):
        return path
    bags = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and is_bag(entry)]
    return bags[0] if len(bags) == 1 else path


def _salvaged(path: Path, target: Path, topic: str | None, options: DecodeOptions) -> Source:
    saved = salvage_bag(path, target)
    truth = truth_file(path)
    if truth.is_file():
        shutil.copyfile(truth, target / FILE_NAME)
    recording = open_recording(saved.path, topic, True, options)
    return Source(replace(recording, name=path.stem),
                  lambda: raw_clouds(saved.path, recording, True) or _nothing,
                  saved.lost(recording.topic), saved.damages)


def _nothing(scan: object) -> None:
    return None
