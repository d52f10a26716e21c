"""Options that several commands share, and what they stand for when they are not given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Backend = Annotated[str, typer.Option(help='onnxruntime, openvino or torch.')]
Heading = Annotated[str, typer.Option(
    '--heading-model', help='Folder of the bundle that tells directions; the shipped one if not '
                            'given, none without.')]
Json = Annotated[bool, typer.Option('--json', help='Print JSON on the last line.')]
Labels = Annotated[Path | None, typer.Option(
    help='Labelled recording of the same scans, such as the data set a bag was made of.')]
Model = Annotated[Path | None, typer.Option(
    help='Folder of the bundle; the shipped one if not given.')]
Precision = Annotated[str, typer.Option(
    help='Graph that runs: fp32, or fp16 or int8 if the bundle has it.')]
Shading = Annotated[float, typer.Option(
    help='Most that light from elsewhere darkens a face by in training; 0 leaves the light.',
    min=0., max=1.)]
Threads = Annotated[int, typer.Option(help='Threads of the inference.', min=1)]
Topic = Annotated[str | None, typer.Option(help='Topic of the scans in a bag.')]


def result_name(words: Sequence[str], precision: str) -> str:
    """Name of a stored result; those of lower precision stand beside that of fp32.

    >>> result_name(['eval', 'detector'], 'int8')
    'eval_detector_int8'
    """
    return '_'.join([*words, *[precision] * (precision != 'fp32')])


def bundle_folder(model: Path | None, shipped: str = 'lidar_detector') -> Path:
    """The folder that `--model` names, that of a shipped model without it."""
    from eq_ros.transport import shared_file
    return model or shared_file(f'models/{shipped}/manifest.json').parent
