"""Colours of the report: points by height, boxes by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Height ramp on a night-blue ground: indigo over grey to sand, which leaves the bright hues to the
# boxes.
_RAMP = ((0.00, (50, 64, 122)), (0.18, (66, 84, 146)), (0.38, (98, 108, 158)),
         (0.58, (146, 136, 164)), (0.78, (206, 180, 162)), (1.00, (250, 236, 206)))
BACKGROUND = '#0b1020'
CLASS_COLOURS = {'car': '#4cc9f0', 'truck': '#ffb454', 'pedestrian': '#ff5d8f',
                 'cyclist': '#b8f04c'}
_OTHER = '#d0a8ff'
TRUTH = '#ffffff'
LEVELS, SHADES = 28, 6  # heights x brightness; with the transparent entry below 256 colours
HEIGHT_RANGE = (-0.3, 4.0)  # above ground [m]


def class_colour(name: str) -> str:
    """Colour of the boxes of one class."""
    return CLASS_COLOURS.get(name, _OTHER)


def point_palette() -> NDArray[np.uint8]:
    """Colours of points.

    Returns:
        (1 + LEVELS * SHADES, 3) uint8; entry 0 is the (transparent) ground, then all shades of
        the lowest level, and so on.
    """
    stops, colours = zip(*_RAMP, strict=True)
    level = np.linspace(0, 1, LEVELS)
    ramp = np.stack([np.interp(level, stops, channel)
                     for channel in np.array(colours, float).T], axis=1)
    shade = np.linspace(0.72, 1.38, SHADES)
    table = np.clip(ramp[:, None, :] * shade[None, :, None], 0, 255).reshape(-1, 3)
    return np.concatenate([np.zeros((1, 3)), table]).round().astype(np.uint8)


def point_index(height: NDArray[np.floating], brightness: NDArray[np.floating],
                ) -> NDArray[np.uint8]:
    """Palette entry of each point.

    Args:
        height: (N,) height above ground [m].
        brightness: (N,) in [0, 1].

    Returns:
        (N,) uint8 from 1; higher points have higher entries.
    """
    low, high = HEIGHT_RANGE
    level = np.clip((height - low) / (high - low), 0, 1) * (LEVELS - 1)
    shade = np.clip(brightness, 0, 1) * (SHADES - 1)
    return (1 + np.round(level) * SHADES + np.round(shade)).astype(np.uint8)


def height_gradient() -> list[tuple[float, str]]:
    """Stops (position, colour) of the ramp for a legend."""
    return [(stop, '#{:02x}{:02x}{:02x}'.format(*colour)) for stop, colour in _RAMP]
