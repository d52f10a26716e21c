"""`eq test`: linters, layers, types and tests, with the summary of the tests last."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {
    'style (ruff)': ['ruff', 'check', '.'],
    'layers (import-linter)': ['lint-imports'],
    'types (mypy)': ['mypy'],
}
_USAGE_EXIT = 2


def test(
    paths: Annotated[list[str] | None, typer.Argument(help='Tests to run; all without.')] = None,
    only: Annotated[str, typer.Option(help='Expression that selects tests, as pytest -k.')] = '',
    fast: Annotated[bool, typer.Option(help='Leave out linters and types.')] = False,
) -> None:
    """Checks style, layers and types, then runs all tests (also the examples in docstrings)."""
    if not (ROOT / 'pyproject.toml').is_file():
        print('eq test works in a checkout only', file=sys.stderr)
        raise typer.Exit(_USAGE_EXIT)
    failed = [] if fast else [name for name, words in CHECKS.items() if not _passes(name, words)]
    for name in failed:  # before the tests, so that their summary is the last line
        print(f'!! {name}: failed', flush=True)
    code = _run(['pytest', *(('-k', only) if only else ()), *(paths or ())])
    raise typer.Exit(code or int(bool(failed)))


def _passes(name: str, words: list[str]) -> bool:
    print(f'== {name}', flush=True)
    return _run(words) == 0


def _run(words: list[str]) -> int:
    """Runs a tool that is installed beside this interpreter, in the checkout."""
    tool = Path(sys.executable).with_name(words[0])
    if not tool.is_file():
        print(f'{tool.name} is not installed; `./eq test` brings it', file=sys.stderr)
        return _USAGE_EXIT
    return subprocess.run([tool, *words[1:]], cwd=ROOT, check=False).returncode
