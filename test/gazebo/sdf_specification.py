"""Element names and nesting of SDF files against the specification that libsdformat ships.

The parser of libsdformat copies what it does not know and calls the file valid, so that a misspelt
element goes unseen; this check sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
import xml.etree.ElementTree as ElementTree

VERSION = '1.9'
# What gz-sensors reads of a sensor beyond the specification
BEYOND = {'sensor': {'gz_frame_id'}}


@dataclass
class Rule:
    """What an element may hold.

    Attributes:
        attributes: Names of its attributes.
        children: Rules of its children, by name.
        free: Whether it may hold anything, as plugins do.
    """

    attributes: set[str] = field(default_factory=set)
    children: dict[str, Rule] = field(default_factory=dict)
    free: bool = False


def find_specification() -> Path | None:
    """The newest installed libsdformat's folder of the version; None if there is none."""
    found = sorted(Path('/usr/share').glob(f'sdformat*/{VERSION}'))
    return found[-1] if found else None


class Specification:
    """The rules of a version of SDF."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[str, Rule]] = {}
        root = self._file('root.sdf')[1]
        self.rules = Rule(children={'sdf': root})
        for name in ('world', 'model', 'actor', 'light'):
            root.children[name] = self._file(f'{name}.sdf')[1]

    def faults(self, path: Path) -> Iterator[str]:
        """What in a file the specification does not have."""
        yield from _faults(ElementTree.parse(path).getroot(), self.rules, 'file')

    def _file(self, name: str) -> tuple[str, Rule]:
        if name not in self._known:
            path = self._folder / name
            if not path.is_file():      # Debian leaves out that of navsat
                return path.stem, Rule(free=True)
            element, rule = ElementTree.parse(path).getroot(), Rule()
            self._known[name] = element.get('name', ''), rule   # before its children: models nest
            self._fill(rule, element, {element.get('name', ''): rule})
        return self._known[name]

    def _fill(self, rule: Rule, element: ElementTree.Element, outer: dict[str, Rule]) -> None:
        for child in element:
            name = child.get('name', '')
            if child.tag == 'attribute':
                rule.attributes.add(name)
            elif child.tag == 'include':
                included, inner = self._file(child.get('filename', ''))
                rule.children[included] = inner
            elif child.get('copy_data'):
                rule.free = True
            elif child.tag == 'element' and child.get('ref') in outer:
                rule.children[name] = outer[child.get('ref', '')]
            elif child.tag == 'element':
                rule.children[name] = inner = Rule()
                self._fill(inner, child, {**outer, name: inner})


def _faults(element: ElementTree.Element, rule: Rule, where: str) -> Iterator[str]:
    name = element.tag
    if name not in rule.children:
        if not rule.free and name not in BEYOND.get(where, ()):
            yield f'<{name}> is no child of <{where}>'
        return
    inner = rule.children[name]
    yield from (f'<{name}> has no attribute {attribute}'
                for attribute in element.attrib.keys() - inner.attributes)
    for child in element:
        yield from _faults(child, inner, name)
