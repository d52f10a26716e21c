"""`eq up`: the nodes of the files in `launch/` as processes, where there is no ROS launch."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import inspect
import sys
from typing import Annotated
from typing import Any

import typer

from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import options
from eq_ros.node_kinds import STACK
from eq_ros.node_kinds import values_of

app = typer.Typer(help='Start nodes in the live ROS 2 graph.', no_args_is_help=True)
PATIENCE = 60.      # until all nodes are active [s]


def process_arguments(kind: NodeKind, values: Mapping[str, str]) -> list[str]:
    """What follows the module on a node's command line, as `ros2 launch` would write it.

    Args:
        kind: The node.
        values: Of its own arguments.
    """
    from eq_ros.transport import shared_file
    words = ['--ros-args', '--log-level', values['log_level']]
    if values['namespace'].strip('/'):
        words += ['-r', f'__ns:=/{values["namespace"].strip("/")}']
    file = values['params_file'] or shared_file(f'config/{kind.name}.param.yaml')
    words += ['--params-file', str(file)]
    parameters, remappings = kind.settings(values)
    types = {each.parameter: each.kind for each in kind.arguments}
    for name, value in parameters.items():
        words += ['-p', f'{name}:={_as_yaml(value, types[name])}']
    for name, topic in remappings.items():
        words += ['-r', f'{name}:={topic}']
    return words


def _as_yaml(value: str, kind: type) -> str:
    if kind is str:
        return f"'{value}'"
    return f'[{value}]' if kind is list and not value.startswith('[') else value


def _command(kinds: Sequence[NodeKind]) -> Callable[..., None]:
    """A function with an option for each argument of some nodes, as typer wants it."""
    def start(**given: Any) -> None:
        check, as_json = given.pop('check', False), given.pop('json', False)
        _start(kinds, {name: str(value).lower() if isinstance(value, bool) else value
                       for name, value in given.items()}, check, as_json)

    def parameter(name: str, default: str | bool, text: str) -> inspect.Parameter:
        # A switch whose other side has a name of its own reads better than one with a value.
        switch = f'--{name.replace("_", "-")}'
        names = f'{switch}/--no-{switch[2:]}' if isinstance(default, bool) else switch
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default,
            annotation=Annotated[type(default), typer.Option(names, help=f'{text}.')])
    found = [parameter(name, each.default == 'true' if each.kind is bool else each.default,
                       each.description) for name, each in options(kinds).items()]
    if len(kinds) > 1:
        found += [parameter('check', False, 'Ends when all nodes are active, or never were'),
                  parameter('json', False, 'Print JSON on the last line')]
    start.__signature__ = inspect.Signature(found)      # type: ignore[attr-defined]
    start.__annotations__ = {each.name: each.annotation for each in found}
    return start


def _start(kinds: Sequence[NodeKind], given: Mapping[str, str], check: bool, as_json: bool
           ) -> None:
    """Starts the nodes and becomes their parent until they end."""
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.replay.environment import require_ros
    from eq_eval.supervision import bring_up
    from eq_eval.supervision import supervise
    require_ros()
    from eq_ros.transport import configure_transport
    from eq_ros.transport import shared_file
    configure_transport()
    arguments = {}
    for kind in kinds:
        values = values_of(kinds, kind, given)
        if kind.example and len(kinds) > 1 and not values['model']:
            values['model'] = str(shared_file(f'{kind.example}/scene/manifest.json').parents[1])
        arguments[kind] = process_arguments(kind, values)
    if not check:
        raise typer.Exit(supervise([[sys.executable, '-m', kind.module, *words]
                                    for kind, words in arguments.items()], console.print,
                                   again=given.get('build_only') != 'true'))
    space = given['namespace'].strip('/')
    result = bring_up({f'/{space}/{kind.name}'.replace('//', '/'): (kind.module, words)
                       for kind, words in arguments.items()}, PATIENCE)
    emit(result, as_json, 'bring-up')
    if not result['all_active']:
        raise typer.Exit(1)


for each_kind in (*STACK, COSTMAP, FOLLOWER):
    app.command(each_kind.label, help=f'Starts `{each_kind.name}` and waits for Ctrl-C.')(
        _command((each_kind,)))
app.command('stack', help='Starts all nodes together and waits for Ctrl-C.')(_command(STACK))
