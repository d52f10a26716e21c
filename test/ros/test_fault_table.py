"""The fault table names tests that there are, and every row has one."""

from __future__ import annotations

import ast
from pathlib import Path
import re

REQUIRED = set(range(1, 43))


def rows(repository: Path) -> dict[int, list[str]]:
    """Test ids by number of the fault."""
    text = (repository / 'docs' / 'faults.md').read_text()
    return {int(number): re.findall(r'`(test/[^`]+)`', rest.rsplit('|', 2)[-2])
            for number, rest in re.findall(r'^\| (\d+) \|(.*)$', text, re.MULTILINE)}


def test_every_fault_in_scope_has_a_row_and_every_row_a_test(repository: Path) -> None:
    table = rows(repository)
    assert set(table) >= REQUIRED
    assert all(table.values())


def test_every_named_test_is_there(repository: Path) -> None:
    for number, names in rows(repository).items():
        for name in names:
            path, _, function = name.partition('::')
            assert (repository / path).is_file(), (number, name)
            tree = ast.parse((repository / path).read_text())
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            tests = {item for item in functions if item.startswith('test_')}
            assert function in tests if function else tests, (number, name)
