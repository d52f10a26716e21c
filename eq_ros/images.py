"""Strict reading of ``sensor_msgs/Image`` and ``CameraInfo`` into a view.

Works on any objects with the attributes of the messages, so it needs no ROS. Every lie is an
InputError with the reason `bad_image` that names the value: a pick from a wrong image is worse
than none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.rgbd import RgbdView
from eq_ros.raw_fields import raw_bytes
from eq_ros.raw_fields import whole_number

BAD = 'bad_image'
# REP-118: millimetres or metres along the optical axis
DEPTH_UNITS = {'16UC1': ('u2', 1e-3), '32FC1': ('f4', 1.)}
# Channels of a pixel, and which of them are red, green and blue
COLOR_CHANNELS = {'rgb8': (3, (0, 1, 2)), 'bgr8': (3, (2, 1, 0)), 'rgba8': (4, (0, 1, 2)),
                  'bgra8': (4, (2, 1, 0)), 'mono8': (1, (0, 0, 0))}
FARTHEST = 1000.    # [m]; depths beyond it say nothing
BLACK = 8.5 / 255   # no pixel of a covered lens is brighter
UNDISTORTED = 1e-3  # largest coefficient that moves no pixel by a part that matters

Float = NDArray[np.float32]
Double = NDArray[np.float64]


def decode_view(depth: Any, color: Any, info: Any, rectified: bool = False) -> RgbdView:
    """Reads a depth image, the colour image it is registered to, and their camera.

    Args:
        depth: With the attributes of ``sensor_msgs/Image``; 0, NaN, infinite and negative depths
            are pixels where nothing is seen.
        color: Likewise, of the same size and frame.
        info: With the attributes of ``sensor_msgs/CameraInfo``.
        rectified: Whether the images are rectified, so that P holds; else K does, and there must
            be no distortion.

    Returns:
        The view in the camera's own frame: its pose is the identity.

    Raises:
        InputError: A message is not what it says, they do not belong together, or there is
            nothing to see (`bad_image`); a frame is missing or another one (`frame`).
    """
    frame_id = _common_frame(depth, color, info)
    far, seen = decode_depth(depth), decode_color(color)
    if far.shape != seen.shape[:2]:
        raise InputError(f'the depth image is {_size(far)}, the colour image {_size(seen)}: depth '
                         'must be registered to colour', BAD)
    intrinsics = decode_camera(info, far.shape, rectified)
    stamp = depth.header.stamp.sec * 10**9 + depth.header.stamp.nanosec
    return RgbdView(seen, far, intrinsics, np.eye(4), frame_id, stamp)


def decode_depth(message: Any) -> Float:
    """Reads a depth image.

    Returns:
        (H, W) float32 [m], NaN where nothing is seen.

    Raises:
        InputError: It is not what it says, or nothing is seen at all (`bad_image`).
    """
    if message.encoding not in DEPTH_UNITS:
        raise InputError(f"encoding of the depth image is '{message.encoding}', expected one of "
                         f'{", ".join(DEPTH_UNITS)}', BAD)
    kind, unit = DEPTH_UNITS[message.encoding]
    raw = _pixels(message, 'the depth image', kind, 1)[..., 0]
    with np.errstate(invalid='ignore'):
        usable = (raw > 0) & (raw <= FARTHEST / unit)
    if not usable.any():
        raise InputError('no pixel of the depth image is seen: all are 0, not finite, negative or '
                         f'beyond {FARTHEST:g} m', BAD)
    return np.where(usable, raw, np.nan).astype(np.float32) * np.float32(unit)


def decode_color(message: Any) -> Float:
    """Reads a colour image; a grey one has three equal channels.

    Returns:
        (H, W, 3) float32 red, green, blue in [0, 1].

    Raises:
        InputError: It is not what it says, or black (`bad_image`).
    """
    if message.encoding not in COLOR_CHANNELS:
        raise InputError(f"encoding of the colour image is '{message.encoding}', expected one of "
                         f'{", ".join(COLOR_CHANNELS)}', BAD)
    channels, order = COLOR_CHANNELS[message.encoding]
    raw = _pixels(message, 'the colour image', 'u1', channels)[..., list(order)]
    color = raw.astype(np.float32) / np.float32(255)
    refuse_black(color, 'the colour image')
    return color


def refuse_black(color: Float, name: str) -> None:
    """Refuses what a covered lens or a camera without light shows.

    Args:
        color: (..., 3) in [0, 1].
        name: What it is.

    Raises:
        InputError: Nothing is brighter than noise (`bad_image`).
    """
    brightest = float(color.max(initial=0))
    if brightest <= BLACK:
        raise InputError(f'{name} is black: nothing is brighter than {brightest * 255:.0f} of 255',
                         BAD)


def decode_camera(info: Any, shape: tuple[int, ...], rectified: bool = False) -> Double:
    """Reads a pinhole camera.

    Args:
        info: With the attributes of ``sensor_msgs/CameraInfo``.
        shape: Rows and columns of the images.
        rectified: Whether P holds and distortion is gone; else K holds.

    Returns:
        (3, 3) float64 intrinsics [pixels].

    Raises:
        InputError: It is of another size, is not calibrated, looks at a part of the sensor, or
            distorts what is not said to be rectified (`bad_image`).
    """
    size = whole_number(info, 'height', BAD), whole_number(info, 'width', BAD)
    if size != tuple(shape):
        raise InputError(f'camera_info is of {size[1]} x {size[0]} pixels, the images have '
                         f'{shape[1]} x {shape[0]}', BAD)
    _refuse_parts(info, size)
    matrix = np.array([*info.p] if rectified else [*info.k], np.float64)
    name, matrix = ('P', matrix.reshape(3, 4)) if rectified else ('K', matrix.reshape(3, 3))
    focal = matrix[[0, 1], [0, 1]]
    if not np.isfinite(matrix).all() or not (focal > 0).all():
        raise InputError(f'{name} of camera_info must be finite with positive focal lengths, got '
                         f'{matrix.reshape(-1).tolist()}', BAD)
    left = matrix[:, :3].copy()
    left[[0, 1], [0, 1]] = 1
    left[:2, 2] = 0
    if not np.array_equal(left, np.eye(3)) or matrix[:, 3:].any():
        raise InputError(f'{name} of camera_info must be that of a pinhole camera without skew or '
                         f'baseline, got {matrix.reshape(-1).tolist()}', BAD)
    if not rectified:
        _refuse_distortion(info)
    return np.ascontiguousarray(matrix[:, :3])


def _refuse_parts(info: Any, size: tuple[int, int]) -> None:
    """Refuses binning and regions, of which the matrices know nothing."""
    binning = int(info.binning_x), int(info.binning_y)
    if max(binning) > 1:
        raise InputError(f'camera_info tells of binning {binning[0]} x {binning[1]}, expected '
                         'none', BAD)
    region = info.roi
    corner = int(region.x_offset), int(region.y_offset)
    part = int(region.height), int(region.width)
    if any(corner) or part not in ((0, 0), size):
        raise InputError(f'camera_info tells of a region of {part[1]} x {part[0]} pixels at '
                         f'{corner}, expected the whole image', BAD)


def _refuse_distortion(info: Any) -> None:
    """Refuses what a pinhole camera does not see."""
    coefficients = np.array([*info.d], np.float64)
    model = str(info.distortion_model)
    if not np.isfinite(coefficients).all() or (
            np.abs(coefficients) > UNDISTORTED).any() or model == 'equidistant':
        raise InputError(
            f"camera_info tells of distortion ('{model}', {coefficients.tolist()}): rectified "
            "images are needed, with the parameter 'rectified' if these are", BAD)


def _pixels(message: Any, name: str, kind: str, channels: int) -> NDArray[Any]:
    """(H, W, C) view of the data, once its sizes are what they must be."""
    height, width = whole_number(message, 'height', BAD), whole_number(message, 'width', BAD)
    step = whole_number(message, 'step', BAD)
    if not height or not width:
        raise InputError(f'{name} has {width} x {height} pixels', BAD)
    order = whole_number(message, 'is_bigendian', BAD)
    if order > 1:
        raise InputError(f'is_bigendian of {name} is {order}, expected 0 or 1', BAD)
    dtype = np.dtype(('>' if order else '<') + kind)
    pixel = channels * dtype.itemsize
    if step < width * pixel:
        raise InputError(f'step {step} of {name} is too short for {width} pixels of {pixel} '
                         'bytes', BAD)
    data = raw_bytes(message.data, BAD)
    if data.nbytes != height * step:
        raise InputError(f'{height} rows of {step} bytes of {name} need {height * step} bytes of '
                         f'data, got {data.nbytes}', BAD)
    return np.ndarray((height, width, channels), dtype, data, 0, (step, pixel, dtype.itemsize))


def _common_frame(*messages: Any) -> str:
    """The frame of all messages."""
    frames = [str(message.header.frame_id) for message in messages]
    if not all(frames):
        raise InputError('an image or its camera_info has no frame_id', 'frame')
    if len(set(frames)) > 1:
        raise InputError(f'depth, colour and camera_info must be in one frame, got {frames}: '
                         'depth must be registered to colour', 'frame')
    return frames[0]


def _size(image: NDArray[Any]) -> str:
    return f'{image.shape[1]} x {image.shape[0]} pixels'
