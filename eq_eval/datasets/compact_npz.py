"""Scans as compressed numpy columns: coordinates in millimetres or metres."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
import zlib

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.files import numbered_files
from eq_eval.datasets.files import require
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.rellis import semantic_of
from eq_eval.datasets.scan import LabeledScan

SCAN_PERIOD = 100_000_000  # [ns]; ten scans a second where nothing else is known


def load_columns(path: Path) -> dict[str, NDArray[Any]]:
    """All columns of an archive, flattened row by row.

    Raises:
        InputError: The archive is missing or damaged, or its columns differ in length.
    """
    try:
        with np.load(require(path), allow_pickle=False) as archive:
            columns = {name: archive[name].reshape(-1) for name in archive.files}
    except (BadZipFile, ValueError, OSError, EOFError, KeyError, zlib.error) as error:
        size = path.stat().st_size
        raise InputError(f'{path} ({size} bytes) is damaged: {error}', 'bad_file') from error
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f'{path}: columns of different lengths {lengths}', 'bad_file')
    return columns


def points_of(columns: Mapping[str, NDArray[Any]], source: Path, stamp: int = 0,
              frame_id: str = 'velodyne') -> Points:
    """Builds a scan from columns.

    Args:
        columns: `x_mm y_mm z_mm` or `x y z` [m]; `intensity_pct` (0..100) or `intensity` (integers
            0..255, floats 0..1); `offset_ns`, time since `stamp` [ns]. Others are left alone.
        source: The file, for the text of an error.
        stamp: Time of the scan [ns].
        frame_id: Frame of the coordinates.

    Raises:
        InputError: Coordinates are missing.
    """
    names = [name + '_mm' for name in 'xyz'] if 'x_mm' in columns else list('xyz')
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(f'{source}: no column {missing}, found {sorted(columns)}',
                         'missing_field')
    scale = 1000. if 'x_mm' in columns else 1.
    xyz = np.stack([columns[name].astype(np.float64) / scale for name in names], 1)
    times = columns.get('offset_ns')
    return Points(
        xyz.astype(np.float32), _intensity(columns, len(xyz)),
        np.zeros(len(xyz), np.float32) if times is None else (times * 1e-9).astype(np.float32),
        frame_id, stamp)


def load_points(path: Path, stamp: int = 0, frame_id: str = 'velodyne') -> Points:
    """Reads one scan; see `points_of`."""
    return points_of(load_columns(path), path, stamp, frame_id)


def open_folder(folder: Path, skip_bad: bool = False) -> Recording:
    """Opens a folder of scans; points at the origin are non-returns and left out.

    A column `label` holds the classes of RELLIS-3D.

    Raises:
        InputError: There is no scan.
    """
    def read(index: int, path: Path) -> LabeledScan:
        columns = load_columns(path)
        points = points_of(columns, path, index * SCAN_PERIOD)
        returned = np.asarray(points.xyz.any(1))
        label = columns.get('label')
        return LabeledScan(
            points.select(returned), np.eye(4),
            semantic=None if label is None else semantic_of(label[returned], path),
            sequence=folder.name, index=index)
    files = numbered_files(folder, '*.npz')
    return Recording(folder.name, 'npz', len(files), read_each(files, read, skip_bad))


def _intensity(columns: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.float32]:
    """Intensity in [0, 1]; zeros where there is none."""
    if 'intensity_pct' in columns:
        return (columns['intensity_pct'] / 100).astype(np.float32).clip(0, 1)
    raw = columns.get('intensity')
    if raw is None:
        return np.zeros(count, np.float32)
    scale = 255. if raw.dtype.kind in 'iu' or raw.max(initial=0.) > 1 else 1.
    return (raw / scale).astype(np.float32).clip(0, 1)
