"""Where the shipped model lies."""

from __future__ import annotations

from pathlib import Path

from eq_core.errors import ConfigError
from eq_ros.transport import shared_file

SHIPPED_MODEL = 'models/lidar_detector/manifest.json'


def model_folder() -> Path | None:
    """Folder of the shipped model, None where there is none."""
    try:
        return shared_file(SHIPPED_MODEL).parent
    except ConfigError:
        return None
