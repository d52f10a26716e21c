"""Looks at tensors inside a graph."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx

from eq_core.runtime.onnx_runtime import session_options

Arrays = Mapping[str, NDArray[Any]]


class Probe:
    """Runs a graph and gives tensors from inside it."""

    def __init__(self, graph: bytes, tensors: Sequence[str]) -> None:
        """Makes outputs of the tensors.

        Args:
            graph: Any ONNX graph.
            tensors: Names of its tensors.
        """
        import onnxruntime
        model = onnx.load_model_from_string(graph)
        known = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name)
                                  for name in tensors if name not in known)
        self._tensors = list(tensors)
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), session_options(1), providers=['CPUExecutionProvider'])

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """The tensors by name."""
        return dict(zip(self._tensors, self._session.run(self._tensors, dict(inputs)),
                        strict=True))

    def means(self, examples: Sequence[Arrays]) -> dict[str, NDArray[np.float64]]:
        """Mean of every channel (axis 1) of the tensors over all examples."""
        total = dict.fromkeys(self._tensors, np.zeros(1))
        for example in examples:
            for name, value in self(example).items():
                axes = tuple(axis for axis in range(value.ndim) if axis != 1)
                total[name] = total[name] + value.mean(axes, dtype=np.float64)
        return {name: value / len(examples) for name, value in total.items()}
