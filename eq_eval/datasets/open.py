"""Opens whatever recording a path leads to."""

from __future__ import annotations

from pathlib import Path

from eq_core.errors import InputError
from eq_eval.datasets import argoverse2
from eq_eval.datasets import compact_npz
from eq_eval.datasets import kitti
from eq_eval.datasets import kitti_360
from eq_eval.datasets import kitti_tracking
from eq_eval.datasets import nuscenes_frame
from eq_eval.datasets import ouster_osf
from eq_eval.datasets import pcd
from eq_eval.datasets import semantic_kitti
from eq_eval.datasets import sustech
from eq_eval.datasets.bag_metadata import is_bag
from eq_eval.datasets.files import require
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.rosbag import DEFAULT_OPTIONS
from eq_eval.datasets.rosbag import open_bag
from eq_ros.pointcloud2 import DecodeOptions

_OPENERS = {
    'kitti_tracking': kitti_tracking.open_tracking, 'kitti_360': kitti_360.open_cars,
    'kitti_object': kitti.open_object, 'semantic_kitti': semantic_kitti.open_sequence,
    'argoverse2': argoverse2.open_log, 'nuscenes_frame': nuscenes_frame.open_frame,
    'sustech': sustech.open_folder, 'npz': compact_npz.open_folder, 'pcd': pcd.open_pcd,
    'osf': ouster_osf.open_osf,
}


def open_recording(path: str | Path, topic: str | None = None, skip_bad: bool = False,
                   options: DecodeOptions = DEFAULT_OPTIONS) -> Recording:
    """Opens a recording of any known format.

    Args:
        path: Bag (rosbag2 folder, ``.mcap``, ``.db3``, ``.bag``), PCD file or folder, or folder of
            a data set: KITTI object and tracking, KITTI-360, SemanticKITTI, Argoverse 2, nuScenes
            frame, SUSTechPOINTS, or plain ``.npz`` columns. A folder that holds just one of
            these is as good as that one.
        topic: Topic of the scans in a bag; may be left out where there is only one.
        skip_bad: Leaves out what is damaged and notes it in `Recording.lost`, instead of raising.
        options: How the clouds of a bag are decoded.

    Raises:
        InputError: The path does not exist, the format is not known, or files are damaged.
    """
    root = locate(path)
    kind = guess_kind(root)
    if kind == 'bag':
        return open_bag(root, topic, skip_bad, options)
    if topic is not None:
        raise InputError(f'{root} is {kind}, which has no topics; got topic {topic}', 'bad_topic')
    if kind == 'kitti_object' and (root / 'training').is_dir():
        root = root / 'training'
    return _OPENERS[str(kind)](root, skip_bad)


def locate(path: str | Path) -> Path:
    """The recording that a path means: itself, or the only one that lies in it.

    Raises:
        InputError: The path does not exist, or there is not just one.
    """
    root = require(Path(path))
    return root if guess_kind(root) is not None else _only_recording_in(root)


def guess_kind(path: Path) -> str | None:
    """Tells the format of a path by its name and what lies in it, None where it is not clear."""
    if path.is_file():
        return _kind_of_file(path)
    if is_bag(path):
        return 'bag'
    if (path / 'label_02.txt').exists():
        return 'kitti_tracking'
    if (path / 'boxes_cam0').is_dir():
        return 'kitti_360'
    if semantic_kitti.is_sequence(path):
        return 'semantic_kitti'
    if any((path / name).is_dir() for name in ('velodyne', 'velodyne_fov', 'training/velodyne')):
        return 'kitti_object'
    return _kind_of_flat_folder(path)


def _kind_of_file(path: Path) -> str:
    """The format of a single file."""
    if is_bag(path):
        return 'bag'
    if path.name.endswith(('.pcd', '.pcd.gz')):
        return 'pcd'
    if path.suffix == '.osf':
        return 'osf'
    raise InputError(f'{path}: unknown format, expected a bag (.mcap .db3 .bag), a .pcd, or a '
                     'folder of a data set', 'bad_format')


def _kind_of_flat_folder(path: Path) -> str | None:
    """The format of a folder by the files right in it."""
    names = {entry.name for entry in path.iterdir() if entry.is_file()}
    suffixes = {Path(name).suffix for name in names}
    if argoverse2.BOXES in names:
        return 'argoverse2'
    if 'boxes.csv' in names:
        return 'nuscenes_frame'
    if '.npz' in suffixes:
        return 'sustech' if '.json' in suffixes else 'npz'
    # Clouds beside a bag are what somebody decoded from it.
    if any(name.endswith(('.pcd', '.pcd.gz')) for name in names) and not _bags_in(path):
        return 'pcd'
    return 'osf' if '.osf' in suffixes else None


def _bags_in(path: Path) -> list[Path]:
    """Folders right below that are bags."""
    return [entry for entry in sorted(path.iterdir()) if entry.is_dir() and is_bag(entry)]


def _only_recording_in(path: Path) -> Path:
    """The one ROS 1 bag, or folder below, that is a recording."""
    found = sorted(path.glob('*.bag')) or _bags_in(path) or [
        entry for entry in sorted(path.iterdir())
        if entry.is_dir() and guess_kind(entry) is not None]
    if len(found) == 1:
        return found[0]
    names = [entry.name for entry in found]
    raise InputError(f'{path}: ' + (f'choose one of {names}' if names else
                                    'no recording of a known format in it'), 'bad_format')
