"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Programs that tests start are not imported in search of examples in docstrings.
collect_ignore = [str(path) for path in (ROOT / 'test').rglob('*.py')
                  if not path.name.startswith(('test_', 'conftest'))]


@pytest.fixture(scope='session')
def repository() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder of real recordings beside the checkout; tests that need it are skipped without."""
    folder = ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip('no real recordings in ../shared/data')
    return folder
