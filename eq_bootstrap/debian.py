"""What the set-up needs from the operating system, and how Debian calls it."""

from __future__ import annotations

from collections.abc import Callable
import ctypes
import importlib.util
import os
from pathlib import Path
import shutil
import sysconfig

from eq_bootstrap.layout import SetupError
from eq_bootstrap.progress import run_step
from eq_bootstrap.progress import say


def has_compiler() -> bool:
    """Whether generated messages can be compiled."""
    return shutil.which('g++') is not None and shutil.which('gcc') is not None


def has_headers() -> bool:
    """Whether extensions can be compiled for this interpreter."""
    return (Path(sysconfig.get_path('include')) / 'Python.h').is_file()


def has_library(name: str) -> bool:
    """Whether the loader finds a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


NEEDS: dict[str, Callable[[], bool]] = {
    'python3-venv': lambda: importlib.util.find_spec('ensurepip') is not None,
    'python3-dev': has_headers,
    'g++': has_compiler,
    'libgomp1': lambda: has_library('libgomp.so.1'),
    'libgl1': lambda: has_library('libGL.so.1'),
    'libegl1': lambda: has_library('libEGL.so.1'),
    'libusb-1.0-0': lambda: has_library('libusb-1.0.so.0'),
}


def missing_packages() -> list[str]:
    """Names of the Debian packages that would bring what is missing here."""
    return [name for name, present in NEEDS.items() if not present()]


def install_line(packages: list[str]) -> str:
    """The one line a user can paste."""
    return f'sudo apt-get install -y {" ".join(packages)}'


def install_missing(log: Path) -> None:
    """Installs what is missing where that is allowed, and says the one line where it is not.

    Args:
        log: File for the output of apt.

    Raises:
        SetupError: Nothing can go on without the package (python3-venv).
    """
    packages = missing_packages()
    if not packages:
        return
    if os.geteuid() == 0 and shutil.which('apt-get'):
        apt_install(packages, log)
        return
    say(f'missing on this machine; please run: {install_line(packages)}')
    if 'python3-venv' in packages:
        raise SetupError(f'python3-venv is needed: {install_line(["python3-venv"])}')


def apt_install(packages: list[str], log: Path) -> None:
    """Installs Debian packages as root; a failure is told, and doctor lists what is missing."""
    env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    try:
        run_step('reading the list of Debian packages', ['apt-get', 'update'], log, env)
        run_step(f'installing Debian packages {" ".join(packages)}',
                 ['apt-get', 'install', '-y', '--no-install-recommends', *packages], log, env)
    except SetupError as error:
        say(f'{error}; going on without')
