"""Rules of the house that no linter knows."""

from __future__ import annotations

from pathlib import Path
import re
import runpy
import subprocess

import pytest

_LINES_AT_MOST = 400
_MACHINE_PATH = re.compile(r'(?<![\w.~}])/(work|root|home|Users)/[\w.]')
_TEXT = {'.cfg', '.in', '.json', '.md', '.py', '.rst', '.rviz', '.sh', '.toml', '.txt', '.xml',
         '.yaml', '.yml', ''}


def tracked_files(repository: Path) -> list[Path]:
    """Files under version control that exist."""
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=repository, capture_output=True,
                            text=True, check=False)
    if listed.returncode:
        pytest.skip('not a git checkout')
    return [repository / name for name in listed.stdout.split('\0')
            if name and (repository / name).is_file()]


def test_no_module_is_longer_than_a_reader_can_hold(repository: Path) -> None:
    lengths = {path.relative_to(repository): len(path.read_text(encoding='utf-8').splitlines())
               for path in tracked_files(repository) if path.suffix == '.py'}
    assert not {str(name): lines for name, lines in lengths.items() if lines > _LINES_AT_MOST}


def test_no_file_names_a_folder_of_the_machine_it_was_written_on(repository: Path) -> None:
    found = [f'{path.relative_to(repository)}: {match.group()}'
             for path in tracked_files(repository) if path.suffix in _TEXT
             for match in [_MACHINE_PATH.search(path.read_text(encoding='utf-8',
                                                               errors='replace'))] if match]
    assert not found


def test_no_pickle_and_no_engine_is_shipped(repository: Path) -> None:
    forbidden = {'.pkl', '.pickle', '.pt', '.pth', '.ckpt', '.engine', '.plan', '.trt'}
    assert not [path for path in tracked_files(repository) if path.suffix in forbidden]


def test_test_modules_have_names_of_their_own(repository: Path) -> None:
    names = [path.name for path in tracked_files(repository) if path.name.startswith('test_')]
    assert not {name for name in names if names.count(name) > 1}
    assert not list((repository / 'test').rglob('__init__.py'))


def test_pages_say_what_was_measured(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If not, `python bench/figures.py` rewrites their tables."""
    monkeypatch.syspath_prepend(repository / 'bench')
    figures = runpy.run_path(str(repository / 'bench/figures.py'))
    for page in figures['PAGES']:
        text = (repository / page).read_text(encoding='utf-8')
        assert figures['with_figures'](text, page) == text, page
