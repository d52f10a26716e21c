"""One face for all viewers, and how they are opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from eq_core.errors import ConfigError
from eq_eval.viewers.things import Item


@dataclass(frozen=True)
class Options:
    """Where a viewer shows things.

    Attributes:
        host: Address that is listened at.
        port: Port of it; that which the viewer has by default if 0.
        save: File that all is written to instead.
    """

    host: str = '127.0.0.1'
    port: int = 0
    save: Path | None = None


class Viewer(Protocol):
    """Shows things until it is closed."""

    where: str      # how a user comes to see them

    def show(self, topic: str, item: Item) -> None:
        """Shows what came on a topic, in place of what came on it before."""

    def close(self) -> None:
        """Shows nothing any more; a file is complete afterwards."""


def open_viewer(name: str, options: Options = Options()) -> Viewer:
    """Opens a viewer.

    Args:
        name: One of `VIEWERS`.
        options: Where it shows things.

    Raises:
        ConfigError: There is none of that name, or its package is not installed.
    """
    if name not in VIEWERS:
        raise ConfigError(f'viewer must be one of {", ".join(VIEWERS)}, got {name!r}')
    module, package, make = VIEWERS[name]
    if find_spec(module) is None:
        raise ConfigError(f'the viewer {name} needs {package}: '
                          f'pip install -c requirements/lock.txt {package}')
    return make(options)


def _foxglove(options: Options) -> Viewer:
    from eq_eval.viewers.foxglove_viewer import FoxgloveViewer
    return FoxgloveViewer(options)


def _rerun(options: Options) -> Viewer:
    from eq_eval.viewers.rerun_viewer import RerunViewer
    return RerunViewer(options)


# Module, package and maker of each
VIEWERS: dict[str, tuple[str, str, Callable[[Options], Viewer]]] = {
    'foxglove': ('foxglove', 'foxglove-sdk', _foxglove),
    'rerun': ('rerun', 'rerun-sdk', _rerun)}
