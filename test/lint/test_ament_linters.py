"""The linters of ament pass, where they are; `bench/nightly_packaging.py` brings them."""

from __future__ import annotations

from pathlib import Path
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

# What the convention leaves out besides, as ament's own does
UNDOCUMENTED = ('D100', 'D101', 'D102', 'D103', 'D104', 'D105', 'D107')
SCHEMA = 'http://download.ros.org/schema/package_format3.xsd'
CODE = ('bench', 'docs', 'eq_bootstrap', 'eq_core', 'eq_eval', 'eq_manipulation', 'eq_navigation',
        'eq_perception', 'eq_ros', 'examples', 'launch', 'setup.py', 'test')


def test_ament_flake8(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linter = pytest.importorskip('ament_flake8.main', reason='needs ament_flake8')
    monkeypatch.chdir(repository)
    code, problems = linter.main_with_errors(['--config', 'setup.cfg', *CODE])
    assert code == 0, '\n'.join(problems)


def test_ament_pep257(repository: Path, monkeypatch: pytest.MonkeyPatch,
                      capsys: pytest.CaptureFixture[str]) -> None:
    linter = pytest.importorskip('ament_pep257.main', reason='needs ament_pep257')
    monkeypatch.chdir(repository)
    code = linter.main(['--convention', 'google', '--add-ignore', *UNDOCUMENTED, 'D402', 'D403',
                        '--', *CODE])
    assert code == 0, capsys.readouterr()


def test_package_files_are_of_the_schema(repository: Path) -> None:
    """As ament_xmllint does: it hands the schema that a file names to xmllint."""
    if shutil.which('xmllint') is None:
        pytest.skip('needs xmllint (libxml2-utils)')
    for path in (repository / 'package.xml', *sorted(repository.glob('interfaces/*/package.xml'))):
        assert f'href="{SCHEMA}"' in path.read_text()
        done = subprocess.run(['xmllint', '--noout', '--schema', SCHEMA, path],
                              capture_output=True, text=True, check=False)
        if 'failed to load' in done.stderr or 'Failed to parse' in done.stderr:
            pytest.skip('the schema is out of reach')
        assert done.returncode == 0, done.stderr


def test_every_linter_that_is_run_is_a_dependency_of_tests(repository: Path) -> None:
    root = ElementTree.parse(repository / 'package.xml').getroot()
    assert {'ament_flake8', 'ament_pep257', 'ament_xmllint'} <= {
        each.text for each in root.iterfind('test_depend')}
