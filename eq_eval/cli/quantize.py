"""`eq quantize PATH`: graphs of lower precision for a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json


def quantize(
    path: Annotated[Path, typer.Argument(help='Folder of the bundle, which is written anew.')],
    precision: Annotated[list[str] | None, typer.Option(
        help='fp16 or int8, may be repeated; both if not given.')] = None,
    scenes: Annotated[int, typer.Option(
        help='Simulated training scenes by which int8 is calibrated.', min=1)] = 32,
    seed: Annotated[int, typer.Option(help='Seed of the scenes.')] = 0,
    float_layers: Annotated[int, typer.Option(
        help='Of the first convolutions, how many stay float32 in int8.', min=0)] = 0,
    results: Annotated[Path | None, typer.Option(
        help='Folder of stored evaluations: only write what each precision costs into manifest '
             'and card.')] = None,
    json: Json = False,
) -> None:
    """Adds fp16 and int8 graphs to a bundle, measures them and sets their tolerances.

    fp32 stays as it is. int8 is for models that look at scans.
    """
    from eq_eval.cli.output import emit
    from eq_eval.quantization.accuracy import record_accuracy
    from eq_eval.quantization.precisions import add_precisions
    from eq_eval.quantization.precisions import Quantization

    if results is not None:
        emit(record_accuracy(path, results), json, f'accuracy of {path}')
        return
    how = Quantization(precision or ('fp16', 'int8'), scenes, seed, float_layers)
    emit(add_precisions(path, how), json, f'quantize {path}')
