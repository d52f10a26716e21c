"""`eq demo`: a recording through the live graph, and a report to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
import os
from pathlib import Path
import shlex
import sys
from typing import Annotated

import typer

from eq_eval.cli.options import Json
from eq_eval.cli.options import Labels
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads
from eq_eval.cli.options import Topic
from eq_eval.cli.replay import PanopticModel

WORLD, SENSOR, SEED, SCANS = 'street', 'hdl64e', 4, 30
RUNS = Path('runs')
Tell = Callable[[int, int, str], None]


def demo(
    bag: Annotated[Path | None, typer.Option(
        help='Recording to play; a simulated street if not given.')] = None,
    out: Annotated[Path | None, typer.Option(
        help='Folder of the results; runs/<date and time> if not given.')] = None,
    model: Model = None,
    panoptic_model: PanopticModel = None,
    topic: Topic = None,
    labels: Labels = None,
    scans: Annotated[int, typer.Option(help='Scans of the simulated street.', min=2)] = SCANS,
    threads: Threads = 1,
    look: Annotated[bool, typer.Option(
        '--open/--no-open', help='Open the report in a browser where there is a screen.')] = True,
    quick: Annotated[bool, typer.Option('--quick', help='Ten scans.')] = False,
    json: Json = False,
) -> None:
    """Plays a recording to all nodes in one live ROS 2 graph and writes a report.

    Detector and segmenter hear the clouds, the segmenter's points become a costmap, the planner
    plans on it where the recording tells poses, and a simulated arm asks the policy of pick and
    place. Without --bag a labelled street is simulated on first use and kept in runs/recordings.
    """
    from eq_eval.cli.output import emit
    from eq_eval.cli.replay import progress_bar
    from eq_eval.cli.replay import segmenting
    from eq_eval.cli.replay import short
    from eq_eval.replay.environment import require_ros
    require_ros()
    from eq_eval.cli.output import console
    from eq_eval.replay.demo_workflow import DemoJob
    from eq_eval.replay.demo_workflow import node_lines
    from eq_eval.replay.demo_workflow import run_demo
    from eq_eval.replay.runner import ReplayOptions
    from eq_eval.replay.whole_graph import Parts

    target = out or RUNS / datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    limit = 10 if quick else None
    options = ReplayOptions(model=model, limit=limit, parameters={'threads': str(threads)})
    with progress_bar() as tell:
        path = bag or simulated_street(RUNS / 'recordings', min(scans, limit or scans), tell)
        parts = Parts(options, segmenting(options, True, panoptic_model), demo_policy())
        result = run_demo(DemoJob(path, target, shlex.join(['eq', *sys.argv[1:]]), parts, topic,
                                  labels, turn=bag is None), tell)
    point_latest(target)
    emit(result if json else short(result), json, f'demo on {result["recording"]}')
    console.print(f"report: {result['report']}", soft_wrap=True)
    for line in node_lines(result):
        console.print(line, soft_wrap=True)
    if look and not json:
        open_in_browser(Path(result['report']))
    if not result['all_accounted']:
        raise typer.Exit(1)


def simulated_street(folder: Path, scans: int, tell: Tell) -> Path:
    """The demo's own recording; simulated where it is not there yet.

    Args:
        folder: Where recordings are kept.
        scans: Scans in it, 10 per second.
        tell: Told scans done, scans in all, and what is going on.
    """
    import shutil

    from eq_eval.datasets.write_rosbag import write_rosbag
    from eq_eval.replay.point_labels import FOLDER
    from eq_eval.replay.point_labels import write_point_labels
    from eq_eval.simulation import simulate_sequence

    path = folder / f'{WORLD}_{SENSOR}_seed{SEED}_{scans}'
    if (path / 'metadata.yaml').is_file() and (path / FOLDER).is_dir():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f'.draft_{os.getpid()}'
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()

    def counted():  # type: ignore[no-untyped-def]
        sequence = simulate_sequence(WORLD, SENSOR, SEED, scans, 'test')
        for done, scan in enumerate(sequence, start=1):
            tell(done, scans, 'simulating a street')
            yield scan
            write_point_labels(scan, draft / path.name / FOLDER)  # the bag has made its folder

    write_rosbag(counted(), draft / path.name)
    shutil.rmtree(path, ignore_errors=True)
    (draft / path.name).rename(path)  # a recording that is there is complete
    draft.rmdir()
    return path


def demo_policy() -> Path | None:
    """The policy that acts in the demo, None where it is not shipped or cannot be asked."""
    from eq_core.errors import ConfigError
    from eq_eval.replay.pick_place import TASK
    from eq_ros.messages import PlanPickPlace
    from eq_ros.transport import shared_file

    try:
        manifest = shared_file(f'models/{TASK}/scene/manifest.json')
    except ConfigError:
        return None
    return manifest.parents[1] if PlanPickPlace is not None else None


def point_latest(target: Path) -> None:
    """Lets runs/latest lead to a run; without a word where the file system knows no links."""
    if target.parent.resolve() != RUNS.resolve():
        return
    link, draft = RUNS / 'latest', RUNS / f'.latest.{os.getpid()}'
    try:
        draft.symlink_to(target.name)
        draft.replace(link)
    except OSError:
        draft.unlink(missing_ok=True)


def open_in_browser(report: Path) -> None:
    """Opens a report where somebody could see it."""
    import webbrowser

    if sys.stdout.isatty() and (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        webbrowser.open(report.resolve().as_uri())
