"""Every engine gives, for every shipped model, what the network gives as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_core.runtime.acceptance import relative_error

pytest.importorskip('torch', reason='PyTorch missing')

MODELS = Path(__file__).resolve().parents[2] / 'models'
BUNDLES = sorted(path.parent.relative_to(MODELS).as_posix()
                 for path in MODELS.rglob('manifest.json'))
LARGEST = 1e-4      # relative to the largest magnitude of each output


@pytest.mark.parametrize('name', BUNDLES)
def test_engines_agree_with_the_network_as_it_was_written(name: str) -> None:
    pytest.importorskip('openvino', reason='OpenVINO missing')
    bundle = Bundle.load(MODELS / name)
    inputs = bundle.golden()[0]
    with open_session(bundle, ['torch'], accept=False) as session:
        expected = session.run(inputs)
    for backend in ('onnxruntime', 'openvino'):
        with open_session(bundle, [backend]) as session:
            answer = session.run(inputs)
        for output, value in expected.items():
            assert relative_error(answer[output], value) <= LARGEST, (backend, output)
