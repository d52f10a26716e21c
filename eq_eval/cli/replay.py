"""`eq replay BAG`: a recording through the live ROS 2 graph, recorded, scored, accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import shlex
import sys
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import Json
from eq_eval.cli.options import Labels
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads
from eq_eval.cli.options import Topic


def replay(
    bag: Annotated[Path, typer.Argument(
        help='rosbag2 (mcap, sqlite3), ROS 1 bag, KITTI or SemanticKITTI folder, PCD files.')],
    out: Annotated[Path, typer.Option(help='Folder of the results.')] = Path('runs/replay'),
    rate: Annotated[float, typer.Option(
        help='Speed relative to the recording; 0 waits for each answer.')] = 0.,
    model: Model = None,
    topic: Topic = None,
    salvage: Annotated[bool, typer.Option(
        '--salvage', help='Play what can be read of a damaged recording.')] = False,
    labels: Labels = None,
    limit: Annotated[int | None, typer.Option(help='Play so many scans at most.', min=1)] = None,
    threads: Threads = 1,
    intensity_scale: Annotated[float, typer.Option(
        help='Raw intensity that counts as 1; 0 takes it from the type.', min=0)] = 0.,
    domain: Annotated[int | None, typer.Option(
        help='ROS domain, to watch from outside; one of its own if not given.')] = None,
    quick: Annotated[bool, typer.Option('--quick', help='At most 20 scans.')] = False,
    json: Json = False,
) -> None:
    """Plays a recording to live topics with /clock through a node started for it.

    Writes outputs/ (a bag of all that the node said), detections.jsonl, report.html, result.json
    and node.log. Exit code 1 if the recording is damaged or a scan is not accounted for.
    """
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_eval.replay.runner import ReplayOptions
    from eq_eval.replay.workflow import balance_line
    from eq_eval.replay.workflow import Job
    from eq_eval.replay.workflow import run_job
    from eq_ros.pointcloud2 import DecodeOptions

    options = ReplayOptions(
        model=model, rate=rate, limit=min(limit or 20, 20) if quick else limit,
        parameters={'threads': str(threads), 'intensity_scale': str(float(intensity_scale))},
        domain_id=domain)
    job = Job(bag, out, shlex.join(['eq', *sys.argv[1:]]), options, topic, salvage,
              DecodeOptions(intensity_scale=intensity_scale), labels)
    with progress_bar() as progress:
        result = run_job(job, progress)
    emit(result if json else short(result), json, f'replay of {result["recording"]}')
    console.print(f"report: {result['report']}")
    console.print(balance_line(result))
    if not result['accounted']:
        raise typer.Exit(1)


def short(result: dict[str, Any]) -> dict[str, Any]:
    """The figures that fit a terminal."""
    left_out = ('scores', 'node_latency_ms', 'damages', 'report', 'recording')
    return {key: value for key, value in result.items()
            if key not in left_out and value is not None}


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A progress bar on standard error, as a function of done, total and text."""
    from rich.progress import BarColumn
    from rich.progress import MofNCompleteColumn
    from rich.progress import Progress
    from rich.progress import SpinnerColumn
    from rich.progress import TextColumn
    from rich.progress import TimeElapsedColumn

    from eq_eval.cli.output import console

    with Progress(SpinnerColumn(), TextColumn('{task.description:<20}'), BarColumn(),
                  MofNCompleteColumn(), TimeElapsedColumn(), console=console,
                  transient=True) as bar:
        task = bar.add_task('opening', total=None)

        def tell(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield tell
