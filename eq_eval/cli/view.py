"""`eq view`: what the nodes see and answer, live in a viewer."""

from __future__ import annotations

from pathlib import Path
import signal
import time
from typing import Annotated
from typing import Any

import typer


def view(
    viewer: Annotated[str, typer.Argument(help='foxglove or rerun.')],
    namespace: Annotated[str, typer.Option(help='Shows what is published below it.')] = '/',
    host: Annotated[str, typer.Option(help='Address that viewers connect to.')] = '127.0.0.1',
    port: Annotated[int, typer.Option(help='Port; that of the viewer if 0.', min=0, max=65535)
                    ] = 0,
    save: Annotated[Path | None, typer.Option(
        help='Writes a file (.mcap or .rrd) instead.')] = None,
    seconds: Annotated[float, typer.Option(help='Ends by itself; 0 for never.', min=0.)] = 0.,
) -> None:
    """Shows clouds, boxes, tracks, maps, paths, poses and latencies of the live graph."""
    from rich.console import Console

    from eq_core.errors import InputError
    from eq_eval.replay.environment import require_ros
    from eq_eval.viewers.from_messages import items_of
    from eq_eval.viewers.from_messages import KINDS
    from eq_eval.viewers.from_messages import links
    from eq_eval.viewers.viewer import open_viewer
    from eq_eval.viewers.viewer import Options
    from eq_ros.transport import configure_transport

    require_ros()
    console = Console()
    shown = open_viewer(viewer, Options(host, port, save))
    console.print(f'{shown.where}; Ctrl-C ends', highlight=False, soft_wrap=True)
    refused: set[str] = set()

    def take(topic: str, kind: str, message: Any) -> None:
        try:
            for item in (links(message, True) if topic == '/tf_static'
                         else items_of(kind, message)):
                shown.show(topic, item)
        except InputError as error:
            if topic not in refused:    # once; the nodes tell all that is wrong with inputs
                refused.add(topic)
                console.print(f'{topic} is not shown: {error}', highlight=False)

    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: stopping.append(number))
    configure_transport()
    from eq_ros.topic_watcher import watch
    began = time.monotonic()
    try:
        topics = watch(KINDS, take, lambda: not stopping and not (
            seconds and time.monotonic() - began > seconds), namespace)
    finally:
        shown.close()
    console.print(f'shown: {", ".join(sorted(topics)) or "nothing was published"}',
                  highlight=False, soft_wrap=True)
