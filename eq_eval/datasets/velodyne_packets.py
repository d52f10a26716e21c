"""Raw packets of Velodyne's VLP-16 and VLP-32C into points.

Velodyne, VLP-16 User Manual 63-9243 and VLP-32C User Manual 63-9325, chapter 9: a packet has 12
blocks of 100 bytes (flag 0xEEFF, azimuth in 1/100 degree, 32 returns of 2 bytes distance and 1
byte reflectivity), then a time stamp in microseconds after the full hour and two factory bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.points import Points

PACKET_BYTES = 1206
DUAL_RETURN = 0x39
FIRING_CYCLE = 55.296e-6  # [s] between two firings of the same laser
LASER_CYCLE = 2.304e-6    # [s] between two lasers of one firing
MIN_RANGE = 0.1           # [m]; a distance of 0 means no return

_BLOCK = np.dtype([('flag', '<u2'), ('azimuth', '<u2'),
                   ('channel', [('distance', '<u2'), ('reflectivity', 'u1')], 32)])
_PACKET = np.dtype([('block', _BLOCK, 12), ('time', '<u4'), ('mode', 'u1'), ('product', 'u1')])


@dataclass(frozen=True, eq=False)
class VelodyneModel:
    """Geometry and timing of a sensor.

    Attributes:
        name: Name of the model.
        distance_unit: Metres per count.
        elevation: (L,) of the lasers in firing order [rad].
        azimuth_offset: (L,) clockwise offset of the lasers [rad].
        firing_time: (32,) time of each channel of a block after the block's first [s].
        block_time: Time from one block to the next [s].
    """

    name: str
    distance_unit: float
    elevation: NDArray[np.float64]
    azimuth_offset: NDArray[np.float64]
    firing_time: NDArray[np.floating]
    block_time: float


def _vlp16() -> VelodyneModel:
    """16 lasers 2 degrees apart, fired twice in a block."""
    elevation = np.radians([-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15.])
    time = np.arange(16) * LASER_CYCLE
    return VelodyneModel('VLP-16', 0.002, np.tile(elevation, 2), np.zeros(32),
                         np.concatenate([time, time + FIRING_CYCLE]), 2 * FIRING_CYCLE)


def _vlp32() -> VelodyneModel:
    """32 lasers, denser around the horizon and staggered in azimuth, fired in pairs."""
    elevation = np.radians([
        -25, -1, -1.667, -15.639, -11.31, 0, -0.667, -8.843, -7.254, 0.333, -0.333, -6.148,
        -5.333, 1.333, 0.667, -4, -4.667, 1.667, 1, -3.667, -3.333, 3.333, 2.333, -2.667, -3, 7,
        4.667, -2.333, -2, 15, 10.333, -1.333])
    offset = np.radians([
        1.4, -4.2, 1.4, -1.4, 1.4, -1.4, 4.2, -1.4, 1.4, -4.2, 1.4, -1.4, 4.2, -1.4, 4.2, -1.4,
        1.4, -4.2, 1.4, -4.2, 4.2, -1.4, 1.4, -1.4, 1.4, -1.4, 1.4, -4.2, 4.2, -1.4, 1.4, -1.4])
    time = np.arange(32) // 2 * LASER_CYCLE
    return VelodyneModel('VLP-32C', 0.004, elevation, offset, time, FIRING_CYCLE)


MODELS = {0x22: _vlp16(), 0x28: _vlp32()}


def decode_packets(packets: Sequence[bytes], frame_id: str = 'velodyne',
                   stamp: int = 0) -> Points:
    """Turns the packets of one scan into points.

    Args:
        packets: 1206 bytes each, in the order of arrival.
        frame_id: Name of the sensor's frame.
        stamp: Time of the first packet [ns].

    Returns:
        Points with x forward (azimuth 0), y left, z up; `time_offset` from the first packet.

    Raises:
        InputError: A packet has another size, a bad flag, or comes from an unknown model.
    """
    if not packets:
        return Points.from_xyz(np.zeros((0, 3), np.float32), None, frame_id, stamp)
    sizes = {len(packet) for packet in packets}
    if sizes != {PACKET_BYTES}:
        raise InputError(f'packets of {sorted(sizes)} bytes, expected {PACKET_BYTES}',
                         'bad_packet')
    table = np.frombuffer(b''.join(packets), _PACKET)
    model = MODELS.get(int(table['product'][0]))
    if model is None or (table['product'] != table['product'][0]).any():
        raise InputError(f'packets of product {sorted(set(table["product"].tolist()))}, expected '
                         f'one of {sorted(MODELS)} (VLP-16, VLP-32C)', 'bad_packet')
    if (table['block']['flag'] != 0xEEFF).any():
        raise InputError('a block without the flag 0xEEFF', 'bad_packet')
    return _points(table, model, frame_id, stamp)


def _points(table: NDArray[np.void], model: VelodyneModel, frame_id: str, stamp: int) -> Points:
    """Spherical to Cartesian for all returns at once."""
    dual = int(table['mode'][0]) == DUAL_RETURN
    block = table['block']
    distance = block['channel']['distance'] * model.distance_unit      # (P, 12, 32)
    azimuth = _azimuths(block['azimuth'], model, dual)
    returned = distance > MIN_RANGE
    if dual:
        # The odd blocks repeat the even ones where there was one return only.
        returned[:, 1::2] &= distance[:, 1::2] != distance[:, ::2]
    cos = np.cos(model.elevation) * distance
    xyz = np.stack([cos * np.cos(azimuth), -cos * np.sin(azimuth),
                    np.sin(model.elevation) * distance], -1)
    index = np.arange(12) // 2 if dual else np.arange(12)
    # The counter starts again at the full hour.
    since = (table['time'].astype(np.int64) - int(table['time'][0])) % 3_600_000_000 * 1e-6
    time = since[:, None, None] + (index * model.block_time)[:, None] + model.firing_time
    return Points(xyz[returned].astype(np.float32),
                  (block['channel']['reflectivity'][returned] / 255).astype(np.float32),
                  time[returned].astype(np.float32), frame_id, stamp)


def _azimuths(raw: NDArray[np.uint16], model: VelodyneModel, dual: bool) -> NDArray[np.float64]:
    """(P, 12, 32) azimuth of every channel [rad], clockwise, moved on while the lasers fire."""
    azimuth = np.radians(raw / 100.)
    flat = azimuth[:, ::2].reshape(-1) if dual else azimuth.reshape(-1)
    step = np.diff(flat) % (2 * np.pi)
    # A step over a lost packet would smear its last block.
    step[step > 2 * np.median(step) + 1e-3] = np.median(step) if len(step) else 0.
    step = np.append(step, step[-1:] if len(step) else 0.)
    rate = (np.repeat(step.reshape(len(raw), -1), 2, axis=1) if dual
            else step.reshape(len(raw), -1)) / model.block_time
    turned: NDArray[np.float64] = (azimuth[..., None] + rate[..., None] * model.firing_time
                                   + model.azimuth_offset)
    return turned
