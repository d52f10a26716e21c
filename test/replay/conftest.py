"""Recordings of random scans, and a stand-in for the detector node."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import os
from pathlib import Path
import sys

import pytest

from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))


@pytest.fixture
def recording_of() -> Callable[..., Recording]:
    """Makes a recording of scans in memory."""
    def make(*frames: str, labels: bool = True) -> Recording:
        def load(lost: list[str]) -> Iterator[LabeledScan]:
            from random_recordings import random_scans
            yield from random_scans(frames)
        return Recording('random', 'simulation', len(frames), load, has_boxes=labels)
    return make


@pytest.fixture
def node_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets child processes import the checkout and the modules beside this file."""
    pytest.importorskip('rclpy')
    paths = [str(ROOT), str(HERE), os.environ.get('PYTHONPATH', '')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(path for path in paths if path))
