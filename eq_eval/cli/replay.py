"""`eq replay BAG`: a recording through the live ROS 2 graph, recorded, scored, accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
import shlex
import sys
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json
from eq_eval.cli.options import Labels
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads
from eq_eval.cli.options import Topic

PanopticModel = Annotated[Path | None, typer.Option(
    help="Folder of the segmenter's bundle, which is then played through as well; the shipped "
         'one if not given.')]


def replay(
    bag: Annotated[Path, typer.Argument(
        help='rosbag2 (mcap, sqlite3), ROS 1 bag, KITTI or SemanticKITTI folder, PCD files.')],
    out: Annotated[Path, typer.Option(help='Folder of the results.')] = Path('runs/replay'),
    rate: Annotated[float, typer.Option(
        help='Speed relative to the recording; 0 waits for each answer.')] = 0.,
    model: Model = None,
    panoptic: Annotated[bool, typer.Option(
        '--panoptic', help='Play it through the panoptic segmenter too.')] = False,
    panoptic_model: PanopticModel = None,
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
    and node.log; the segmenter's lie in panoptic/. A bag of maps and goals instead of clouds is
    played through the planner. Exit code 1 if the recording is damaged or an input is not
    accounted for.
    """
    from eq_eval.cli.output import emit
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_eval.replay.map_bag import is_map_bag
    from eq_eval.replay.runner import ReplayOptions
    from eq_eval.replay.workflow import is_accounted
    from eq_eval.replay.workflow import Job
    from eq_eval.replay.workflow import run_job
    from eq_ros.pointcloud2 import DecodeOptions

    if is_map_bag(bag):
        replay_maps(bag, out, domain, json)
        return
    options = ReplayOptions(
        model=model, rate=rate, limit=min(limit or 20, 20) if quick else limit,
        parameters={'threads': str(threads), 'intensity_scale': str(float(intensity_scale))},
        domain_id=domain)
    job = Job(bag, out, shlex.join(['eq', *sys.argv[1:]]), options, topic, salvage,
              DecodeOptions(intensity_scale=intensity_scale), labels,
              panoptic=segmenting(options, panoptic, panoptic_model))
    with progress_bar() as progress:
        result = run_job(job, progress)
    emit(result if json else short(result), json, f'replay of {result["recording"]}')
    tell_balance(result)
    if not is_accounted(result):
        raise typer.Exit(1)


def replay_maps(bag: Path, out: Path, domain: int | None = None, json: bool = False) -> None:
    """Plays a recording of maps and goals through the planner, and writes its report."""
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.replay.planning import replay_planning
    from eq_eval.replay.workflow import make_room
    from eq_eval.report.planning import write_planning_report

    make_room(out)
    with progress_bar() as progress:
        run = replay_planning(bag, out, progress, domain_id=domain)
    report = write_planning_report(out / 'report.html', run, shlex.join(['eq', *sys.argv[1:]]))
    result = {**run.result, 'report': str(report)}
    (out / 'result.json').write_text(dumps(result, indent=2) + '\n')
    emit(result if json else short(result), json, f'replay of {run.name}')
    console.print(f'report: {report}', soft_wrap=True)
    if not result['accounted']:
        raise typer.Exit(1)


def segmenting(options: Any, wanted: bool, model: Path | None) -> Any:
    """How the same recording is played through the segmenter; None if it is not.

    Raises:
        ConfigError: It is wanted, but there is no model.
    """
    from dataclasses import replace

    from eq_eval.replay.nodes import SEGMENTER

    if not wanted and model is None:
        return None
    return replace(options, node=SEGMENTER, model=bundle_folder(model, SEGMENTER.name))


def tell_balance(result: dict[str, Any]) -> None:
    """Says where the report is and what became of the scans."""
    from eq_eval.cli.output import console
    from eq_eval.replay.workflow import balance_lines

    console.print(f"report: {result['report']}", soft_wrap=True)
    for line in balance_lines(result):
        console.print(line, soft_wrap=True)


def short(result: dict[str, Any]) -> dict[str, Any]:
    """The figures that fit a terminal."""
    left_out = ('scores', 'node_latency_ms', 'damages', 'report', 'recording', 'nodes', 'graph',
                'pages')
    parts = ('panoptic', 'costmap', 'planning', 'pick_place')
    rows = {key: value for key, value in result.items()
            if key not in left_out and value is not None and key not in parts}
    return rows | {f'{part} {key}': value for part in parts if part in result
                   for key, value in short(result[part]).items()}


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
