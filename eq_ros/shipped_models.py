"""Where the models are that several nodes and commands open beside their own."""

from __future__ import annotations

from pathlib import Path

from eq_ros.transport import shared_file

NONE = 'none'


def heading_folder(name: str) -> Path | None:
    """The bundle that tells directions.

    Args:
        name: Its folder; empty for the shipped one, ``'none'`` for none.

    Raises:
        ConfigError: The shipped one is not there.
    """
    if name == NONE:
        return None
    return Path(name) if name else shared_file('models/heading_estimator/manifest.json').parent
