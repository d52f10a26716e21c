"""Writes the tables of `docs/<node>.md` from the nodes' own declarations.

Topics and actions come from `eq_ros/node_interfaces.py`, which a test compares with the running
nodes; parameters from the dataclass that the node declares them by. Needs ROS 2.

    .venv/bin/python docs/node_tables.py
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
from importlib import import_module
from pathlib import Path
import re
import sys
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from eq_ros.node_interfaces import INTERFACES  # noqa: E402
from eq_ros.node_interfaces import Topic  # noqa: E402
from eq_ros.node_kinds import COSTMAP  # noqa: E402
from eq_ros.node_kinds import FOLLOWER  # noqa: E402
from eq_ros.node_kinds import NodeKind  # noqa: E402
from eq_ros.node_kinds import STACK  # noqa: E402

BEGIN, END = '<!-- {}: begin. By docs/node_tables.py. -->\n', '<!-- {}: end -->'
UNIT = re.compile(r' \[([^\]]+)\]$')
TYPES = {'bool': 'bool', 'int': 'int', 'float': 'double', 'str': 'string',
         'tuple[str, ...]': 'string[]', 'tuple[int, ...]': 'int[]',
         'tuple[float, ...]': 'double[]'}
KINDS = (*STACK, COSTMAP, FOLLOWER)
SECTIONS: dict[str, Callable[[NodeKind], str]] = {
    'INPUT': lambda kind: _topics(INTERFACES[kind.name].inputs),
    'OUTPUT': lambda kind: _topics(INTERFACES[kind.name].outputs),
    'ACTIONS': lambda kind: _table(('Name', 'Type', 'Description'), [
        (f'`{each.name}`', f'`{each.kind}`', each.meaning)
        for each in INTERFACES[kind.name].actions]),
    'PARAMETERS': lambda kind: parameter_table(import_module(kind.module).Parameters)}


def main() -> None:
    """Rewrites the documents between their marks."""
    for kind in KINDS:
        path = ROOT / 'docs' / f'{kind.name}.md'
        path.write_text(with_tables(path.read_text(encoding='utf-8'), kind), encoding='utf-8')


def with_tables(text: str, kind: NodeKind) -> str:
    """Returns the text of a node's document with tables of what is declared now."""
    for name, make in SECTIONS.items():
        if name == 'ACTIONS' and not INTERFACES[kind.name].actions:
            continue
        before, rest = text.split(BEGIN.format(name))
        _, after = rest.split(END.format(name))
        text = before + BEGIN.format(name) + make(kind) + END.format(name) + after
    return text


def parameter_table(parameters: type[Any]) -> str:
    """All parameters of a node, by its dataclass."""
    rows = []
    for field in dataclasses.fields(parameters):
        rule = field.metadata['rule']
        unit = UNIT.search(rule.description)
        rows.append((f'`{field.name}`', TYPES[str(field.type)], UNIT.sub('', rule.description),
                     f'`{_value(field.default)}`', _range(rule), unit[1] if unit else '',
                     'yes' if rule.live else 'no'))
    return _table(('Name', 'Type', 'Description', 'Default', 'Range', 'Unit', 'Live'), rows)


def _topics(topics: Sequence[Topic]) -> str:
    return _table(('Name', 'Type', 'Quality of service', 'Description'), [
        (f'`{topic.name}`', f'`{topic.kind}`', str(topic.quality), topic.meaning)
        for topic in topics])


def _value(value: Any) -> str:
    """As YAML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f'[{", ".join(map(_value, value))}]'
    return str(value) if value != '' else "''"


def _range(rule: Any) -> str:
    if rule.choices:
        return ', '.join(f'`{choice}`' for choice in rule.choices)
    if rule.minimum is None:
        return '' if rule.maximum is None else f'at most {_number(rule.maximum)}'
    return (f'at least {_number(rule.minimum)}' if rule.maximum is None else
            f'{_number(rule.minimum)} to {_number(rule.maximum)}')


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f'{value:.15g}'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


if __name__ == '__main__':
    main()
