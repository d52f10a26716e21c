"""Writes requirements/lock.txt: `python -m eq_bootstrap.relock` (for maintainers, needs network).

All groups are resolved together, so that they agree when they are installed one by one. The
versions of the present lock file are kept where they still fit; `--upgrade` forgets them.
"""

from __future__ import annotations

import json
from pathlib import Path
import re
import subprocess
import sys
import tempfile

from eq_bootstrap.progress import say
from eq_bootstrap.requirements import GROUPS
from eq_bootstrap.requirements import OPTIONAL
from eq_bootstrap.requirements import WITHOUT_DEPENDENCIES

_HEADER = """\
# Written by `python -m eq_bootstrap.relock`; do not edit. Every group is installed with these
# versions as constraints. torch pins the CUDA libraries of its PyPI build itself.
"""


def resolve(files: list[Path], flags: list[str]) -> dict[str, str]:
    """Returns name to version of everything that pip would install.

    Raises:
        subprocess.CalledProcessError: pip finds no set of versions that fits.
    """
    with tempfile.NamedTemporaryFile(suffix='.json') as report:
        wanted = [word for file in files for word in ('-r', str(file))]
        subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--dry-run',
                        '--ignore-installed', '--report', report.name, *wanted, *flags],
                       check=True)
        items = json.load(report)['install']
    found = (item['metadata'] for item in items)
    return {canonical(item['name']): item['version'].split('+')[0] for item in found}


def canonical(name: str) -> str:
    """Name of a distribution as indexes spell it (PEP 503).

    >>> canonical('Types_PyYAML')
    'types-pyyaml'
    """
    return re.sub(r'[-_.]+', '-', name).lower()


def main() -> None:
    """Resolves all groups and writes the lock file."""
    folder = Path(__file__).resolve().parents[1] / 'requirements'
    lock = folder / 'lock.txt'
    keep = [] if '--upgrade' in sys.argv or not lock.is_file() else ['-c', str(lock)]
    together = [folder / f'{group}.in' for group in (*GROUPS, *OPTIONAL, 'messages')
                if group not in WITHOUT_DEPENDENCIES]
    pins = resolve(together, keep)
    alone = [folder / f'{group}.in' for group in WITHOUT_DEPENDENCIES]
    pins |= resolve(alone, ['--no-deps', *keep])
    lines = ''.join(f'{name}=={version}\n' for name, version in sorted(pins.items()))
    lock.write_text(_HEADER + lines, encoding='utf-8')
    say(f'{len(pins)} versions written to {lock.name}')


if __name__ == '__main__':
    main()
