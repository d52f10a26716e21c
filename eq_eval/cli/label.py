"""`eq label RECORDING`: boxes and tracks proposed by the current model, to be corrected."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import typer

from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Heading
from eq_eval.cli.options import Json
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads
from eq_eval.cli.options import Topic

if TYPE_CHECKING:
    from eq_core.geometry.boxes3d import Boxes3D
    from eq_eval.datasets.recording import Recording
    from eq_eval.datasets.scan import LabeledScan

FORMATS = ('kitti', 'bag', 'both')
SEPARATE = ('kitti_object', 'kitti_360')   # formats whose scans do not follow upon each other


def label(
    recording: Annotated[Path, typer.Argument(
        help='rosbag2 (mcap, sqlite3), ROS 1 bag, KITTI folder or PCD files.')],
    out: Annotated[Path, typer.Option(help='New folder for kitti/ and bag/.')],
    model: Model = None,
    heading_model: Heading = '',
    score_threshold: Annotated[float, typer.Option(
        help='Least score of a box; lower finds more, and more that is wrong.')] = .4,
    classes: Annotated[str, typer.Option(
        help='Some of car,truck,pedestrian,cyclist.')] = 'car,truck,pedestrian,cyclist',
    tracks: Annotated[bool | None, typer.Option(
        '--tracks/--no-tracks', help='Follow objects over time; not for scans that do not follow '
        'upon each other. Without tracks the next four options do nothing.')] = None,
    min_scans: Annotated[int, typer.Option(
        help='Drop tracks that were seen in fewer scans.')] = 3,
    fill: Annotated[int, typer.Option(help='Fill gaps of so many scans at most.')] = 2,
    same_size: Annotated[bool, typer.Option(
        help='Give all boxes of a track its median size.')] = True,
    same_heading: Annotated[bool, typer.Option(
        help='Turn headings that point backwards within their track.')] = True,
    file_format: Annotated[str, typer.Option('--format', help='kitti, bag or both.')] = 'both',
    topic: Topic = None,
    odometry_frame: Annotated[str, typer.Option(
        help="Frame of a bag's transforms in which the world stands still.")] = 'odom',
    limit: Annotated[int | None, typer.Option(help='So many scans at most.', min=1)] = None,
    salvage: Annotated[bool, typer.Option(
        '--salvage', help='Leave out what is damaged and count it.')] = False,
    backend: Backend = 'onnxruntime',
    threads: Threads = 2,
    json: Json = False,
) -> None:
    """Proposes boxes and tracks for a recording and writes them to be corrected.

    OUT/kitti is a sequence of the KITTI tracking benchmark (of the object benchmark with
    --no-tracks), OUT/bag has the scans, /tf and the boxes on /label/objects. Both are labelled
    recordings that eq eval detector --data reads.
    """
    from eq_core.errors import ConfigError
    from eq_core.errors import InputError
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.cli.replay import progress_bar
    from eq_eval.datasets.new_folder import new_folder
    from eq_eval.labelling.propose import detect_each
    from eq_eval.labelling.propose import ProposalOptions
    from eq_eval.labelling.propose import proposals_of
    from eq_eval.labelling.propose import with_proposals
    from eq_eval.labelling.smoothing import Smoothing
    from eq_eval.replay.scan_source import FIRST_STAMP
    from eq_perception.detection.detector import Detector
    from eq_ros.shipped_models import heading_folder

    if file_format not in FORMATS:
        raise ConfigError(f'unknown format {file_format!r}, expected one of {FORMATS}')
    names = tuple(name.strip() for name in classes.split(',') if name.strip())
    opened, odometry = open_scans(recording, topic, salvage, odometry_frame)
    options = ProposalOptions(names, opened.kind not in SEPARATE if tracks is None else tracks,
                              Smoothing(min_scans, fill, same_size, same_heading))
    detector = Detector.from_bundle(bundle_folder(model), [backend], threads, score_threshold,
                                    heading=heading_folder(heading_model))
    new_folder(out)
    with progress_bar() as progress:
        total = min(len(opened), limit or len(opened))
        seen = detect_each(detector, first_of(opened, limit),
                           lambda done: progress(done, total, 'detecting'))
        if not seen:
            raise InputError(f'{recording}: no scan can be read of {len(opened)}', 'missing_file')
        proposals = proposals_of(seen, options)
        for name in FORMATS[:2]:
            if file_format in (name, 'both'):
                scans = with_proposals(first_of(opened, limit), proposals)
                write(name, ticking(scans, progress, total, f'writing {name}'), out / name,
                      opened.topic, options.tracks, seen[0].boxes.stamp >= FIRST_STAMP)
    emit({'recording': opened.name, 'kind': opened.kind, 'path': str(out),
          'format': file_format, 'odometry': odometry,
          'lost': max(total - len(seen), len(opened.lost)),
          'detections': sum(len(one.boxes) for one in seen), **counts(proposals)}, json,
         f'labels proposed for {opened.name}')
    if any(len(one.boxes) for one in seen) and not any(map(len, proposals)):
        console.print('no track was seen often enough: do the scans follow upon each other? '
                      'Otherwise --no-tracks; see also --min-scans and --classes')


def open_scans(path: Path, topic: str | None, salvage: bool, odometry_frame: str
               ) -> tuple[Recording, bool]:
    """Opens a recording and looks for the sensor's motion, in a bag also among its transforms.

    Returns:
        The recording and whether it tells where the sensor was.
    """
    from eq_eval.datasets.bag_poses import with_bag_poses
    from eq_eval.datasets.open import locate
    from eq_eval.datasets.open import open_recording
    from eq_eval.replay.scan_source import knows_poses

    opened = open_recording(path, topic, salvage)
    if knows_poses(opened):
        return opened, True
    if not opened.topic:
        return opened, False
    placed = with_bag_poses(opened, locate(path), odometry_frame, salvage)
    return (opened, False) if placed is None else (placed, True)


def first_of(recording: Recording, limit: int | None) -> Iterator[LabeledScan]:
    """The first scans of a recording."""
    return islice(recording.scans(), limit)


def ticking(scans: Iterable[LabeledScan], progress: Any, total: int, text: str
            ) -> Iterator[LabeledScan]:
    """The scans, counted by a progress bar."""
    for done, scan in enumerate(scans):
        progress(done, total, text)
        yield scan


def write(name: str, scans: Iterable[LabeledScan], path: Path, topic: str,
          tracks: bool, is_stamped: bool) -> None:
    """Writes scans with their proposals in one of `FORMATS`.

    Args:
        name: Of the format.
        scans: What is written.
        path: New folder.
        topic: Of the scans in a bag; the usual one if empty.
        tracks: Whether KITTI's tracking benchmark is meant, not the one of objects.
        is_stamped: Whether stamps are times of day, not times since the first scan.
    """
    from eq_eval.datasets.write_kitti import write_kitti
    from eq_eval.datasets.write_kitti_tracking import write_kitti_tracking
    from eq_eval.datasets.write_rosbag import START
    from eq_eval.datasets.write_rosbag import TOPIC
    from eq_eval.datasets.write_rosbag import write_rosbag

    if name == 'bag':
        write_rosbag(scans, path, topic or TOPIC, 0 if is_stamped else START, '/label/objects')
    elif tracks:
        write_kitti_tracking(scans, path)
    else:
        write_kitti(scans, path, proposals=True)


def counts(proposals: Sequence[Boxes3D]) -> dict[str, Any]:
    """Scans, boxes of each class, and tracks."""
    import numpy as np

    from eq_eval.datasets.class_map import CLASS_NAMES

    labels = np.concatenate([boxes.label for boxes in proposals] or [np.zeros(0, int)])
    ids = {int(track) for boxes in proposals for track in boxes.track_id if track >= 0}
    return {'scans': len(proposals), 'tracks': len(ids),
            'boxes': {name: int((labels == place).sum())
                      for place, name in enumerate(CLASS_NAMES)}}
