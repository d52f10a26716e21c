"""A ROS 2 node as a child process: started, watched, ended."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import ctypes
import os
from pathlib import Path
import signal
import subprocess
import sys
from types import TracebackType

from eq_core.errors import EqError

_TAIL_LINES = 12
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None


def _end_with_parent() -> None:
    """Asks Linux to end this process when its parent ends, even by a kill that nobody can catch.

    A node that is left over would go on publishing.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def node_arguments(name: str, parameters: Mapping[str, str]) -> list[str]:
    """Command line that names a node and sets its parameters."""
    words = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
    return ['--ros-args', '-r', f'__node:={name}', *words]


class NodeProcess:
    """Runs `python -m <module> --ros-args ...` and keeps what it logs in a file."""

    def __init__(self, module: str, arguments: Sequence[str], log_path: Path,
                 environment: Mapping[str, str]) -> None:
        """Starts the process.

        Args:
            module: Such as ``'eq_perception.nodes.lidar_detector'``.
            arguments: What follows the module's name.
            log_path: File that takes standard output and standard error.
            environment: Variables of the process, complete.
        """
        self.command = [sys.executable, '-m', module, *arguments]
        self.log_path = log_path
        self._log = log_path.open('wb')
        # Its own process group: Ctrl-C reaches us first, and we end the node in order.
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            env=dict(environment), start_new_session=True, preexec_fn=_end_with_parent)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def check(self) -> None:
        """Makes sure that the process still runs.

        Raises:
            EqError: It has ended; the text carries its last log lines.
        """
        code = self._process.poll()
        if code is not None:
            raise EqError(f'the node ended with exit code {code}. Its last words:\n{self.tail()}')

    def tail(self) -> str:
        """The last lines of the log."""
        text = self.log_path.read_text(errors='replace') if self.log_path.exists() else ''
        lines = text.strip().splitlines()[-_TAIL_LINES:]
        return '\n'.join(f'  | {line}' for line in lines) or '  | (nothing)'

    def stop(self, timeout: float = 5.) -> int:
        """Ends the process: interrupt, then terminate, then kill.

        Args:
            timeout: Patience with each of the first two [s].

        Returns:
            Its exit code.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            if self._process.poll() is not None:
                break
            os.kill(self.pid, number)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                continue
        if self._process.poll() is None:
            self._process.kill()
        code = self._process.wait()
        self._log.close()
        return code

    def __enter__(self) -> NodeProcess:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Ends the process."""
        self.stop()
