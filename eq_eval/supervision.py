"""Nodes as processes: kept running until a signal, or started once to see whether they can be."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
import signal
import subprocess
import tempfile
import time
from types import FrameType
from typing import Any

RESPAWN_INTERVAL = 2.   # at the least between two starts of a process [s]
LOOK = .05              # [s]


def supervise(commands: Sequence[Sequence[str]], tell: Callable[[str], None], again: bool = True
              ) -> int:
    """Runs processes until they end or a signal comes; one that fails is started again.

    One that has run for a while is started at once, one that cannot start does not take a core.
    SIGINT and SIGTERM are passed on as SIGINT. The children have sessions of their own, so that
    Ctrl-C reaches them once, through us.

    Args:
        commands: Command lines.
        tell: Told what has failed.
        again: Whether one that fails is started again.

    Returns:
        0, or the exit code of the first that ended badly in the end.
    """
    stopping: list[int] = []
    children = {number: _start(command) for number, command in enumerate(commands)}
    started = dict.fromkeys(children, time.monotonic())

    def forward(number: int, frame: FrameType | None) -> None:
        stopping.append(number)
        for child in children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
    before = {number: signal.signal(number, forward)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not stopping:
            codes = {number: child.poll() for number, child in children.items()}
            if all(code == 0 or (code is not None and not again) for code in codes.values()):
                break
            for number, code in codes.items():
                if not code or not again:
                    continue
                if time.monotonic() - started[number] >= RESPAWN_INTERVAL and not stopping:
                    tell(f'{commands[number][2]} ended with exit code {code} and is started again')
                    started[number] = time.monotonic()
                    children[number] = _start(commands[number])
            time.sleep(LOOK)
        if stopping:    # one that was started while the signal came has not heard it
            forward(stopping[0], None)
        return next((code for code in [child.wait() for child in children.values()]
                     if code not in (0, -signal.SIGINT)), 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for child in children.values():
            if child.poll() is None:
                child.kill()


def bring_up(nodes: Mapping[str, tuple[str, Sequence[str]]], timeout: float) -> dict[str, Any]:
    """Starts nodes on a domain of their own, waits until all are active, and ends them.

    Args:
        nodes: Module and command line of each, by fully qualified name.
        timeout: Longest wait [s].

    Returns:
        ``all_active``, ``active_s`` (from the start of the first process until all are active,
        None if they never were), under ``nodes`` the same of each by name, and ``problems``, what
        those have logged last that were not.

    Raises:
        EqError: A node ended by itself; the text carries its last words.
    """
    from eq_eval.replay.environment import free_domain_id
    from eq_eval.replay.environment import graph_environment
    from eq_eval.replay.node_process import NodeProcess
    from eq_ros.bring_up import await_active

    domain_id = free_domain_id()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        logs = Path(folder)
        environment = graph_environment(domain_id, logs)
        start = time.monotonic()
        running = {name: stack.enter_context(NodeProcess(
            module, arguments, logs / f'{name.strip("/").replace("/", ".")}.log', environment))
            for name, (module, arguments) in nodes.items()}

        def check() -> None:
            for each in running.values():
                each.check()
        joined = time.monotonic() - start
        found = await_active(list(nodes), timeout, check, domain_id)
        problems = {name: running[name].tail() for name in nodes if name not in found}
    seconds = {name: round(joined + found[name], 2) if name in found else None for name in nodes}
    complete = len(found) == len(nodes)
    return {'all_active': complete, 'nodes': seconds, 'problems': problems,
            'active_s': round(joined + max(found.values()), 2) if complete else None}


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(list(command), start_new_session=True)
