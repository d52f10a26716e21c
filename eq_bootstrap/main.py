"""Brings the environment of a checkout up to date, then runs the `eq` command in it."""

from __future__ import annotations

from collections.abc import Sequence
import os
from pathlib import Path
import sys

from eq_bootstrap import debian
from eq_bootstrap import messages
from eq_bootstrap import requirements
from eq_bootstrap import venv
from eq_bootstrap.environment import runtime_environment
from eq_bootstrap.layout import digest
from eq_bootstrap.layout import Layout
from eq_bootstrap.layout import SetupError
from eq_bootstrap.locking import locked
from eq_bootstrap.progress import say
from eq_bootstrap.ros import find_ros
from eq_bootstrap.ros import Ros


def main(root: Path, arguments: Sequence[str]) -> int:
    """Sets up what the command needs and becomes the command; returns only when that fails.

    Args:
        root: The checkout.
        arguments: Words after `./eq`.

    Returns:
        Exit code.
    """
    layout = Layout.of(root)
    ros = find_ros()
    try:
        if not is_ready(layout, ros, arguments):
            with locked(layout.cache / f'setup-{digest(str(root))[:12]}.lock'):
                set_up(layout, ros, arguments)
        env = runtime_environment(layout.venv, ros)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say('interrupted; the next start goes on where this one stopped')
        return 130
    command = [str(layout.python), '-m', 'eq_eval.cli.main', *arguments]
    os.execve(layout.python, command, env)


def is_ready(layout: Layout, ros: Ros, arguments: Sequence[str]) -> bool:
    """Whether the stamps say that nothing is left to do; reads a few small files only."""
    groups = requirements.groups_for(arguments, ros)
    return (layout.read_stamp('venv') == venv.venv_key(ros)
            and layout.python.exists()
            and not requirements.pending_groups(layout, groups)
            and layout.read_stamp('link') == venv.link_key(layout)
            and not _pending_messages(layout, ros, groups))


def set_up(layout: Layout, ros: Ros, arguments: Sequence[str]) -> None:
    """Does what is left to do; every step is remembered, so a broken set-up goes on later.

    Raises:
        SetupError: A step failed.
    """
    if is_ready(layout, ros, arguments):
        return  # another process did it while we waited for the lock
    groups = requirements.groups_for(arguments, ros)
    debian.install_missing(layout.cache / 'apt.log')
    venv.make_venv(layout, ros)
    env = runtime_environment(layout.venv, ros)
    for group in requirements.pending_groups(layout, groups):
        requirements.install_group(layout, group, env)
    names = _pending_messages(layout, ros, groups)
    if names:
        messages.install_messages(layout, names, ros, env)
    if layout.read_stamp('link') != venv.link_key(layout):
        venv.link_checkout(layout)
    if ros.kind == 'none':
        say('no ROS 2 here: neither /opt/ros nor wheels for this machine; the live graph is off')
    say('ready')


def _pending_messages(layout: Layout, ros: Ros, groups: Sequence[str]) -> tuple[str, ...]:
    """Message packages to install: none while only base packages are wanted."""
    if len(groups) < 2 or (ros.kind == 'wheels' and 'ros' not in groups):
        return ()
    names = messages.missing_messages(ros)
    if not names or layout.read_stamp('messages') == messages.messages_key(layout, names, ros):
        return ()
    return names


if __name__ == '__main__':
    sys.exit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
