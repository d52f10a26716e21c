"""The readers under fuzzing take what is right, and do not fall over the nearest that is wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from eq_core.errors import InputError


@pytest.fixture(scope='module')
def fuzz() -> ModuleType:
    """The script."""
    path = Path(__file__).parents[2] / 'bench' / 'fuzz.py'
    spec = importlib.util.spec_from_file_location('fuzz', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('reader', ['pointcloud2', 'occupancy_map', 'manifest'])
def test_right_inputs_are_taken_and_changed_ones_refused_in_order(
        fuzz: ModuleType, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, read = np.random.default_rng(0), fuzz.READERS[reader]
    for data in fuzz.first_inputs(reader):
        with monkeypatch.context() as strict:
            strict.setattr('eq_core.errors.EqError', InputErrorThatNobodyRaises)
            read(data)      # so that a refusal would be seen
        for _ in range(100):
            changed = bytearray(data)
            for at in rng.integers(0, len(changed), 4):
                changed[at] = rng.integers(256)
            read(bytes(changed[:rng.integers(1, len(changed) + 1)]))


class InputErrorThatNobodyRaises(InputError):
    """Stands in for all errors of ours."""
