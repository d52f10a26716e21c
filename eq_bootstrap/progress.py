"""Plain progress lines and commands whose output goes to the log of the set-up."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
import subprocess
import sys
import time
from typing import IO

from eq_bootstrap.layout import SetupError

_HEARTBEAT = 20.0  # [s] a silent minute looks like a hang


def say(text: str) -> None:
    """Prints one progress line; standard output belongs to the command that follows."""
    print(f'[eq] {text}', file=sys.stderr, flush=True)


def run_step(title: str, command: Sequence[str | Path], log: Path,
             env: Mapping[str, str] | None = None, hint: str = '') -> None:
    """Runs one command of the set-up, with a line when it starts and while it lasts.

    Args:
        title: What the command is for.
        command: Program and arguments.
        log: File to which its output is appended.
        env: Environment, or None for ours.
        hint: What to try when it fails.

    Raises:
        SetupError: The command failed; the last lines of its output have been shown.
    """
    say(f'{title} ...')
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open('a+', encoding='utf-8', errors='replace') as output:
        offset = output.seek(0, 2)
        print(f'$ {" ".join(map(str, command))}', file=output, flush=True)
        code = _wait(title, command, output, env, start)
        output.seek(offset)
        lines = output.read().splitlines()
    if code:
        for line in lines[-12:]:
            print(f'     {line[:200]}', file=sys.stderr)
        raise SetupError(f'{title}: failed with code {code}; all of its output is in {log}'
                         + (f'; {hint}' if hint else ''))
    if time.monotonic() - start > _HEARTBEAT:
        say(f'{title}: done in {time.monotonic() - start:.0f} s')


def _wait(title: str, command: Sequence[str | Path], output: IO[str],
          env: Mapping[str, str] | None, start: float) -> int:
    """Starts a command and tells from time to time that it still runs."""
    try:
        process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, env=env,
            close_fds=False)  # it keeps the lock of the set-up, should it outlive us
    except OSError as error:
        raise SetupError(f'{title}: cannot start {command[0]}: {error}') from error
    try:
        while True:
            try:
                return process.wait(_HEARTBEAT)
            except subprocess.TimeoutExpired:
                say(f'{title}: {time.monotonic() - start:.0f} s')
    except BaseException:
        process.terminate()  # an interrupted set-up must not go on behind the prompt
        process.wait()
        raise
