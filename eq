#!/usr/bin/env python3
"""The one command of EQ Stack: `./eq demo`, `./eq test`, `./eq doctor`, `./eq --help`.

On first use it makes .venv beside this file and installs what the command needs.
"""

import os
import shutil
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))


def use_newer_python():
    """Starts again under Python 3.11 or newer where there is one."""
    for name in ('python3.12', 'python3.13', 'python3.11', 'python3.14'):
        path = shutil.which(name)
        if path:
            os.execv(path, [path, os.path.realpath(__file__), *sys.argv[1:]])
    sys.exit('[eq] Python 3.11 or newer is needed, this is {}.{}; on Debian and Ubuntu: '
             'sudo apt-get install -y python3 python3-venv'.format(*sys.version_info[:2]))


if __name__ == '__main__':
    if sys.version_info < (3, 11):
        use_newer_python()
    sys.path.insert(0, ROOT)
    from pathlib import Path

    from eq_bootstrap.main import main

    sys.exit(main(Path(ROOT), sys.argv[1:]))
