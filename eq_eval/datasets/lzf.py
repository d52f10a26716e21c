"""Decompression of LZF, which compressed PCD files use.

Format of Marc Lehmann's liblzf: a control byte below 32 announces that many + 1 literal bytes,
any other a copy of 3 .. 264 bytes from up to 8192 bytes back.
"""

from __future__ import annotations

from eq_core.errors import InputError


def decompress(data: bytes, size: int) -> bytes:
    """Unpacks one block.

    Args:
        data: Compressed bytes.
        size: Bytes that must come out.

    Raises:
        InputError: The data are damaged.
    """
    out = bytearray()
    position, end = 0, len(data)
    try:
        while position < end:
            control = data[position]
            position += 1
            if control < 32:
                out += data[position:position + control + 1]
                position += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[position]
                position += 1
            start = len(out) - ((control & 31) << 8) - data[position] - 1
            position += 1
            _copy(out, start, length + 2)
    except IndexError as error:
        raise InputError('LZF data end too early', 'bad_file') from error
    if len(out) != size:
        raise InputError(f'LZF data give {len(out)} bytes, expected {size}', 'bad_file')
    return bytes(out)


def _copy(out: bytearray, start: int, length: int) -> None:
    """Appends `length` bytes from `start`, which may reach into what is being written."""
    if start < 0:
        raise InputError('LZF data refer to bytes before their start', 'bad_file')
    piece = out[start:start + length]
    while len(piece) < length:
        piece += piece[:length - len(piece)]
    out += piece
