"""A folder of the user's own in which files appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import stat
import tempfile

LOCK = 'lock'
UNFINISHED = '.unfinished-'
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CacheFolder:
    """Files that share a stem are one entry: they are used, counted and removed together.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path, largest: int) -> None:
        """Names the folder.

        Args:
            path: Where it is, or will be.
            largest: Size beyond which entries are removed [bytes].
        """
        self.path = path
        self._largest = largest

    def problem(self) -> str:
        """Makes the folder if there is none; why it cannot be trusted or used, or nothing."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.lstat()
            if not stat.S_ISDIR(found.st_mode):
                return f'{self.path}: expected a folder, found a link or file'
            if found.st_uid != os.geteuid():
                return (f'{self.path}: expected a folder of user {os.geteuid()}, found one of '
                        f'user {found.st_uid}')
            if found.st_mode & OTHERS_WRITE:
                return (f'{self.path}: expected mode 0700, found {stat.S_IMODE(found.st_mode):04o}'
                        ', others may have written to it')
            if stat.S_IMODE(found.st_mode) & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            return f'{self.path}: {error.strerror or error}'
        return ''

    def read(self, name: str) -> bytes | None:
        """Bytes of a file; None if it is not there or cannot be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, which is there as a whole or not at all, even after a loss of power.

        Raises:
            OSError: It cannot be written.
        """
        descriptor, scratch = tempfile.mkstemp(prefix=UNFINISHED, dir=self.path)
        try:
            with open(descriptor, 'wb') as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, self.path / name)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def names(self, suffix: str) -> list[str]:
        """Names of the files that end like this."""
        return sorted(file.name for file in self.path.glob(f'[!.]*{suffix}'))

    def touch(self, stem: str) -> None:
        """Remembers that an entry was used just now."""
        for file in self.path.glob(f'{stem}.*'):
            try:
                os.utime(file)
            except OSError:  # a cache that can only be read forgets what was used
                return

    @contextmanager
    def locked(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Holds the one lock of the folder; the system lets go of it if the process is killed.

        It is one for all entries: engines that are built at the same time would disturb the
        times by which their kernels are chosen.

        Args:
            waiting: Called before the wait, if there is one.

        Raises:
            OSError: The folder cannot be written to, or its file system knows no locks.
        """
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            for file in self.path.glob(f'{UNFINISHED}*'):  # of writers that were killed
                file.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def shrink(self, keep: str) -> None:
        """Removes the entries that were not used for longest until the folder is small enough.

        Args:
            keep: Stem of an entry that stays whatever its size.
        """
        entries: dict[str, list[tuple[float, int, Path]]] = {}
        for file in self.path.glob('[!.]*.*'):
            try:
                found = file.stat()
            except FileNotFoundError:
                continue
            entries.setdefault(file.stem, []).append((found.st_mtime, found.st_size, file))
        total = sum(size for files in entries.values() for _, size, _ in files)
        entries.pop(keep, None)
        for files in sorted(entries.values(), key=lambda files: max(time for time, _, _ in files)):
            if total <= self._largest:
                return
            for _, size, file in files:
                file.unlink(missing_ok=True)
                total -= size
