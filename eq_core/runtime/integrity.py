"""What is checked about the bytes of a bundle before anything is made of them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any
import zipfile

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BundleError

PICKLE_SUFFIXES = ('.pt', '.pth', '.pkl', '.pickle', '.ckpt', '.joblib')
PICKLE_HINT = ('pickles can run any code when they are loaded and are refused; load the file '
               'where you trust it and write a bundle with eq_core.runtime.write_bundle')


def digest(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(data: dict[str, Any]) -> bytes:
    """The only spelling of a manifest that is accepted, so that no byte of it can change unseen.

    Raises:
        BundleError: A value has no JSON form (NaN, arrays, objects).
    """
    try:
        text = json.dumps(data, indent=2, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(f'the manifest cannot be written as JSON: {error}') from error
    return (text + '\n').encode('ascii')


def refuse_pickle_name(path: Path) -> None:
    """Refuses a file whose name says that it is a pickle."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise BundleError(f'{path}: expected a bundle directory without pickles, found '
                          f'{path.suffix}: {PICKLE_HINT}')


def refuse_pickle_bytes(path: Path, data: bytes) -> None:
    """Refuses a file whose bytes are a pickle, bare or inside a zip archive (`torch.save`)."""
    bare = len(data) > 1 and data[0] == 0x80 and data[1] in (2, 3, 4, 5)
    if bare or _holds_pickle(data):
        raise BundleError(f'{path}: expected {path.suffix or "plain"} data, found a pickle: '
                          f'{PICKLE_HINT}')


def read_weights(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    """Reads safetensors and refuses weights that are not finite.

    Raises:
        BundleError: The file is malformed or holds NaN or infinity.
    """
    from safetensors import SafetensorError
    import safetensors.numpy
    try:
        weights: dict[str, NDArray[Any]] = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f'{path}: expected safetensors, found {one_line(error)}') from error
    refuse_not_finite(path, weights)
    return weights


def read_arrays(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    """Reads an npz archive without pickles and refuses numbers that are not finite.

    Raises:
        BundleError: The file is malformed, holds objects, NaN or infinity.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (AttributeError, EOFError, KeyError, NotImplementedError, OSError, ValueError,
            zipfile.BadZipFile) as error:
        raise BundleError(f'{path}: expected an npz archive, found {one_line(error)}') from error
    refuse_not_finite(path, arrays)
    return arrays


def refuse_not_finite(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuses NaN and infinity, naming the first array that holds one."""
    for name, array in arrays.items():
        if array.dtype.kind == 'f' and not np.isfinite(array).all():
            count = int(np.size(array) - np.isfinite(array).sum())
            raise BundleError(f'{path}: expected finite numbers, found {count} NaN or infinite '
                              f'in {name!r}')


def one_line(error: Exception) -> str:
    """The text of an exception on one line of at most 300 characters."""
    return ' '.join(f'{type(error).__name__}: {error}'.split())[:300]


def _holds_pickle(data: bytes) -> bool:
    if not data.startswith(b'PK'):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith(PICKLE_SUFFIXES) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):  # or of a zip format that nobody writes
        return False
