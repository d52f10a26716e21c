"""Real scans that a model has learnt from, and is therefore never tested on."""

from __future__ import annotations

from pathlib import Path

from eq_core.errors import InputError
from eq_core.runtime.bundle import Bundle


def refuse_seen(bundle: Path, name: str, wanted: range | None = None) -> None:
    """Refuses to test a model on scans that it was adapted on.

    Args:
        bundle: Folder of the model; ``training.recorded`` of its manifest tells what it has seen.
        name: Name of the recording of the test.
        wanted: Positions of its scans; None for the whole recording, of which any scan is too near
            to those that were seen.

    Raises:
        InputError: It was; the text tells on which.
    """
    for part in Bundle.load(bundle).manifest.training.get('recorded', []):
        seen = set(part['scans'])
        tested = seen if wanted is None else seen & set(wanted)
        if part['name'] == name and tested:
            raise InputError(f'{bundle} was trained on scans {min(seen)} to {max(seen)} of '
                             f'{name} and cannot be tested on '
                             + ('it' if wanted is None else f'{wanted[0]} to {wanted[-1]}'))
