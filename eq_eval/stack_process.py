"""The whole stack as one process with its nodes as children, any of which can be killed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

import psutil

from eq_core.errors import EqError
from eq_eval.replay.environment import graph_environment
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import STACK

PATIENCE = 120.     # [s]; nothing is measured with it, a loaded machine may be slow
LOOK = .02          # [s]


def up_stack(namespace: str, policy_file: Path) -> list[str]:
    """Command line of `eq up stack` with a policy that plans on every cloud it is shown.

    Args:
        namespace: Of the nodes.
        policy_file: Parameters of the policy.
    """
    return [sys.executable, '-m', 'eq_eval.cli.main', 'up', 'stack', '--namespace', namespace,
            '--policy-input', 'points', '--policy-continuous', '--policy-params-file',
            str(policy_file)]


def eager_policy(folder: Path) -> Path:
    """Writes parameters with which the policy answers whatever it sees, and where they are."""
    path = folder / 'eager_policy.param.yaml'
    path.write_text('/**:\n  ros__parameters:\n    score_threshold: 0.0\n')
    return path


class StackProcess:
    """Starts the stack by any command and finds its nodes among the processes under it."""

    def __init__(self, command: Sequence[str], log_path: Path, domain_id: int,
                 namespace: str = '', variables: Mapping[str, str] | None = None) -> None:
        """Starts the command.

        Args:
            command: Such as `up_stack()`, or what runs a launch file.
            log_path: Takes all that the nodes say.
            domain_id: DDS domain.
            namespace: That of the nodes.
            variables: Of the environment, those of this process if None.
        """
        self.domain_id, self.namespace, self.log_path = domain_id, namespace, log_path
        self.names = {kind: f'/{namespace}/{kind.name}'.replace('//', '/') for kind in STACK}
        with log_path.open('wb') as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=graph_environment(domain_id, log_path.parent / 'ros', variables),
                start_new_session=True)

    def pids(self) -> dict[NodeKind, int]:
        """Process ids of the nodes that run."""
        found = {}
        for child in psutil.Process(self._process.pid).children(recursive=True):
            try:
                words = [] if child.status() == psutil.STATUS_ZOMBIE else child.cmdline()
            except psutil.NoSuchProcess:
                continue
            # `python -m package.node` here, an installed script of the node's name under launch
            found.update({kind: child.pid for kind in STACK if any(
                word == kind.module or Path(word).name == kind.name for word in words)})
        return found

    def check(self) -> None:
        """Makes sure that the process still runs.

        Raises:
            EqError: It has ended; the text carries its last words.
        """
        if self._process.poll() is not None:
            raise EqError(f'the stack ended with exit code {self._process.returncode}. Its last '
                          f'words:\n{self.tail()}')

    def tail(self) -> str:
        """The last that the nodes have said."""
        return '\n'.join(self.log_path.read_text(errors='replace').splitlines()[-20:])

    def await_active(self, *kinds: NodeKind, timeout: float = PATIENCE) -> None:
        """Waits until nodes are active, all if none is named.

        Raises:
            EqError: They were not in time.
        """
        from eq_ros.bring_up import await_active

        names = [self.names[kind] for kind in kinds or STACK]
        found = await_active(names, timeout, self.check, self.domain_id)
        if len(found) < len(names):
            raise EqError(f'not active after {timeout:g} s: '
                          f'{", ".join(set(names) - set(found))}\n{self.tail()}')

    def kill(self, kind: NodeKind, timeout: float = PATIENCE,
             back: Callable[[], bool] | None = None) -> tuple[int, float]:
        """Kills a node so that it cannot say a word, and waits until it is active again.

        Args:
            kind: The node.
            timeout: Longest wait, first for its next process, then for that to be active [s].
            back: Tells whether it is active; a new node of our own asks it if None.

        Returns:
            When its next process was seen (clock of the system) [ns], and how long it took from
            the kill until it was active [s].

        Raises:
            EqError: It did not come back.
        """
        before = self.pids()[kind]
        start = time.monotonic()
        os.kill(before, signal.SIGKILL)
        while self.pids().get(kind, before) == before:
            self.check()
            if time.monotonic() - start > timeout:
                raise EqError(f'{kind.name} was not started again after {timeout:g} s\n'
                              f'{self.tail()}')
            time.sleep(LOOK)
        born = time.time_ns()
        if back is None:
            self.await_active(kind, timeout=timeout)
        while back is not None and not back():
            self.check()
            if time.monotonic() - start > timeout:
                raise EqError(f'{kind.name} was not active after {timeout:g} s\n{self.tail()}')
            time.sleep(LOOK)
        return born, time.monotonic() - start

    def stop(self, timeout: float = 60.) -> int:
        """Ends the nodes in order; the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)     # as Ctrl-C does
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Self:
        """Is itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Ends the nodes."""
        self.stop()
