"""The `eq` command: one module per command, imported when its turn comes."""

from __future__ import annotations

from importlib import import_module
import sys
from typing import Any

import typer
from typer.core import TyperCommand
from typer.core import TyperGroup

from eq_core.errors import EqError

# Each is a module of this folder with a typer app called `app` or a function of its own name.
COMMANDS = ('demo', 'replay', 'up', 'label', 'train', 'calibrate', 'quantize', 'simulate', 'eval',
            'verify', 'build-engine', 'bench', 'plan', 'view', 'doctor', 'test')


class Commands(TyperGroup):
    """Finds commands by name; only a command that is asked for is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order in which the help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Returns a command, or None where there is none of this name."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Imports the module of a command and makes the command of it.

    Args:
        name: One of `COMMANDS`.
    """
    function = name.replace('-', '_')
    module = import_module(f'eq_eval.cli.{function}')
    application = getattr(module, 'app', None)
    if application is None:
        application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        application.command(name)(getattr(module, function))
    command: Any = typer.main.get_command(application)
    command.name = name
    return command


app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False,
                  no_args_is_help=True)


@app.callback()
def eq() -> None:
    """Equivariant perception for ROS 2: answers turn with the world."""


def main() -> int:
    """Runs the command line; an error raised on purpose becomes one line and exit code 1."""
    try:
        app(prog_name='eq')
    except EqError as error:
        print(f'eq: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
