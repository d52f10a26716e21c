"""Stands in for ROS launch where it is not installed: keeps what a launch file describes."""

from __future__ import annotations

from pathlib import Path
import runpy
import sys
from types import ModuleType
from typing import Any
from unittest.mock import patch


class Described:
    """An action or substitution: its kind and what it was made of."""

    kind = ''

    def __init__(self, *values: Any, **options: Any) -> None:
        self.values, self.options = values, options

    def all(self) -> list[Described]:
        """This one and all inside it."""
        return [self, *inside([*self.values, *self.options.values()])]

    def text(self) -> str:
        """Itself as it would be where every argument has a plain name."""
        parts = self.values[0] if isinstance(self.values[0], list) else list(self.values[:1])
        between = '/' if self.kind == 'PathJoinSubstitution' else ''
        return between.join(words(part) for part in parts)


def inside(value: Any) -> list[Described]:
    """All that is described in a nest of lists and dictionaries."""
    if isinstance(value, Described):
        return value.all()
    if isinstance(value, dict):
        value = list(value.values())
    return [each for item in value for each in inside(item)
            ] if isinstance(value, list | tuple | type({}.items())) else []


def words(value: Any) -> str:
    """Text of a word, a substitution, or a list of both."""
    if isinstance(value, list):
        return ''.join(words(each) for each in value)
    return value.text() if isinstance(value, Described) else str(value)


def module(name: str) -> ModuleType:
    """A module that has whatever one asks it for."""
    made = ModuleType(name)
    made.__getattr__ = lambda kind: type(kind, (Described,), {'kind': kind})  # type: ignore
    made.__path__ = []
    return made


def describe(path: Path) -> list[Described]:
    """All that a launch file describes."""
    names = ('launch', 'launch.actions', 'launch.conditions', 'launch.substitutions',
             'launch.launch_description_sources', 'launch_ros', 'launch_ros.actions',
             'launch_ros.substitutions')
    stubs = {name: module(name) for name in names}
    stubs['launch'].actions = stubs['launch.actions']   # type: ignore[attr-defined]
    with patch.dict(sys.modules, stubs):
        return runpy.run_path(str(path))['generate_launch_description']().all()
