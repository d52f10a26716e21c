"""Draws points into images with a palette, the only part of a picture that is not vector."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.points import Points
from eq_eval.report.palette import point_index
from eq_eval.report.palette import point_palette


def ground_height(points: Points) -> float:
    """A plain guess of where the ground is, good enough for colours [m]."""
    near = points.xyz[np.hypot(points.xyz[:, 0], points.xyz[:, 1]) < 25., 2]
    return float(np.percentile(near, 15)) if len(near) else 0.


def point_colours(points: Points) -> NDArray[np.uint8]:
    """Palette entry of every point: hue by height above ground, brightness by intensity.

    Returns:
        (N,) uint8.
    """
    if len(points) == 0:
        return np.zeros(0, np.uint8)
    # Intensities of sensors differ by orders; their rank is what a picture can show.
    top = float(np.percentile(points.intensity, 95)) or 1.
    brightness = np.sqrt(np.clip(points.intensity / top, 0, 1)) if top > 0 else points.intensity
    return point_index(points.xyz[:, 2] - ground_height(points), brightness)


def splat(image: NDArray[np.uint8], column: NDArray[np.floating], row: NDArray[np.floating],
          colour: NDArray[np.uint8], radius: int = 0) -> None:
    """Draws squares in the order of the arrays; later ones cover earlier ones.

    Args:
        image: (H, W) uint8 palette image, changed in place.
        column: (N,) horizontal position [px].
        row: (N,) vertical position [px], downward.
        colour: (N,) uint8 palette entry.
        radius: A square has 1 + radius pixels on each side.
    """
    height, width = image.shape
    for down in range(radius + 1):
        for right in range(radius + 1):
            u = np.floor(column).astype(np.int64) + right
            v = np.floor(row).astype(np.int64) + down
            inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
            image[v[inside], u[inside]] = colour[inside]


def png_uri(image: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> str:
    """Encodes a palette image with a transparent ground as a `data:` address.

    Args:
        image: (H, W) uint8 palette entries.
        palette: (C, 3) uint8 colours, entry 0 transparent; those of heights if None.
    """
    from PIL import Image

    picture = Image.fromarray(image)
    picture.putpalette((point_palette() if palette is None else palette).tobytes())
    return data_uri(picture, transparency=0)


def data_uri(picture: Any, **options: Any) -> str:
    """Encodes a picture of PIL as a `data:` address of a PNG; `options` are those of `save`."""
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG', optimize=True, **options)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode()
