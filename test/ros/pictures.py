"""Images, cameras and coloured clouds as objects with the attributes of the messages."""

from __future__ import annotations

from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np

FRAME = 'camera_optical'
ORDERS = {'rgb8': (0, 1, 2), 'bgr8': (2, 1, 0), 'rgba8': (0, 1, 2, 3), 'bgra8': (2, 1, 0, 3),
          'mono8': (0,)}


def header(frame_id: str = FRAME, stamp: int = 10**9) -> Any:
    """A header."""
    return SimpleNamespace(frame_id=frame_id, stamp=SimpleNamespace(
        sec=stamp // 10**9, nanosec=stamp % 10**9))


def image(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False,
          frame_id: str = FRAME, stamp: int = 10**9) -> Any:
    """An image of (H, W, C) or (H, W) pixels with `padding` bytes after each row."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    raw = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder('>' if big else '<')))
    rows = [row.tobytes() + bytes([255] * padding) for row in raw]
    return SimpleNamespace(
        header=header(frame_id, stamp), height=pixels.shape[0], width=pixels.shape[1],
        encoding=encoding, is_bigendian=int(big), step=len(rows[0]) if rows else 0,
        data=array('B', b''.join(rows)))


def color_image(rgb: np.ndarray, encoding: str = 'rgb8', **options: Any) -> Any:
    """An image of (H, W, 3) uint8 red, green and blue."""
    alpha = np.full((*rgb.shape[:2], 1), 7, np.uint8)
    return image(np.concatenate([rgb, alpha], -1)[..., ORDERS[encoding]], encoding, **options)


def camera(width: int, height: int, focal: float = 50., **changes: Any) -> Any:
    """A camera without distortion that looks along its middle."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    values = {
        'header': header(), 'height': height, 'width': width, 'distortion_model': 'plumb_bob',
        'd': array('d', [0.] * 5), 'k': np.array([focal, 0, cx, 0, focal, cy, 0, 0, 1]),
        'r': np.eye(3).reshape(-1), 'p': np.array([focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1, 0]),
        'binning_x': 0, 'binning_y': 0, 'roi': SimpleNamespace(
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)}
    return SimpleNamespace(**{**values, **changes})


def colored_cloud(xyz: np.ndarray, rgb: np.ndarray, name: str = 'rgb', datatype: int = 7,
                  big: bool = False) -> Any:
    """A cloud of (N, 3) places with (N, 3) uint8 colours packed as PCL does."""
    order = '>' if big else '<'
    bits = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32) + (255 << 24)
    table = np.zeros(len(xyz), [(axis, f'{order}f4') for axis in 'xyz'] + [
        ('gap', 'u4'), (name, f'{order}u4')])
    for axis, column in zip('xyz', xyz.T, strict=True):
        table[axis] = column
    table[name] = bits
    fields = [SimpleNamespace(name=key, offset=offset, datatype=kind, count=1) for
              key, offset, kind in (('x', 0, 7), ('y', 4, 7), ('z', 8, 7), (name, 16, datatype))]
    return SimpleNamespace(
        header=header(), height=1, width=len(xyz), fields=fields, is_bigendian=big, point_step=20,
        row_step=20 * len(xyz), data=array('B', table.tobytes()), is_dense=False)
