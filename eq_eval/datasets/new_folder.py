"""A folder to write into that must not hold anything yet."""

from __future__ import annotations

from pathlib import Path

from eq_core.errors import ConfigError


def new_folder(path: Path) -> Path:
    """Makes a folder.

    Raises:
        ConfigError: There is something in it already, or it is a file.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f'{path} exists already and is not overwritten; expected a new or empty '
                          f'folder')
    path.mkdir(parents=True, exist_ok=True)
    return path
