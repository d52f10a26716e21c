"""Options that several commands share, and what they stand for when they are not given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Backend = Annotated[str, typer.Option(help='onnxruntime or torch.')]
Json = Annotated[bool, typer.Option('--json', help='Print JSON on the last line.')]
Labels = Annotated[Path | None, typer.Option(
    help='Labelled recording of the same scans, such as the data set a bag was made of.')]
Model = Annotated[Path | None, typer.Option(
    help='Folder of the bundle; the shipped one if not given.')]
Threads = Annotated[int, typer.Option(help='Threads of the inference.', min=1)]
Topic = Annotated[str | None, typer.Option(help='Topic of the scans in a bag.')]


def bundle_folder(model: Path | None, shipped: str = 'lidar_detector') -> Path:
    """The folder that `--model` names, that of a shipped model without it."""
    from eq_ros.transport import shared_file
    return model or shared_file(f'models/{shipped}/manifest.json').parent
