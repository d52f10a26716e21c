"""Tables with a header line, plain or compressed with gzip."""

from __future__ import annotations

from collections.abc import Sequence
import csv
import gzip
import io
from pathlib import Path
import zlib

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_eval.datasets.files import require


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Reads all rows.

    Args:
        path: ``.csv`` or ``.csv.gz``.
        columns: Names that must be there.

    Raises:
        InputError: The file is missing, damaged, or lacks a column.
    """
    try:
        raw = require(path).read_bytes()
        text = (gzip.decompress(raw) if path.suffix == '.gz' else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f'{path}: no column {missing}, found {reader.fieldnames}',
                         'missing_field')
    return list(reader)


def numbers(rows: Sequence[dict[str, str]], names: Sequence[str], path: Path,
            ) -> NDArray[np.float64]:
    """Columns of a table as numbers.

    Returns:
        (N, number of names) float64.

    Raises:
        InputError: A cell is no number.
    """
    try:
        return np.array([[float(row[name]) for name in names] for row in rows],
                        np.float64).reshape(-1, len(names))
    except (TypeError, ValueError) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error
