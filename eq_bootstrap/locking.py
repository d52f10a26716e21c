"""A lock between processes, so that two first starts do not build the same thing at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path

from eq_bootstrap.layout import SetupError
from eq_bootstrap.progress import say


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file; waits for whoever has it.

    The kernel drops the lock when its holder and the programs that it started have ended: a
    killed set-up leaves nothing stale, and a pip that outlives it is waited for.

    Raises:
        SetupError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open('w', encoding='utf-8')
    except OSError as error:
        raise SetupError(f'cannot write {path}: {error.strerror}; '
                         'XDG_CACHE_HOME moves the cache elsewhere') from error
    with file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('another process is setting up; waiting for it')
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
