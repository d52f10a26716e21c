"""`eq doctor`: what this machine has, what is missing, and the line that installs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eq_eval.machine import Finding


def doctor(
    json: Annotated[bool, typer.Option('--json', help='One JSON object, for programs.')] = False,
    faults: Annotated[bool, typer.Option(
        help='Counts the faults that have tests instead, in a checkout.')] = False,
) -> None:
    """Says what is there and what is missing; exit code 1 if something necessary is missing."""
    from eq_eval.cli.output import emit
    from eq_eval.machine import examine

    if faults:
        result = _faults()
        emit(result, json, 'faults')
        raise typer.Exit(int(bool(result['untested'])))
    findings = examine()
    necessary = [finding.name for finding in findings if not finding.ok and finding.necessary]
    if json:
        emit({'ok': not necessary, 'missing': necessary,
              'checks': [finding.to_dict() for finding in findings]}, True)
    else:
        _show(findings)
    raise typer.Exit(int(bool(necessary)))


def _faults() -> dict[str, Any]:
    """Rows of the table of faults, those of which all tests are there, and the other numbers."""
    from eq_eval.fault_table import missing_tests
    from eq_eval.fault_table import read_fault_table

    table = read_fault_table(Path())
    untested = [number for number, names in table.items()
                if not names or missing_tests(Path(), names)]
    return {'rows': len(table), 'tested': len(table) - len(untested), 'untested': untested}


def _show(findings: Sequence[Finding]) -> None:
    """Prints a table, then the lines to paste."""
    from rich.console import Console
    from rich.table import Table

    marks = {True: '[green]ok', False: '[red]missing'}
    table = Table('part', '', 'found', 'used for', title='EQ Stack on this machine')
    for finding in findings:
        mark = marks[finding.ok] if finding.ok or finding.necessary else '[yellow]absent'
        table.add_row(finding.name, mark, finding.found, finding.purpose)
    console = Console()
    console.print(table)
    for finding in findings:
        if not finding.ok and finding.install:
            console.print(f'{finding.name}: {finding.install}', highlight=False, soft_wrap=True)
