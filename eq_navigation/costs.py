"""Learned costs of a graph's edges, by a trained model on whatever backend; numpy, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import OutputError
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_core.runtime.selection import open_session
from eq_core.runtime.session import Session
from eq_navigation.graph import GeometricGraph

Double = NDArray[np.float64]


class LearnedCosts:
    """Judges edges in blocks of the model's size, so that graphs may have any."""

    def __init__(self, session: Session, rows: int, neighbors: int, features: int) -> None:
        """Keeps an open session.

        Args:
            session: Runs the network.
            rows: Nodes of a block.
            neighbors: Columns of a block.
            features: Numbers known of each node.
        """
        self.session = session
        self._block = (rows, neighbors)
        self.features = features

    @classmethod
    def from_bundle(cls, path: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, precision: str = 'fp32',
                    options: SessionOptions = DEFAULT_OPTIONS) -> LearnedCosts:
        """Opens a model bundle, after it has passed its acceptance test.

        Args:
            path: Bundle directory.
            backends: Names in order of preference.
            threads: Threads of the inference engine.
            precision: Of the graph: ``'fp32'``, or another that the bundle has.
            options: What may be done to open a session: build engines, fall back.

        Raises:
            BundleError: The bundle is incomplete or altered.
            BackendError: No backend can run it, or it failed acceptance on all of them.
        """
        bundle = Bundle.load(path)
        shape = {spec.name: spec.shape for spec in bundle.manifest.inputs}['other']
        return cls(open_session(bundle, backends, threads, precision=precision, options=options),
                   *shape)

    def __call__(self, graph: GeometricGraph) -> Double:
        """Judges all edges of a graph.

        Returns:
            (N, K) costs; 0 where there is no edge.

        Raises:
            InputError: The graph knows other features than the model.
            OutputError: A cost is negative or not finite.
        """
        if graph.feature.shape[1] != self.features:
            raise InputError(f'the model takes {self.features} features of a node, got '
                             f'{graph.feature.shape[1]}', 'bad_graph')
        source, column = np.nonzero(graph.mask)
        target = graph.neighbor[source, column]
        offset = graph.offset()[source, column]
        rows, width = self._block
        answer = np.empty(len(source))
        for first in range(0, len(source), rows * width):
            part = slice(first, first + rows * width)
            answer[part] = self._run(graph.feature[source[part]], graph.feature[target[part]],
                                     offset[part])
        if not (np.isfinite(answer).all() and (answer >= 0).all()):
            raise OutputError('the model gave a cost that is negative or not finite')
        cost = np.zeros(graph.mask.shape)
        cost[source, column] = answer
        return cost

    def _run(self, own: NDArray[np.float32], other: NDArray[np.float32], offset: Double
             ) -> NDArray[np.float32]:
        """Judges a block of edges, one after another whoever their nodes are."""
        rows, width = self._block
        missing = rows * width - len(offset)
        inputs = {name: np.pad(part.astype(np.float32, copy=False), ((0, missing), (0, 0)))
                  .reshape(rows, width, -1)
                  for name, part in (('own', own), ('other', other), ('offset', offset))}
        return self.session.run(inputs)['cost'].reshape(-1)[:len(offset)]
