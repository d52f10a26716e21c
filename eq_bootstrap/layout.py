"""Where the bootstrap keeps things, and small helpers to compare them with what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import os
from pathlib import Path


class SetupError(Exception):
    """The environment cannot be set up; the text is one line for the user."""


@dataclass(frozen=True)
class Layout:
    """Folders of one checkout.

    Attributes:
        root: The checkout.
        venv: The virtual environment, made on first use.
        cache: Per-user cache shared by checkouts: toolchain and wheels of generated messages.
    """

    root: Path
    venv: Path
    cache: Path

    @classmethod
    def of(cls, root: Path) -> Layout:
        """Finds the folders of a checkout; XDG_CACHE_HOME moves the cache."""
        base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
        return cls(root, root / '.venv', Path(base) / 'eq_stack')

    @property
    def state(self) -> Path:
        """Folder of stamps and of the log of the set-up."""
        return self.venv / '.eq'

    @property
    def log(self) -> Path:
        """What pip, CMake and apt said during the set-up."""
        return self.state / 'setup.log'

    @property
    def python(self) -> Path:
        """Interpreter of the virtual environment."""
        return self.venv / 'bin' / 'python'

    def read_stamp(self, name: str) -> str:
        """Returns what was last completed under this name, or an empty string."""
        try:
            return (self.state / name).read_text(encoding='utf-8')
        except OSError:
            return ''

    def write_stamp(self, name: str, value: str) -> None:
        """Remembers that a step is complete; written last, so that a broken step is repeated."""
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / name).write_text(value, encoding='utf-8')


def digest(*parts: str | bytes | Path) -> str:
    """Hash of texts and of the content of files, in order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part
        data = data.encode() if isinstance(data, str) else data
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()
