"""Reads docs/faults.md: the faults that the nodes survive, and the tests that show it."""

from __future__ import annotations

import ast
from pathlib import Path
import re

from eq_core.errors import ConfigError

TABLE = Path('docs/faults.md')
KNOWN = range(1, 44)    # numbers of all faults


def read_fault_table(repository: Path) -> dict[int, list[str]]:
    """Ids of tests by number of the fault.

    Args:
        repository: A checkout.

    Raises:
        ConfigError: There is no table.
    """
    path = repository / TABLE
    if not path.is_file():
        raise ConfigError(f'{path} is not there; the table of faults travels with the sources')
    rows = re.findall(r'^\| (\d+) \|(.*)$', path.read_text(encoding='utf-8'), re.MULTILINE)
    return {int(number): re.findall(r'`(test/[^`]+)`', rest.rsplit('|', 2)[-2])
            for number, rest in rows}


def missing_tests(repository: Path, names: list[str]) -> list[str]:
    """Those ids that no test has.

    Args:
        repository: A checkout.
        names: Such as ``test/ros/test_soak.py::test_...``, or a file alone.
    """
    return [name for name in names if not _is_there(repository, *name.partition('::')[::2])]


def _is_there(repository: Path, path: str, function: str) -> bool:
    if not (repository / path).is_file():
        return False
    tree = ast.parse((repository / path).read_text(encoding='utf-8'))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)
             and node.name.startswith('test_')}
    return function in tests if function else bool(tests)
