"""A provider of ONNX Runtime runs a model itself, or says why it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eq_core.errors import BackendError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session


@pytest.fixture
def bundle(repository: Path) -> Bundle:
    """A small shipped model."""
    return Bundle.load(repository / 'models' / 'kit' / 'crop')


def test_a_package_without_the_provider_is_passed_over_by_its_name(bundle: Bundle) -> None:
    import onnxruntime
    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this onnxruntime is built for GPUs')
    with open_session(bundle, ['onnxruntime_cuda', 'onnxruntime']) as session:
        assert session.backend == 'onnxruntime'
        assert 'no CUDAExecutionProvider' in session.notes[0]


def test_a_provider_that_leaves_its_place_to_the_cpu_is_not_taken(
        bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime
    real, asked = onnxruntime.InferenceSession, []

    def without_gpu(graph: bytes, options: Any, providers: list[Any]) -> Any:
        asked.extend(providers)
        return real(graph, options, providers=['CPUExecutionProvider'])
    monkeypatch.setattr(onnxruntime, 'get_available_providers',
                        lambda: ['CUDAExecutionProvider', 'CPUExecutionProvider'])
    monkeypatch.setattr(onnxruntime, 'InferenceSession', without_gpu)
    with pytest.raises(BackendError, match='CUDAExecutionProvider could not be started'):
        open_session(bundle, ['onnxruntime_cuda'])
    assert asked == [('CUDAExecutionProvider', {'use_tf32': '0'})]
