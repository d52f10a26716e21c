"""The rosidl generators from PyPI, installed apart from the environment that runs."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig

from eq_bootstrap.environment import without_foreign_wheels
from eq_bootstrap.layout import digest
from eq_bootstrap.layout import Layout
from eq_bootstrap.progress import run_step
from eq_bootstrap.requirements import pip

# The wheels' CMake exports name folders of the machine on which the wheels were built.
_FOREIGN_INCLUDE = re.compile(r'/opt/python/[^/;"]+/include/python3\.[0-9]+')
_FOREIGN_NUMPY = re.compile(
    r'/opt/python/[^/;"]+/lib/python3\.[0-9]+/site-packages/numpy/_core/include')


def make_toolchain(layout: Layout) -> Path:
    """Returns a prefix with CMake, Ninja and the generators; installs it if it is not there.

    Raises:
        SetupError: The installation failed.
    """
    requirements = layout.root / 'requirements'
    key = digest(requirements / 'messages.in', requirements / 'lock.txt', sys.version)[:16]
    prefix = layout.cache / f'toolchain-{key}'
    if (prefix / 'complete').is_file():
        return prefix
    shutil.rmtree(prefix, ignore_errors=True)
    env = without_foreign_wheels(os.environ)
    run_step('making the toolchain of messages', [sys.executable, '-m', 'venv', prefix],
             layout.log, env)
    run_step('installing the toolchain of messages (CMake, rosidl)',
             [*pip(prefix / 'bin' / 'python'), 'install', '-r', requirements / 'messages.in',
              '-c', requirements / 'lock.txt'], layout.log, env)
    _repair_exports(prefix, env)
    (prefix / 'complete').touch()
    return prefix


def toolchain_environment(prefix: Path) -> dict[str, str]:
    """Environment in which CMake finds the generators and these find their Python."""
    env = without_foreign_wheels(os.environ)
    env['PATH'] = f'{prefix / "bin"}:{env.get("PATH", "")}'
    env['AMENT_PREFIX_PATH'] = str(prefix)
    return env


def _repair_exports(prefix: Path, env: dict[str, str]) -> None:
    """Makes the CMake exports of the wheels name this machine's Python and numpy headers."""
    numpy = subprocess.run(
        [prefix / 'bin' / 'python', '-c', 'import numpy; print(numpy.get_include())'],
        capture_output=True, check=True, text=True, env=env).stdout.strip()
    python = sysconfig.get_path('include')
    for path in _exports(prefix / 'share'):
        text = path.read_text(encoding='utf-8')
        if '/opt/python/' in text:
            text = _FOREIGN_NUMPY.sub(lambda _: numpy, text)
            path.write_text(_FOREIGN_INCLUDE.sub(lambda _: python, text), encoding='utf-8')


def _exports(share: Path) -> Iterator[Path]:
    yield from share.glob('*/cmake/*.cmake')
