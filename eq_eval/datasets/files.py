"""Reading of files and folders with errors that name the file and its size."""

from __future__ import annotations

from pathlib import Path
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError


def require(path: Path) -> Path:
    """Returns `path` if it exists.

    Raises:
        InputError: It does not.
    """
    if not path.exists():
        raise InputError(f'{path} does not exist', 'missing_file')
    return path


def numbered_files(folder: Path, pattern: str) -> list[Path]:
    """Files that match, in natural order (scan_9 before scan_10).

    Raises:
        InputError: There is none.
    """
    found = sorted(require(folder).glob(pattern), key=_natural)
    if not found:
        raise InputError(f'{folder} holds no {pattern}', 'missing_file')
    return found


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: It cannot be read or is not text.
    """
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error


def read_array(path: Path, dtype: str, columns: int = 1) -> NDArray[Any]:
    """A binary file of equal records.

    Args:
        path: The file.
        dtype: Type of one number, such as ``'<f4'``.
        columns: Numbers in one record.

    Returns:
        (N,) or, with several columns, (N, columns).

    Raises:
        InputError: The file is missing or its size is not a multiple of a record's.
    """
    record = np.dtype(dtype).itemsize * columns
    size = require(path).stat().st_size
    if size % record:
        raise InputError(
            f'{path} has {size} bytes, not a multiple of {record}: truncated?', 'bad_file')
    values = np.fromfile(path, dtype)
    return values.reshape(-1, columns) if columns > 1 else values


def read_table(path: Path, columns: int) -> NDArray[np.float64]:
    """Rows of numbers separated by blanks.

    Returns:
        (N, columns) float64.

    Raises:
        InputError: A row has another length or holds something else.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError as error:
            raise InputError(f'{path}, line {number}: {error}', 'bad_file') from error
        if len(row) != columns:
            raise InputError(
                f'{path}, line {number}: {len(row)} numbers, expected {columns}', 'bad_file')
        rows.append(row)
    return np.array(rows).reshape(-1, columns)


def poses_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-major 3x4 matrices as homogeneous ones.

    Args:
        rows: (N, 12).

    Returns:
        (N, 4, 4).
    """
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows.reshape(-1, 3, 4)
    return poses


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """Key that sorts digits by their value."""
    return [(0, int(part)) if part.isdigit() else (1, part)
            for part in re.split(r'(\d+)', path.name)]
