"""PCD files (Point Cloud Library, version 0.7): ascii, binary and binary_compressed, also gzipped.

The format is described in the library's documentation, "The PCD (Point Cloud Data) file format".
"""

from __future__ import annotations

from dataclasses import dataclass
import gzip
from pathlib import Path
import zlib

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.compact_npz import SCAN_PERIOD
from eq_eval.datasets.files import require
from eq_eval.datasets.lzf import decompress
from eq_eval.datasets.recording import read_each
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

_TYPES = {'F': 'f', 'U': 'u', 'I': 'i'}
_SUFFIXES = ('.pcd', '.pcd.gz')
FRAME_ID = 'lidar'
_INTENSITY = ('intensity', 'i', 'reflectivity')


@dataclass(frozen=True, eq=False)
class PcdHeader:
    """What a file says of itself.

    Attributes:
        record: One point, fields packed.
        count: Points.
        encoding: ``'ascii'``, ``'binary'`` or ``'binary_compressed'``.
        length: Bytes of the header.
    """

    record: np.dtype[np.void]
    count: int
    encoding: str
    length: int


def pcd_files(path: Path) -> list[Path]:
    """The file itself, or the PCD files of a folder in the order of their names."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir() if file.name.endswith(_SUFFIXES))


def open_pcd(path: Path, skip_bad: bool = False) -> Recording:
    """Opens a PCD file or a folder of them; a number as a name is the stamp [ns].

    Raises:
        InputError: There is no such file.
    """
    files = pcd_files(require(path))
    if not files:
        raise InputError(f'{path} holds no *.pcd', 'missing_file')

    name = path.name.split('.')[0]

    def read(index: int, file: Path) -> LabeledScan:
        number = file.name.split('.')[0]
        stamp = int(number) if number.isdigit() and len(number) >= 16 else index * SCAN_PERIOD
        return LabeledScan(load_pcd(file, stamp), np.eye(4), sequence=name, index=index)

    return Recording(name, 'pcd', len(files), read_each(files, read, skip_bad))


def load_pcd(path: Path, stamp: int = 0) -> Points:
    """Reads a scan; points that are not finite are left out.

    Raises:
        InputError: The file is missing, damaged or of an unknown form.
    """
    table = read_table(path)
    names = table.dtype.names or ()
    if any(name not in names for name in 'xyz'):
        raise InputError(f'{path}: fields {names}, expected x y z', 'missing_field')
    xyz = np.stack([table[name].astype(np.float32) for name in 'xyz'], 1)
    intensity = next((table[name] for name in _INTENSITY if name in names),
                     np.zeros(len(xyz), np.float32))
    scale = 255. if intensity.dtype.kind in 'iu' or intensity.max(initial=0.) > 1 else 1.
    points = Points.from_xyz(xyz, (intensity / scale).astype(np.float32).clip(0, 1), FRAME_ID,
                             stamp)
    return points.select(np.asarray(np.isfinite(xyz).all(1)))


def read_table(path: Path) -> NDArray[np.void]:
    """Reads all fields.

    Returns:
        (N,) structured array.

    Raises:
        InputError: The file is missing, damaged or of an unknown form.
    """
    try:
        data = require(path).read_bytes()
        data = gzip.decompress(data) if path.suffix == '.gz' else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f'{path}: {error}', 'bad_file') from error
    header = read_header(data, path)
    body = data[header.length:]
    try:
        if header.encoding == 'ascii':
            return _from_text(body, header)
        if header.encoding == 'binary_compressed':
            return _from_compressed(body, header)
        return np.frombuffer(body, header.record, header.count)
    except (ValueError, InputError) as error:
        raise InputError(f'{path} ({len(data)} bytes, {header.count} points of '
                         f'{header.record.itemsize} bytes): {error}', 'bad_file') from error


def read_header(data: bytes, path: Path) -> PcdHeader:
    """Reads the header.

    Raises:
        InputError: An entry is missing or contradicts another.
    """
    entries: dict[str, list[str]] = {}
    length = 0
    while 'DATA' not in entries:
        end = data.find(b'\n', length, length + 10000)
        if end < 0:
            raise InputError(f'{path}: no DATA line, is this a PCD file?', 'bad_file')
        words = data[length:end].decode('ascii', 'replace').split()
        length = end + 1
        if words and not words[0].startswith('#'):
            entries[words[0]] = words[1:]
    try:
        names, kinds = entries['FIELDS'], entries['TYPE']
        sizes = [int(word) for word in entries['SIZE']]
        repeats = [int(word) for word in entries.get('COUNT', ['1'] * len(names))]
        count, encoding = int(entries['POINTS'][0]), entries['DATA'][0]
        fields = [(f'_pad{position}' if name == '_' else name,
                   f'<{_TYPES[kind]}{size}', *(() if repeat == 1 else ((repeat,),)))
                  for position, (name, kind, size, repeat)
                  in enumerate(zip(names, kinds, sizes, repeats, strict=True))]
        record = np.dtype(fields)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(f'{path}: bad header entry {error}', 'bad_file') from error
    if encoding not in ('ascii', 'binary', 'binary_compressed') or count < 0:
        raise InputError(f'{path}: {count} points as {encoding!r}', 'bad_file')
    return PcdHeader(record, count, encoding, length)


def _from_text(body: bytes, header: PcdHeader) -> NDArray[np.void]:
    """One line a point."""
    words = np.array(body.split(), np.float64)
    width = sum(int(np.prod(header.record[name].shape)) for name in header.record.names or ())
    if len(words) != header.count * width:
        raise InputError(f'{len(words)} numbers, expected {header.count * width}')
    columns = words.reshape(header.count, width)
    table = np.zeros(header.count, header.record)
    start = 0
    for name in header.record.names or ():
        shape = header.record[name].shape
        stop = start + int(np.prod(shape))
        table[name] = columns[:, start:stop].reshape(header.count, *shape)
        start = stop
    return table


def _from_compressed(body: bytes, header: PcdHeader) -> NDArray[np.void]:
    """Field after field, each with all points, compressed as one block."""
    if len(body) < 8:
        raise InputError('the sizes of the compressed block are cut off')
    packed, size = np.frombuffer(body, '<u4', 2).tolist()
    if size != header.count * header.record.itemsize or len(body) < 8 + packed:
        raise InputError(f'a block of {packed} bytes for {size}, {len(body) - 8} are there')
    flat = decompress(body[8:8 + packed], size)
    table = np.zeros(header.count, header.record)
    start = 0
    for name in header.record.names or ():
        field = header.record[name]
        table[name] = np.frombuffer(flat, field.base, header.count * int(np.prod(field.shape)),
                                    start).reshape(header.count, *field.shape)
        start += header.count * field.itemsize
    return table
