"""`eq eval detector`: how good is the detector?"""

from __future__ import annotations

from pathlib import Path
import re
import sys
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.eval_segmenter import segmenter
from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Heading
from eq_eval.cli.options import Json
from eq_eval.cli.options import Labels
from eq_eval.cli.options import Model
from eq_eval.cli.options import Precision
from eq_eval.cli.options import result_name
from eq_eval.cli.options import Threads
from eq_eval.cli.options import Topic

QUICK_SCANS, FULL_SCANS = 72, 420
QUICK_ROTATIONS = (0., 90., 180., 270., 30., 45.)

app = typer.Typer(help='Score a model on labelled scans.', no_args_is_help=True)
app.command()(segmenter)


@app.command()
def detector(
    model: Model = None,
    heading_model: Heading = '',
    data: Annotated[Path | None, typer.Option(
        help='Labelled recording; the simulated test worlds if not given.')] = None,
    labels: Labels = None,
    topic: Topic = None,
    scans: Annotated[int | None, typer.Option(
        help='Scans at most; 420 of the test worlds, all of a recording.', min=1)] = None,
    step: Annotated[float | None, typer.Option(
        help='Turn the scene by multiples of this many degrees; 15 for the test worlds, '
             'no turning for a recording unless --quick.', min=1., max=90.)] = None,
    curve_scans: Annotated[int | None, typer.Option(
        help='Turn only the first scans; all if not given.', min=1)] = None,
    sweeps: Annotated[int, typer.Option(help='Scans seen at once.', min=1)] = 1,
    turns: Annotated[int, typer.Option(
        help='Directions in which each scan is seen, and the answers averaged; as many times '
             'the work.', min=1)] = 1,
    score_threshold: Annotated[float | None, typer.Option(
        help="Least score; the bundle's if not given.")] = None,
    backend: Backend = 'onnxruntime',
    threads: Threads = 2,
    precision: Precision = 'fp32',
    skip_bad: Annotated[bool, typer.Option(
        '--skip-bad', '--salvage', help='Leave out damaged scans and count them.')] = False,
    name: Annotated[str | None, typer.Option(
        help='Name of the stored result; eval_detector and the data if not given.')] = None,
    quick: Annotated[bool, typer.Option(help='Few scans; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Scores the detector: nuScenes-style mAP, KITTI AP R40, range by range, turn by turn.

    A full run is stored in bench/results/.
    """
    from eq_eval.cli.output import emit
    from eq_eval.datasets.borrowed_labels import with_labels_of
    from eq_eval.datasets.open import open_recording
    from eq_eval.evaluation import Protocols
    from eq_eval.held_out import held_out_worlds
    from eq_eval.held_out import SEED
    from eq_eval.results import store
    from eq_eval.scores import headline
    from eq_eval.seen_scans import refuse_seen
    from eq_perception.detection.detector import Detector
    from eq_perception.detection.turns import over_turns
    from eq_ros.shipped_models import heading_folder

    bundle = bundle_folder(model)
    headings = heading_folder(heading_model)
    opened = over_turns(Detector.from_bundle(
        bundle, [backend], threads, score_threshold, precision, heading=headings), turns)
    if data is None:
        count = scans or (QUICK_SCANS if quick else FULL_SCANS)
        recording, stride = held_out_worlds(count, sweeps), 1
    else:
        recording = open_recording(data, topic, skip_bad)
        refuse_seen(bundle, recording.name)
        if labels is not None:
            recording = with_labels_of(recording, open_recording(labels))
        count = min(scans or (QUICK_SCANS if quick else len(recording)), len(recording))
        # Neighbouring scans tell much the same, so fewer scans are spread over the recording.
        stride = -(-len(recording) // count) if sweeps == 1 else 1
    asked = Protocols(
        _rotations(step, quick and recording.complete, data is None), curve_scans,
        sweeps, sweeps if data is None else 1, recording.has_velocity, recording.complete)
    result = {'data': recording.name, 'kind': recording.kind, 'model': bundle.name,
              'heading_model': None if headings is None else headings.name,
              'backend': opened.session.backend, 'precision': precision, 'sweeps': sweeps,
              'turns': turns, 'score_threshold': opened.config.score_threshold,
              'group': opened.config.group} | _run(opened, recording, count, stride, asked)
    if not quick:
        stored = name or _result_name(recording.name if data is not None else '', precision, turns)
        store(stored, result, ['eq', *sys.argv[1:]], SEED if data is None else None)
    emit(result if json else headline(result), json, f'lidar detector on {recording.name}')


def _rotations(step: float | None, quick: bool, simulated: bool) -> tuple[float, ...]:
    """Angles by which the scans are turned [degrees], 0 first."""
    if step is not None:
        return tuple(turn * step for turn in range(int(360 // step)))
    if quick:
        return QUICK_ROTATIONS
    return tuple(float(angle) for angle in range(0, 360, 15)) if simulated else (0.,)


def _run(opened: Any, recording: Any, count: int, stride: int, asked: Any) -> dict[str, Any]:
    """Evaluates with a progress bar."""
    from itertools import islice

    from rich.progress import Progress

    from eq_eval.cli.output import console
    from eq_eval.evaluation import evaluate_detector

    with Progress(console=console) as bar:
        total = count if stride == 1 else -(-len(recording) // stride)
        task = bar.add_task(recording.name, total=total)
        result = evaluate_detector(
            opened, islice(recording.scans(), 0, count * asked.every * stride, stride), asked,
            lambda done: bar.update(task, completed=done))
    if 'kitti' in result:
        result['AP_R40'] = {name: levels['moderate']
                            for name, levels in result['kitti']['AP_3D_R40'].items()}
    return result | {'frames': result['num_scans'], 'lost': len(recording.lost),
                     'lost_texts': recording.lost[:10]}


def _result_name(data: str, precision: str, turns: int) -> str:
    """Such as ``eval_detector_kitti_object``, and ``_3_turns`` and ``_int8`` behind it."""
    words = re.findall('[a-z0-9]+', data.lower()) + [f'{turns}_turns'] * (turns > 1)
    return result_name(['eval_detector', *words], precision)
