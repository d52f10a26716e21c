"""Ouster's own recordings (OSF), read with the maker's package `ouster-sdk`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

FRAME_ID = 'os_lidar'
LARGEST_REFLECTIVITY = 255.
# It pins another version of rosbags than ours, which it does not need for reading.
INSTALL = 'pip install --no-deps ouster-sdk'


def open_osf(path: Path, skip_bad: bool = False) -> Recording:
    """Opens an OSF file, or the files of a folder one after another.

    Args:
        path: A ``.osf`` file or a folder of them.
        skip_bad: Leaves a damaged file out instead of raising.

    Raises:
        InputError: A file is damaged, or `ouster-sdk` is not installed.
    """
    files = [path] if path.is_file() else sorted(path.glob('*.osf'))
    counts: dict[Path, int] = {}
    lost_files: list[str] = []
    for file in files:
        try:
            counts[file] = sum(1 for _ in _scans(file))
        except InputError as error:
            if not skip_bad:
                raise
            lost_files.append(str(error))

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        lost.extend(lost_files)
        index = 0
        for file in counts:
            for points in _scans(file):
                yield LabeledScan(points, np.eye(4), sequence=file.stem, index=index)
                index += 1

    return Recording(path.stem, 'osf', sum(counts.values()), load)


def _scans(file: Path) -> Iterator[Points]:
    """Scans of all sensors of a file in their order; points without a return are left out."""
    try:
        from ouster.sdk import open_source
        from ouster.sdk.core import XYZLut
        from ouster.sdk.open_source import SourceURLException
    except ImportError as error:
        raise InputError(f'{file}: Ouster OSF needs ouster-sdk ({error}): {INSTALL}',
                         'bad_format') from error
    try:
        source = open_source(str(file))
        tables = [XYZLut(info, use_extrinsics=False) for info in source.sensor_info]
        for scans in source:
            for scan, table in zip(scans, tables, strict=True):
                if scan is not None:
                    yield _points(scan, table)
    except (SourceURLException, RuntimeError, ValueError, OSError) as error:
        raise InputError(f'{file}: not a readable OSF file ({error})', 'bad_file') from error


def _points(scan: Any, table: Any) -> Points:
    """One turn of the sensor; intensity is the calibrated reflectivity."""
    distance = scan.field('RANGE')
    seen = distance > 0
    xyz = table(scan)[seen]
    columns = np.asarray(scan.timestamp, np.int64)
    stamp = int(columns[columns > 0].min(initial=np.iinfo(np.int64).max, where=True))
    age = np.broadcast_to((columns - stamp) * 1e-9, distance.shape)[seen]
    reflectivity = scan.field('REFLECTIVITY')[seen] / LARGEST_REFLECTIVITY
    return Points(xyz.astype(np.float32), np.minimum(reflectivity, 1).astype(np.float32),
                  age.astype(np.float32), FRAME_ID, stamp)
