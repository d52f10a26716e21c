"""How every command tells its result: a table for people, one JSON line for programs."""

from __future__ import annotations

from collections.abc import Mapping
import json
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(stderr=True)  # progress and tables; standard output belongs to the result


def emit(result: Mapping[str, Any], as_json: bool, title: str = '') -> None:
    """Shows a result: as a table, or with `as_json` as JSON on the last line of standard output.

    Args:
        result: Names to numbers, strings, lists or nested mappings.
        as_json: Whether a program reads standard output.
        title: Heading of the table.
    """
    if as_json:
        print(json.dumps(result, sort_keys=True, default=float), flush=True)
        return
    table = Table('figure', 'value', title=title or None)
    for key, value in result.items():
        table.add_row(key, json.dumps(value, default=float) if not isinstance(value, float)
                      else f'{value:.4g}')
    Console().print(table)
