"""PyTorch as the reference: the model as it was written, with the weights from safetensors.

Slow to import and meant for tests, training and cross-checks; a node does not need it.
"""

from __future__ import annotations

from collections.abc import Callable
import importlib
import importlib.util
import re
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_core.runtime.backend import Artifact
from eq_core.runtime.backend import PrepareSpec
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.integrity import one_line
from eq_core.runtime.manifest import Manifest
from eq_core.runtime.session import Session

# A manifest may name code, but only ours: it must not become a way to run anything else.
_ENTRY = re.compile(r'eq_(core|perception|navigation|manipulation)(\.[a-z_][a-z0-9_]*)+'
                    r':[a-zA-Z_]\w*')
Build = Callable[[Manifest], Any]


class TorchBackend:
    """Runs ``model.safetensors`` in the torch module that the bundle names.

    The builder, ``config['torch_model'] = 'package.module:function'``, takes the manifest and
    returns a ``torch.nn.Module`` that takes the inputs in the manifest's order and returns a
    mapping of the outputs by name, or a sequence in the manifest's order.
    """

    name = 'torch'

    def __init__(self, build: Build | None = None) -> None:
        """Keeps `build`, if given, in place of the one that a bundle names."""
        self._build = build

    def available(self) -> tuple[bool, str]:
        """Whether torch is installed (importing it is left until it is used)."""
        if importlib.util.find_spec('torch') is None:
            return False, 'torch is not installed'
        return True, ''

    def supports(self, bundle: Bundle) -> list[str]:
        """Needs to know the torch model."""
        entry = bundle.manifest.config.get('torch_model')
        if self._build is not None or (isinstance(entry, str) and _ENTRY.fullmatch(entry)):
            return []
        return ['config torch_model must name a function of our packages as '
                f'package.module:function, got {entry!r}']

    def prepare(self, bundle: Bundle, spec: PrepareSpec) -> Artifact:
        """Nothing to prepare.

        Raises:
            BackendError: Another precision than fp32 is wanted.
        """
        if spec.precision != 'fp32':
            raise BackendError(f'torch runs fp32 only, got {spec.precision}')
        return Artifact(bundle, spec, details={'model': 'model.safetensors'})

    def load(self, artifact: Artifact) -> Session:
        """Builds the module and fills in the weights.

        Raises:
            BackendError: The module cannot be built, or the weights are not its own.
        """
        import torch
        manifest = artifact.bundle.manifest
        start = time.perf_counter()
        module = self._module(artifact.bundle)
        torch.set_num_threads(artifact.spec.threads)  # torch knows only one number per process

        def execute(inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
            with torch.inference_mode():
                outputs = module(*(torch.from_numpy(inputs[spec.name])
                                   for spec in manifest.inputs))
            ordered = ([outputs[spec.name] for spec in manifest.outputs]
                       if isinstance(outputs, dict) else outputs)
            return [np.asarray(output.numpy()) for output in ordered]
        return Session(manifest, self.name, execute, artifact.spec.precision, {
            **artifact.details, 'threads': artifact.spec.threads,
            'library': f'torch {torch.__version__}',
            'load_ms': 1e3 * (time.perf_counter() - start)})

    def _module(self, bundle: Bundle) -> Any:
        import torch
        weights = {name: torch.from_numpy(array.copy())
                   for name, array in bundle.weights().items()}
        try:
            module = (self._build or _import(str(bundle.manifest.config['torch_model'])))(
                bundle.manifest)
            module.load_state_dict(weights, strict=True)
            return module.eval()
        except Exception as error:  # a module may raise anything while it is built
            raise BackendError(f'{bundle.path}: torch cannot load model.safetensors: '
                               f'{one_line(error)}') from error


def _import(entry: str) -> Build:
    if not _ENTRY.fullmatch(entry):
        raise BackendError(f'torch_model must name a function of our packages, got {entry!r}')
    module, _, function = entry.partition(':')
    build: Build = getattr(importlib.import_module(module), function)
    return build
