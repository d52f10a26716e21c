"""`eq bench soak` and `eq bench recovery`: nodes under load for minutes, and under kill -9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
import sys
from typing import Annotated
from typing import TYPE_CHECKING

import typer

from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json

if TYPE_CHECKING:
    from eq_eval.datasets.scan import LabeledScan
    from eq_eval.replay.runner import Progress

QUICK_SECONDS = 20.
WHOLE = 'stack'

Bag = Annotated[Path | None, typer.Option(
    help='Recording to play; the simulated street of `eq demo` if not given.')]
Scans = Annotated[int, typer.Option(help='First scans of the recording to play.', min=1)]
PointCount = Annotated[int, typer.Option(
    '--points', help='Thin or fill each scan to so many points; 0 leaves it as it is.', min=0)]
Out = Annotated[Path, typer.Option(help='Folder of the logs.')]
Quick = Annotated[bool, typer.Option('--quick', help='Shorter; nothing is stored.')]


def soak(
    node: Annotated[str, typer.Option(
        help='stack, panoptic_segmenter or lidar_detector.')] = WHOLE,
    model: Annotated[Path | None, typer.Option(
        help='Folder of the bundle of one node; the shipped one if not given.')] = None,
    bag: Bag = None,
    minutes: Annotated[float, typer.Option(help='Length of the run.', min=.05)] = 10.,
    scans: Scans = 30, points: PointCount = 0,
    threads: Annotated[int, typer.Option(
        help='Threads of the inference of one node.', min=1)] = 1,
    out: Out = Path('runs/soak'), quick: Quick = False, json: Json = False,
) -> None:
    """Plays at 10 Hz for minutes: memory, threads and open files, and what became of all inputs.

    A full run is stored in bench/results/bench_soak_NODE.json. Exit code 1 if an input is
    unaccounted for.
    """
    from eq_core.errors import ConfigError
    from eq_eval.cli.demo import SEED
    from eq_eval.cli.output import emit
    from eq_eval.cli.replay import progress_bar
    from eq_eval.replay.environment import require_ros
    from eq_eval.results import store
    require_ros()
    from eq_eval import soak as soaking
    from eq_eval.replay.nodes import DETECTOR
    from eq_eval.replay.nodes import SEGMENTER
    from eq_eval.replay.runner import ReplayOptions

    nodes = {each.name: each for each in (SEGMENTER, DETECTOR)}
    if node not in (WHOLE, *nodes):
        raise ConfigError(f'node must be one of {WHOLE}, {", ".join(nodes)}, got {node!r}')
    out.mkdir(parents=True, exist_ok=True)
    seconds = QUICK_SECONDS if quick else 60 * minutes
    with progress_bar() as tell:
        name, played = _drive(bag, scans, points, tell)
        if node == WHOLE:
            result = soaking.soak_stack([scan.points for scan in played], out, seconds, tell)
        else:
            bundle = bundle_folder(model, node)
            options = ReplayOptions(bundle, rate=1., parameters={'threads': str(threads)},
                                    node=nodes[node])
            result = soaking.soak(played, options, out, seconds, tell)
            result |= {'model': bundle.name, 'inference_threads': threads}
    result |= {'recording': name}
    if not quick:
        store(f'bench_soak_{node}', result, ['eq', *sys.argv[1:]], None if bag else SEED)
    emit(result, json, f'soak of {node}')
    if result['unaccounted']:
        raise typer.Exit(1)


def recovery(
    bag: Bag = None, scans: Scans = 10, points: PointCount = 20_000,
    out: Out = Path('runs/recovery'), quick: Quick = False, json: Json = False,
) -> None:
    """Kills each node of the stack in turn, under load: seconds until it answers again.

    A full run is stored in bench/results/bench_recovery.json.
    """
    from eq_eval.cli.demo import SEED
    from eq_eval.cli.output import emit
    from eq_eval.cli.replay import progress_bar
    from eq_eval.replay.environment import require_ros
    from eq_eval.results import store
    require_ros()
    from eq_eval import soak as soaking

    out.mkdir(parents=True, exist_ok=True)
    with progress_bar() as tell:
        name, played = _drive(bag, scans, points, tell)
        result = soaking.recovery([scan.points for scan in played], out, tell)
    result |= {'recording': name}
    if not quick:
        store('bench_recovery', result, ['eq', *sys.argv[1:]], None if bag else SEED)
    emit(result, json, 'recovery from kill -9')


def _drive(bag: Path | None, scans: int, points: int, tell: Progress
           ) -> tuple[str, Sequence[LabeledScan]]:
    """The name of a recording and its first scans, in memory."""
    from eq_eval.cli.demo import RUNS
    from eq_eval.cli.demo import simulated_street
    from eq_eval.datasets.open import open_recording
    from eq_eval.latency import resize

    path = bag or simulated_street(RUNS / 'recordings', scans, tell)
    played = list(islice(open_recording(path).scans(), scans))
    if points:
        played = [replace(scan, points=resize(scan.points, points, 0)[0]) for scan in played]
    return path.name, played
