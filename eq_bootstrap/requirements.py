"""Groups of pinned requirements, and which command needs which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import sys

from eq_bootstrap.layout import digest
from eq_bootstrap.layout import Layout
from eq_bootstrap.progress import run_step
from eq_bootstrap.ros import Ros

GROUPS = ('base', 'ros', 'sim', 'train', 'dev', 'oracle', 'ravens')
OPTIONAL = ('view',)      # for one command; no test needs them
WITHOUT_DEPENDENCIES = ('oracle', 'ravens')     # their own pins contradict others or each other
_LIVE = ('base', 'ros', 'sim')
_BY_COMMAND = {  # any other word needs the base only, to be told that there is no such command
    'bench': _LIVE,
    'build-engine': ('base',),
    'calibrate': (*_LIVE, 'train'),
    'demo': _LIVE,
    'eval': _LIVE,
    'label': _LIVE,
    'quantize': (*_LIVE, 'train'),
    'replay': _LIVE,
    'simulate': _LIVE,
    'test': GROUPS,
    'train': (*_LIVE, 'train'),
    'plan': ('base',),
    'up': _LIVE,
    'verify': _LIVE,
    'view': (*_LIVE, 'view'),
}


def groups_for(arguments: Sequence[str], ros: Ros) -> tuple[str, ...]:
    """Names the groups of requirements that a command line needs.

    >>> groups_for(['doctor', '--json'], Ros('wheels'))
    ('base',)
    >>> groups_for(['demo'], Ros('none'))
    ('base', 'sim')
    >>> groups_for(['bench', 'policy'], Ros('none'))
    ('base', 'sim', 'train', 'ravens')
    """
    command = next((word for word in arguments if not word.startswith('-')), '')
    asks_help = '--help' in arguments or '-h' in arguments
    groups = ('base',) if asks_help else _BY_COMMAND.get(command, ('base',))
    if not asks_help:
        # The reference backend is asked for by name, and some benches train what they measure.
        words = set(arguments)
        learned = command == 'bench' and {'policy', 'spatial'} & words
        if (learned or {'torch', 'planner'} & words) and 'train' not in groups:
            groups = (*groups, 'train')
        if command in ('bench', 'train') and 'policy' in words:
            groups = (*groups, 'ravens')
    return tuple(group for group in groups if group != 'ros' or ros.kind == 'wheels')


def group_key(layout: Layout, group: str) -> str:
    """Changes when the group has to be installed again."""
    folder = layout.root / 'requirements'
    return digest(folder / f'{group}.in', folder / 'lock.txt', sys.version)


def pending_groups(layout: Layout, groups: Sequence[str]) -> list[str]:
    """Groups that are not installed as the lock file wants them."""
    return [group for group in groups
            if layout.read_stamp(f'group-{group}') != group_key(layout, group)]


def install_group(layout: Layout, group: str, env: dict[str, str]) -> None:
    """Installs one group with the versions of the lock file.

    Raises:
        SetupError: pip failed.
    """
    folder = layout.root / 'requirements'
    flags = ['--no-deps'] if group in WITHOUT_DEPENDENCIES else []
    run_step(f'installing Python packages: {group}',
             [*pip(layout.python), 'install', *flags, '-r', folder / f'{group}.in',
              '-c', folder / 'lock.txt'],
             layout.log, env, hint='the first set-up needs a network')
    layout.write_stamp(f'group-{group}', group_key(layout, group))


def pip(python: Path) -> list[str]:
    """The pip of an interpreter, quiet and without questions."""
    return [str(python), '-m', 'pip', '--disable-pip-version-check', '--no-input', '-q']
