"""`eq eval segmenter`: how good is the panoptic segmenter?"""

from __future__ import annotations

from pathlib import Path
import re
import sys
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Heading
from eq_eval.cli.options import Json
from eq_eval.cli.options import Model
from eq_eval.cli.options import Precision
from eq_eval.cli.options import result_name
from eq_eval.cli.options import Threads

FULL, QUICK = (10, 100), (3, 20)    # sequences, scans of each
FULL_ROTATIONS, QUICK_ROTATIONS = (90., 180., 270., 30., 45.), (90., 45.)
HEADLINE = ('LSTQ', 'S_cls', 'S_assoc', 'mIoU', 'PQ', 'streaming_LSTQ', 'HOTA', 'DetA', 'AssA',
            'AMOTA', 'IDSW', 'Frag', 'scans')


def segmenter(
    model: Model = None,
    heading_model: Heading = '',
    data: Annotated[Path | None, typer.Option(
        help='Recording with labelled points or tracks; the simulated test sequences if not '
             'given.')] = None,
    sequences: Annotated[int | None, typer.Option(help='Test sequences.', min=1)] = None,
    scans: Annotated[int | None, typer.Option(help='Scans of each sequence.', min=1)] = None,
    first: Annotated[int, typer.Option(
        help='First scan of a recording that is looked at.', min=0)] = 0,
    sweeps: Annotated[int, typer.Option(help='Scans seen at once.', min=1)] = 1,
    odometry: Annotated[bool, typer.Option(help='Whether the poses are told.')] = True,
    turn: Annotated[bool, typer.Option(help='Also compare with turned sequences.')] = True,
    backend: Backend = 'onnxruntime',
    threads: Threads = 2,
    precision: Precision = 'fp32',
    name: Annotated[str | None, typer.Option(
        help='Name of the stored result; eval_segmenter and the data if not given.')] = None,
    quick: Annotated[bool, typer.Option(help='Few scans; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Scores the segmenter: LSTQ, PQ, mIoU, HOTA, AMOTA, streamed at 10 Hz, and turned.

    Of a recording whatever its labels allow; of the test sequences and without --quick all.

    A full run is stored in bench/results/.
    """
    from itertools import islice

    from rich.progress import Progress

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.datasets.open import open_recording
    from eq_eval.held_out import held_out_sequences
    from eq_eval.held_out import SEED
    from eq_eval.panoptic_evaluation import evaluate_segmenter
    from eq_eval.panoptic_evaluation import SegmenterProtocols
    from eq_eval.results import store
    from eq_eval.seen_scans import refuse_seen
    from eq_perception.panoptic.segmenter import Segmenter
    from eq_ros.shipped_models import heading_folder

    if first and data is None:
        raise typer.BadParameter('--first is of a recording and needs --data')
    bundle = bundle_folder(model, 'panoptic_segmenter')
    opened = Segmenter.from_bundle(bundle, [backend], threads, sweeps, precision=precision,
                                   heading=heading_folder(heading_model))
    number, length = QUICK if quick else FULL
    number, length = sequences or number, scans or length
    if data is None:
        recording = held_out_sequences(number, length)
        wanted = range(len(recording))
    else:
        recording = open_recording(data)
        wanted = range(len(recording))[first:][:length if quick else scans]
        refuse_seen(bundle, recording.name, wanted)
    rotations = (QUICK_ROTATIONS if quick else FULL_ROTATIONS) if turn and data is None else ()
    asked = SegmenterProtocols(with_poses=odometry, rotations=rotations,
                               rotated_scans=length, with_amota=not quick)
    with Progress(console=console) as bar:
        task = bar.add_task(recording.name, total=len(wanted))
        result: dict[str, Any] = {
            'data': recording.name, 'kind': recording.kind, 'model': bundle.name,
            'backend': opened.session.backend, 'precision': precision, 'sweeps': sweeps,
            'odometry': odometry, 'threads': threads, 'group': opened.config.detector.group,
            'first_scan': wanted.start,
        } | evaluate_segmenter(opened, islice(recording.scans(), wanted.start, wanted.stop),
                               asked, lambda done: bar.update(task, completed=done))
    if not quick:
        stored = name or _result_name('' if data is None else recording.name, wanted.start,
                                      precision)
        store(stored, result, ['eq', *sys.argv[1:]], SEED if data is None else None)
    emit(result if json else _headline(result), json, f'panoptic segmenter on {recording.name}')


def _headline(result: dict[str, Any]) -> dict[str, Any]:
    """The figures for people, those that there are."""
    rows = {**result.get('tracking', {}), **result}
    return {key: rows[key] for key in (*HEADLINE, 'unavailable') if rows.get(key) is not None}


def _result_name(data: str, first: int, precision: str) -> str:
    """Such as ``eval_segmenter_semantickitti_00_from_8``, and ``_int8`` behind it."""
    words = re.findall('[a-z0-9]+', data.lower()) + (['from', str(first)] if first else [])
    return result_name(['eval_segmenter', *words], precision)
