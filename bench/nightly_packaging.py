"""What a workspace does with the package: `python bench/nightly_packaging.py [FOLDER ...]`.

Copies the files under version control into a workspace, builds and tests them with colcon as plain
as it comes, and runs the linters of ament, which come from PyPI into an environment of their own.
The tests are those of the folders named, all without any. That colcon and pip install the same is
in `test/platform/test_packaging.py`. Exit code 1 if anything fails.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import venv

ROOT = Path(__file__).resolve().parents[1]
LINTERS = ('ros-ament-flake8', 'ros-ament-pep257', 'flake8', 'flake8-blind-except',
           'flake8-builtins', 'flake8-class-newline', 'flake8-comprehensions', 'flake8-deprecated',
           'flake8-docstrings', 'flake8-import-order', 'flake8-quotes', 'pydocstyle', 'pytest',
           'pytest-timeout')


def main(*tests: str) -> int:
    """Builds, tests and lints; each step runs whatever became of the one before."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        sources = workspace / 'src' / 'eq_stack'
        copy_sources(sources)
        # As in a new terminal: an overlay would be built on what is installed here.
        env = {name: value for name, value in os.environ.items() if name != 'AMENT_PREFIX_PATH'}
        colcon = [sys.executable, '-m', 'colcon']
        chosen = ['--pytest-args', *tests] if tests else []
        commands = [[*colcon, 'build'],
                    [*colcon, 'test', '--return-code-on-test-failure', '--event-handlers',
                     'console_direct+', *chosen],
                    [*colcon, 'test-result', '--verbose']]
        failed = [' '.join(command[2:4]) for command in commands
                  if subprocess.run(command, cwd=workspace, env=env, check=False).returncode]
        python = linting(ROOT / 'runs' / 'packaging')
        if subprocess.run([python, '-m', 'pytest', 'test/lint'], cwd=sources,
                          env=env, check=False).returncode:
            failed.append('linters')
    print('failed: ' + ', '.join(failed) if failed else 'all passed')
    return int(bool(failed))


def copy_sources(target: Path) -> None:
    """Copies what is under version control."""
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout
    for name in filter(None, listed.split('\0')):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)


def linting(folder: Path) -> Path:
    """Python of the environment of the linters, which is made when there is none."""
    python = folder / 'bin' / 'python'
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, '-m', 'pip', 'install', '-q', *LINTERS], check=True)
    return python


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
